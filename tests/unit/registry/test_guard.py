"""The registry answers nobody without its password."""

import asyncio
import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.clients.mlflow.access import PASSWORD_FILE, USER, header, of, variables
from mlstrata.services.http import read_secret
from mlstrata.services.registry.guard import OPEN, Guard
from mlstrata.services.registry.server import claim

PASSWORD = "p" * 43


def ask(headers=(), path="/api/2.0/mlflow/runs/search", method="POST", kind="http"):
    """Return the status that the guard lets through (200) or gives itself."""
    said = []

    async def app(scope, receive, send):
        await send({"type": f"{kind}.passed", "status": 200})

    async def send(message):
        said.append(message)

    scope = {"type": kind, "method": method, "path": path, "headers": list(headers)}
    asyncio.run(Guard(app, USER, PASSWORD)(scope, None, send))
    return said[0].get("status", said[0].get("code"))


def basic(user, password):
    return (b"authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode()))


def test_the_user_and_the_bearer_of_the_password_pass():
    assert ask([basic(USER, PASSWORD)]) == 200
    assert ask([(b"authorization", b"Bearer " + PASSWORD.encode())]) == 200
    assert ask([(b"authorization", header(of(PASSWORD))["Authorization"].encode())]) == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [basic(USER, "")],
        [basic("", PASSWORD)],
        [basic("admin", "password1234")],
        [basic(USER, PASSWORD + "x")],
        [(b"authorization", b"Basic not base64!")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", PASSWORD.encode())],
        [(b"authorization", b"Digest " + PASSWORD.encode())],
        # A second header might be the one that whoever stands behind reads.
        [basic(USER, PASSWORD), basic("other", "other")],
    ],
)
def test_anyone_else_gets_401_and_is_asked(headers):
    assert ask(headers) == 401


@given(st.binary(max_size=80))
def test_no_header_but_the_right_one_passes(value):
    assert ask([(b"authorization", value)]) == 401


@pytest.mark.parametrize("path", ["/", "/health/", "//health", "/health/../ajax-api", "/metrics/x"])
def test_only_health_and_metrics_are_open(path):
    assert ask(path=path, method="GET") == 401


def test_health_and_metrics_answer_reads_alone():
    for path in OPEN:
        assert ask(path=path, method="GET") == 200
        assert ask(path=path, method="POST") == 401


def test_a_websocket_without_the_password_is_closed():
    assert ask(kind="websocket") == 1008


def test_an_empty_password_is_refused():
    with pytest.raises(ValueError, match="both are needed"):
        Guard(None, USER, "")


def test_the_password_is_read_from_a_private_file_only(tmp_path):
    file = tmp_path / PASSWORD_FILE
    assert variables(tmp_path) == {}
    assert header({}) == {}
    file.parent.mkdir(parents=True)
    file.write_text(PASSWORD + "\n")
    file.chmod(0o640)
    with pytest.raises(ValueError, match="0640"):
        read_secret(file)
    file.chmod(0o600)
    assert read_secret(file) == PASSWORD
    assert variables(tmp_path) == of(PASSWORD)
    file.write_text("short")
    with pytest.raises(ValueError, match="5 characters"):
        read_secret(file)


def test_a_database_goes_with_its_artifacts(tmp_path):
    """A folder that was left behind by `down --keep-data`, and another storage declared since."""
    database = tmp_path / "data/mlflow/mlflow.db"
    database.parent.mkdir(parents=True)
    claim(database, "/h/artifacts")
    claim(database, "/h/artifacts")
    with pytest.raises(ValueError, match=r"are in /h/artifacts, not in s3://b/artifacts: .* `mlstrata migrate`"):
        claim(database, "s3://b/artifacts")
    journal = tmp_path / "data/storage/migration.json"
    journal.parent.mkdir()
    journal.touch()
    claim(database, "s3://b/artifacts")
    journal.unlink()
    claim(database, "s3://b/artifacts")
    with pytest.raises(ValueError, match="are in s3://b/artifacts"):
        claim(database, "/h/artifacts")
