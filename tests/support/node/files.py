"""The files that the programs of a node are started with."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Json = dict[str, Any]
PODS, SERVICES, NAMES = "10.1.0.0/24", "10.0.0.0/24", "10.0.0.10"
"""Addresses of pods and services, and the one of the name server."""
NODE, SOCKET = "node-1", "/run/containerd.sock"


def write(path: Path, text: str, *, secret: bool = False) -> Path:
    """Write a file; a secret one only its owner reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600 if secret else 0o644)
    path.write_text(text, encoding="utf-8")
    return path


def key(path: Path) -> rsa.RSAPrivateKey:
    """Make a private key and write it."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    write(path, text, secret=True)
    return made


def authority(folder: Path) -> None:
    """Write an authority `ca`, and a certificate `kubelet-client` of it, by which the API server asks the kubelet."""
    root = key(folder / "ca.key")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mlstrata-node")])
    client = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
            x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver"),
        ]
    )
    mine = key(folder / "kubelet-client.key")
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    made = {
        "ca.crt": _builder(name, name, root).add_extension(x509.BasicConstraints(ca=True, path_length=None), True),
        "kubelet-client.crt": _builder(client, name, mine).add_extension(usage, False),
    }
    for file, builder in made.items():
        write(folder / file, builder.sign(root, hashes.SHA256()).public_bytes(Encoding.PEM).decode())


def _builder(subject: x509.Name, issuer: x509.Name, owner: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(owner.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=30))
    )


def kubeconfig(path: Path, server: str, user: str, token: str) -> Path:
    """Write a kubeconfig of one user."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "node",
        "clusters": [{"name": "node", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": user}}],
    }
    return write(path, yaml.safe_dump(document), secret=True)


def kubelet(home: Path) -> Json:
    """Return the kubelet's configuration."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(home / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [NAMES],
        "clusterDomain": "cluster.local",
        "resolvConf": str(write(home / "resolv.conf", "")),
        "podLogsDir": str(home / "logs"),
        "volumePluginDir": str(home / "volume-plugins"),
        # Nothing could pull again what it would collect.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
        "enforceNodeAllocatable": ["pods"],
        "maxPods": 200,
    }


def proxy(home: Path) -> Json:
    """Return kube-proxy's configuration; what conntrack has belongs to the whole machine and stays."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": PODS,
        "clientConnection": {"kubeconfig": str(home / "kube-proxy.conf")},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def containerd(home: Path, store: Path, plugins: Path) -> str:
    """Return containerd's configuration.

    Args:
        home: The node's folder.
        store: Where images are kept from one node to the next.
        plugins: The folder of the network's programs.
    """
    return f"""\
version = 2
root = "{store}"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/shell:1"
  disable_apparmor = true
  # Else every container fails where the machine's root may not lower a score.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{home}/network"
"""


def network() -> Mapping[str, Any]:
    """Return the network of pods: a bridge, addresses from a range, ports of the host."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/addresses",
    }
    bridge = {"type": "bridge", "bridge": "pods0", "isGateway": True, "ipMasq": True, "hairpinMode": True}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [{**bridge, "ipam": addresses}, ports]}


@dataclass(frozen=True)
class Users:
    """Who may ask the API server.

    Attributes:
        tokens: The token of each.
        groups: The group of whoever is in one, beside those that Kubernetes knows.
    """

    tokens: Mapping[str, str]
    groups: Mapping[str, str]

    def table(self) -> str:
        """Return the API server's table of tokens."""
        known = {"admin": "system:masters", f"system:node:{NODE}": "system:nodes", **self.groups}
        return "".join(f'{token},{user},{user},"{known.get(user, "")}"\n' for user, token in self.tokens.items())


def write_all(home: Path, store: Path, debian: Path, users: Users, server: str) -> None:
    """Write everything.

    Args:
        home: The node's folder.
        store: Where images are kept.
        debian: The folder of Debian's programs.
        users: Who may ask the API server.
        server: Its address inside the node.
    """
    key(home / "accounts.key")
    authority(home)
    write(home / "tokens.csv", users.table(), secret=True)
    for user, token in users.tokens.items():
        kubeconfig(home / f"{user.rpartition(':')[2]}.conf", server, user, token)
    write(home / "kubelet.yaml", yaml.safe_dump(kubelet(home)))
    write(home / "kube-proxy.yaml", yaml.safe_dump(proxy(home)))
    write(home / "containerd.toml", containerd(home, store, debian / "usr/lib/cni"))
    write(home / "network/10-pods.conflist", json.dumps(network()))
