"""A registry of images on loopback: the OCI distribution API, as far as skopeo reads and writes by it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.patience import PATIENCE

CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|blobs/uploads)/(?P<reference>[^/]*)")


def digest_of(content: bytes) -> str:
    """Return the digest of a blob or manifest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Registry(ThreadingHTTPServer):
    """A registry.

    Attributes:
        login: User and password that it asks for; None: it hands its token to anybody.
        manifests: Kind and content, by name and by tag or digest.
        blobs: Content by digest.
        asked: Every request, `METHOD path`.
    """

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.login = login
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        """Return its name with its port."""
        return f"127.0.0.1:{self.server_port}"

    def hold(self, name: str, tag: str) -> str:
        """Keep an image for two architectures; return the digest of its index."""
        parts = []
        for architecture in ("amd64", "arm64"):
            settings = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
            config = json.dumps(settings).encode()
            self.blobs[digest_of(config)] = config
            described = {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)}
            document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}
            text = json.dumps({**document, "annotations": {"name": name}}).encode()
            self.keep(name, digest_of(text), MANIFEST, text)
            platform = {"architecture": architecture, "os": "linux"}
            parts.append({"mediaType": MANIFEST, "digest": digest_of(text), "size": len(text), "platform": platform})
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts}).encode()
        self.keep(name, tag, INDEX, index)
        return digest_of(index)

    def keep(self, name: str, reference: str, kind: str, content: bytes) -> None:
        """Keep a manifest under a tag and its digest."""
        self.manifests[name, reference] = self.manifests[name, digest_of(content)] = (kind, content)

    def allows(self, authorization: str) -> bool:
        """Say whether a request may enter."""
        return authorization == "Bearer t"

    def knows(self, authorization: str) -> bool:
        """Say whether the token is for whoever asks so."""
        if self.login is None:
            return True
        return authorization == f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"


class Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        body = self._body()
        authorization = self.headers.get("Authorization", "")
        if self.path.startswith("/token"):
            if self.server.knows(authorization):
                return self._answer(200, json.dumps({"token": "t"}).encode())
            return self._answer(401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}')
        if not self.server.allows(authorization):
            realm = f'Bearer realm="http://{self.server.host}/token",service="s"'
            return self._answer(401, b"{}", {"WWW-Authenticate": realm})
        where = urlsplit(self.path)
        if where.path == "/v2/":
            return self._answer(200, b"{}")
        if not (found := _PATH.fullmatch(where.path)):
            return self._answer(404, b"{}")
        answer = getattr(self, f"_{found['kind'].replace('/', '_')}")
        return answer(found["name"], found["reference"], body, where.query)

    def __getattr__(self, name: str) -> Any:
        """Answer every method alike: the server looks for do_GET and so on."""
        if name.startswith("do_"):
            return self._any
        raise AttributeError(name)

    def _manifests(self, name: str, reference: str, body: bytes, _: str) -> None:
        if self.command == "PUT":
            self.server.keep(name, reference, self.headers["Content-Type"], body)
            return self._answer(201, b"", {"Docker-Content-Digest": digest_of(body)})
        if (name, reference) not in self.server.manifests:
            return self._answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}')
        kind, content = self.server.manifests[name, reference]
        return self._answer(200, content, {"Content-Type": kind, "Docker-Content-Digest": digest_of(content)})

    def _blobs(self, _name: str, reference: str, _body: bytes, _query: str) -> None:
        if reference not in self.server.blobs:
            return self._answer(404, b"{}")
        return self._answer(200, self.server.blobs[reference], {"Docker-Content-Digest": reference})

    def _blobs_uploads(self, name: str, upload: str, body: bytes, query: str) -> None:
        place = {"Location": f"http://{self.server.host}/v2/{name}/blobs/uploads/{upload or 'new'}"}
        if self.command != "PUT":
            self.server.blobs["upload"] = body if self.command == "PATCH" else b""
            return self._answer(202, b"", {**place, "Range": f"0-{max(0, len(body) - 1)}"})
        content = self.server.blobs.pop("upload", b"") + body
        assert parse_qs(query)["digest"] == [digest_of(content)]
        self.server.blobs[digest_of(content)] = content
        return self._answer(201, b"", {"Docker-Content-Digest": digest_of(content)})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(login: tuple[str, str] | None = None) -> Iterator[Registry]:
    """Serve a registry until the block ends."""
    server = Registry(login)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


def log_in(home: Path, registry: Registry) -> None:
    """Write what `docker login` writes into a home folder."""
    assert registry.login is not None
    auth = base64.b64encode(":".join(registry.login).encode()).decode()
    (home / ".docker").mkdir(parents=True, exist_ok=True)
    (home / ".docker/config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
