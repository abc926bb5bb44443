"""What the API server refuses, in words that say what to do about it; when it is asked again."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from mlstrata.clients.kubernetes import Cluster, ClusterError, Forbidden, Kind, Missing, Outdated

SELDON = Kind("machinelearning.seldon.io", "v1", "SeldonDeployment", "seldondeployments")
OBJECT = {"metadata": {"name": "loans", "namespace": "lending", "resourceVersion": "7"}}


class Server(BaseHTTPRequestHandler):
    """An API server that answers the same to everything, and remembers what it was asked."""

    answers: list[tuple[int, object]]
    asked: list[tuple[str, str, str | None, object]]

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.asked.append((self.command, self.path, self.headers.get("Authorization"), body))
        status, document = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        text = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(document, str) else "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_PATCH(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(Server, "answers", [(200, OBJECT)], raising=False)
    monkeypatch.setattr(Server, "asked", [], raising=False)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", made.server_port)))
    yield made
    made.shutdown()
    made.server_close()


def kubeconfig(path: Path, port: int, user: object = None) -> Path:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "ana", "user": user or {"token": "secret"}}],
        "contexts": [{"name": "ml-dev", "context": {"cluster": "c", "user": "ana"}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def refusal(code: int, reason: str, message: str, *causes: str) -> tuple[int, object]:
    details = {"causes": [{"reason": cause, "message": "x", "field": ".spec"} for cause in causes]}
    return code, {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}


def test_what_is_asked_and_set_is_asked_as_the_contexts_user(server):
    cluster = Cluster("ml-dev")
    assert cluster.get(SELDON, "loans", "lending") == OBJECT
    assert cluster.apply(SELDON, {**OBJECT, "spec": {"a": 1}}) == OBJECT
    path = "/apis/machinelearning.seldon.io/v1/namespaces/lending/seldondeployments/loans"
    read, patched = Server.asked
    assert read == ("GET", path, "Bearer secret", None)
    assert patched[:3] == ("PATCH", f"{path}?fieldManager=mlstrata-release", "Bearer secret")
    assert patched[3] == {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", **OBJECT} | {
        "spec": {"a": 1}
    }
    cluster.apply(SELDON, OBJECT, take=True)
    assert "force=true" in Server.asked[-1][1]
    for _ in range(2):
        cluster.get(Kind("", "v1", "Secret", "secrets"), "x", "y")
    assert Server.asked[-1][1] == "/api/v1/namespaces/y/secrets/x"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refusal(403, "Forbidden", 'User "ana" cannot patch'), Forbidden, "release-SYSTEM"),
        (refusal(401, "Unauthorized", "Unauthorized"), ClusterError, "refresh the credentials"),
        (refusal(409, "Conflict", 'conflict with "x"', "FieldManagerConflict"), ClusterError, "remove it there"),
        (refusal(409, "Conflict", "the object has been modified"), Outdated, "run this again"),
        (refusal(404, "NotFound", '"loans" not found'), Missing, "pulumi up"),
        (refusal(422, "Invalid", "something new"), ClusterError, "something new"),
        ((404, "<html>"), ClusterError, "HTTP 404"),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_asked_again(server, answer, kind, words):
    Server.answers[:] = [answer]
    with pytest.raises(ClusterError) as raised:
        Cluster("ml-dev").apply(SELDON, OBJECT)
    assert type(raised.value) is kind
    assert str(raised.value).startswith("context ml-dev: patch seldondeployments loans in lending: ")
    assert words in str(raised.value)
    assert not raised.value.lost
    assert len(Server.asked) == 1


@pytest.mark.parametrize(
    "answer", [refusal(503, "ServiceUnavailable", "etcd"), refusal(429, "TooManyRequests", "slow"), (502, "<html>")]
)
def test_a_server_that_is_away_is_asked_again(server, answer):
    Server.answers[:] = [answer, answer, (200, OBJECT)]
    assert Cluster("ml-dev").get(SELDON, "loans", "lending") == OBJECT
    assert len(Server.asked) == 3


def test_a_server_that_stays_away_is_given_up_in_time(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", 1)))
    with pytest.raises(ClusterError, match=r"does not answer \(.*\); run this again") as raised:
        Cluster("ml-dev", patience_s=0.8).get(SELDON, "loans", "lending")
    assert raised.value.lost


def test_a_context_that_is_nowhere_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", 1)))
    with pytest.raises(ClusterError, match=r"no context 'prod'.*target\.context names the one"):
        Cluster("prod").get(SELDON, "loans", "lending")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ClusterError, match="no context 'ml-dev'"):
        Cluster("ml-dev").get(SELDON, "loans", "lending")


def test_a_kubeconfig_may_be_several_files_and_a_broken_one_is_named(server, tmp_path, monkeypatch):
    whole = yaml.safe_load((tmp_path / "config").read_text())
    for name in ("clusters", "users", "contexts"):
        part = {"clusters": [], "users": [], "contexts": [], name: whole[name]}
        (tmp_path / name).write_text(yaml.safe_dump(part))
    files = [str(tmp_path / name) for name in ("contexts", "users", "missing", "clusters")]
    monkeypatch.setenv("KUBECONFIG", ":".join(files))
    assert Cluster("ml-dev").get(SELDON, "loans", "lending") == OBJECT
    monkeypatch.setenv("KUBECONFIG", ":".join(files[:2]))
    with pytest.raises(ClusterError, match="has no cluster or user 'c'"):
        Cluster("ml-dev").get(SELDON, "loans", "lending")
    (tmp_path / "broken").write_text("[]")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "broken"))
    with pytest.raises(ClusterError, match="broken: not a kubeconfig"):
        Cluster("ml-dev").get(SELDON, "loans", "lending")


@pytest.mark.parametrize("version", ["v1beta1", "v1"])
def test_a_plug_in_gives_the_token(server, tmp_path, monkeypatch, version):
    program = tmp_path / "plug-in"
    api = f"client.authentication.k8s.io/{version}"
    told = '"$KUBERNETES_EXEC_INFO"' if version == "v1" else "'{}'"
    program.write_text(
        f"#!/bin/sh\nprintf '%s' {told} > {tmp_path}/info\n"
        f'echo \'{{"apiVersion": "{api}", "kind": "ExecCredential", "status": {{"token": "made"}}}}\'\n'
    )
    program.chmod(0o755)
    user = {"exec": {"apiVersion": api, "command": str(program), "interactiveMode": "Never"}}
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", server.server_port, user)))
    assert Cluster("ml-dev").get(SELDON, "loans", "lending") == OBJECT
    assert Server.asked[-1][2] == "Bearer made"
    assert json.loads((tmp_path / "info").read_text()).get("apiVersion", api) == api
    program.write_text("#!/bin/sh\necho 'log in first' >&2\nexit 1\n")
    with pytest.raises(ClusterError, match=r"cannot be authenticated: .*log in first"):
        Cluster("ml-dev").get(SELDON, "loans", "lending")
