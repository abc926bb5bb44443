"""A store of objects on this machine: SeaweedFS with its S3 interface, for whoever has the generated keys."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi

from mlstrata.components.local_host import LocalComponent, loopback
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.scraping import watched
from mlstrata.components.storage.args import ObjectsArgs
from mlstrata.components.storage.names import CREDENTIALS_FILE, PORTS, SERVICE
from mlstrata.components.storage.outputs import StorageOutputs
from mlstrata.components.supervision.credential import Credential
from mlstrata.components.supervision.service import File

_IDENTITIES_FILE = f"config/{SERVICE}/s3.json"
_KEY_LENGTH = 20


class Objects(LocalComponent):
    """Keeps objects, and gives them to whoever has its keys.

    Attributes:
        endpoint: The address that S3 clients take.
        service: What they wait for.
    """

    def __init__(self, name: str, args: ObjectsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("storage", name, args.host, opts)
        home = args.host.home
        port = args.ports.port
        key, secret, inner = (
            Credential(f"{SERVICE}-{what}", kind="token", opts=self.child()).secret for what in ("key", "secret", "jwt")
        )
        # An access key is a name; SeaweedFS and AWS know letters and digits in it.
        keys = pulumi.Output.all(key, secret).apply(lambda both: (_plain(both[0])[:_KEY_LENGTH], _plain(both[1])))
        self.endpoint = loopback(port("s3"))
        self.service = self.run(
            SERVICE,
            health=loopback(port("s3"), "/healthz"),
            ports={name: port(name) for name in PORTS},
            command=[
                *(str(args.host.binaries["python"]), "-m", "mlstrata.services.storage.weed"),
                *(str(args.host.binaries["weed"]), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
                f"-dir={home}/data/seaweedfs",
                # On by default: it would tell its makers how it is used.
                "-master.telemetry=false",
                # Of a cluster of one: by default it waits ten seconds at each start for others to vote.
                "-master.electionTimeout=1s",
                *("-master.volumeSizeLimitMB=1024", "-volume.max=0", "-volume.preStopSeconds=1"),
                # Beside the supervisor's, whose folder is one that the kernel takes however long the home's path is.
                *("-filer", f"-filer.localSocket={args.host.socket.with_name('filer.sock')}"),
                *(
                    "-s3",
                    f"-s3.config={home / _IDENTITIES_FILE}",
                    f"-s3.localSocket={args.host.socket.with_name('s3.sock')}",
                ),
                *("-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
                "-metricsIp=127.0.0.1",
                *(_flag(flag, port(name)) for name, flag in _FLAGS.items()),
            ],
            # Without them anyone on the machine could go past S3 to the files behind it.
            environment=inner.apply(
                lambda token: {
                    f"WEED_JWT_{of}SIGNING_{kind}KEY": token for of in ("", "FILER_") for kind in ("", "READ_")
                }
            ),
            files={
                _IDENTITIES_FILE: File(keys.apply(_identities)),
                CREDENTIALS_FILE: File(keys.apply(_credentials), restart=False),
            },
            folders=("data/seaweedfs", "run"),
            stop_seconds=5,
        )
        watched(self, SERVICE, port("metrics"))
        self.register_outputs({"endpoint": self.endpoint})


_FLAGS = {name: f"-{name.replace('_', '.port.')}" if "_" in name else f"-{name}.port" for name in PORTS} | {
    "metrics": "-metricsPort"
}


def _flag(flag: str, port: pulumi.Output[int]) -> pulumi.Output[str]:
    return port.apply(lambda number: f"{flag}={int(number)}")


def _plain(token: str) -> str:
    return "".join(letter for letter in token if letter.isalnum())


def _identities(keys: Sequence[str]) -> str:
    credentials = [{"accessKey": keys[0], "secretKey": keys[1]}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return json.dumps({"identities": [{"name": "mlstrata", "credentials": credentials, "actions": actions}]}, indent=1)


def _credentials(keys: Sequence[str]) -> str:
    return f"[default]\naws_access_key_id = {keys[0]}\naws_secret_access_key = {keys[1]}\n"


def build(site: LocalSite) -> StorageOutputs:
    """Build a store of the environment's own."""
    objects = Objects("storage", ObjectsArgs(site.host, site.ports[SERVICE]))
    return StorageOutputs(objects.endpoint, [objects.service])
