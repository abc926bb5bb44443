"""A site's mirror on loopback: charts by the OCI API over TLS, files beside them; small stand-ins of upstream's names.

A chart has one ConfigMap with the values that it was given; a bundle has the namespace that it declares and the real
definitions of the kinds that environments use. Nothing of it runs; one chart has a pod all the same, for which Helm
waits. Where containers run, a chart may be given whole in place of its stand-in, and no stand-in has a pod.
"""

from __future__ import annotations

import gzip
import io
import json
import ssl
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mlstrata.components.upstream.bill import BILL
from mlstrata.components.upstream.mirror import all_sources, file_of
from mlstrata.components.upstream.package import Chart, UpstreamPackage
from tests.support.images import MANIFEST, digest_of
from tests.support.patience import PATIENCE

_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: stand-in-{{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data:
  values: {{ .Values | toYaml | quote }}
"""
WITH_POD = "cert-manager"
"""The chart with a pod."""
_POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: stand-in-{{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: stand-in
          image: "registry.example/stand-in@sha256:%s"
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 10m, memory: 16Mi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
""" % ("0" * 64)


class Site(ThreadingHTTPServer):
    """The mirror.

    Attributes:
        answers: Kind and content by path.
        asked: Every path that was asked for.
        authority: File with the certificate that it is known by.
    """

    def __init__(self, folder: Path, charts: Mapping[str, Mapping[str, str]] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._charts = charts
        self.answers: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []
        self.authority = folder / "authority.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(self.authority))
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def host(self) -> str:
        """Return its name with its port."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def spec(self) -> str:
        """Return the line of an environment's file that names it."""
        return f'mirror: {{registry: "{self.host}", files: "https://{self.host}/files"}}\n'

    def hold(self, piece: UpstreamPackage, definitions: Mapping[str, str]) -> None:
        """Keep a stand-in of each source of a piece, under the name that the mirror gives it."""
        wanted = [definitions[name] for name in piece.crds if name in definitions]
        for number, source in enumerate(all_sources(piece)):
            apart = piece.crd_source is not None
            brings = wanted if (number == 0 or not apart) else []
            if isinstance(source, Chart):
                self._hold_chart(source, brings)
            else:
                self._hold_file(f"/files/{file_of(piece.name, piece.version, number)}", piece, number, brings)

    def _hold_file(self, path: str, piece: UpstreamPackage, number: int, definitions: list[str]) -> None:
        of_its_own = {"name": f"stand-in-{piece.name}-{number}", "namespace": piece.namespace}
        objects = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": of_its_own}]
        if number == 0 and piece.crd_source is None:
            # As Feast's and Kubeflow's bundles do, it declares the namespace that is there before it.
            objects.insert(0, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": piece.namespace}})
        shown = [] if definitions and piece.crd_source is not None else [yaml.safe_dump(one) for one in objects]
        self.answers[path] = ("text/yaml", "\n---\n".join([*definitions, *shown]).encode())

    def _hold_chart(self, chart: Chart, definitions: list[str]) -> None:
        about = {"apiVersion": "v2", "name": chart.name, "version": chart.version, "description": "a stand-in"}
        inside = {"values.yaml": "{}\n", "templates/all.yaml": _TEMPLATE}
        if self._charts is None and chart.name == WITH_POD:
            inside["templates/pod.yaml"] = _POD
        inside |= {f"crds/{number}.yaml": text for number, text in enumerate(definitions)}
        if whole := (self._charts or {}).get(chart.name):
            # Published at the version that the bill asks for, which its source does not know.
            about = {**yaml.safe_load(whole["Chart.yaml"]), "version": chart.version}
            inside = dict(whole)
        inside["Chart.yaml"] = yaml.safe_dump(about)
        packed = _packed({f"{chart.name}/{name}": text for name, text in inside.items()})
        config = json.dumps(about).encode()
        name = f"charts/{chart.name}"
        parts = [self._blob(name, _CHART_CONFIG, config), self._blob(name, _CHART, packed)]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}
        text = json.dumps(manifest).encode()
        for reference in (chart.version, digest_of(text)):
            self.answers[f"/v2/{name}/manifests/{reference}"] = (MANIFEST, text)

    def _blob(self, name: str, kind: str, content: bytes) -> dict[str, str | int]:
        self.answers[f"/v2/{name}/blobs/{digest_of(content)}"] = ("application/octet-stream", content)
        return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


class _Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/v2/":
            return self._answer(200, "application/json", b"{}")
        if (found := self.server.answers.get(self.path)) is None:
            return self._answer(404, "application/json", b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
        return self._answer(200, *found)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", digest_of(body))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(
    folder: Path, definitions: Mapping[str, str], charts: Mapping[str, Mapping[str, str]] | None = None
) -> Iterator[Site]:
    """Serve stand-ins of everything in the bill until the block ends.

    Args:
        folder: Where the certificate lies.
        definitions: Text of a custom resource definition by its full name; others are left out.
        charts: Files of whole charts, by the chart's name; given where containers run, even if there are none.
    """
    site = Site(folder, charts)
    for piece in BILL:
        site.hold(piece, definitions)
    thread = threading.Thread(target=site.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        site.server_close()
        thread.join(PATIENCE)


def _packed(files: Mapping[str, str]) -> bytes:
    """Return files as a compressed archive, the same bytes each time."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as archive:
        for name, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(inner.getvalue(), mtime=0)


def _certificate(authority: Path) -> Path:
    """Write a certificate that is its own authority, and beside it the same with its key; return the latter."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mirror")]), datetime.now(tz=UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    public = made.public_bytes(Encoding.PEM)
    authority.write_bytes(public)
    both = authority.with_name("server.pem")
    both.touch(mode=0o600)
    both.write_bytes(public + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return both
