"""From each checkpoint that the real CLI wrote, the engine goes on to the next one.

``data/`` holds the CLI's files, ``program/`` the program they were recorded with. States are compared whole, but
for times, nonces and the id of the default provider, which are made anew.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import pulumi_embedded
from pulumi_embedded.secrets import SecretBox, SecretsManager
from pulumi_embedded.state import Snapshot
from tests.support.patience import eventually

HERE = Path(__file__).parent
DATA = HERE / "data"
PASSPHRASE = pulumi_embedded.Passphrase("golden")
PROVIDER = "urn:pulumi:local::golden::pulumi:providers:pulumi-python::default"

UP, REFRESH, DESTROY = "up", "refresh", "destroy"

# (from, scenario, operation, counts of what changed, error, to)
TABLE = [
    (None, "create", UP, {"create": 5}, None, "01-create"),
    ("01-create", "create", UP, {}, None, "02-same"),
    ("02-same", "update", UP, {"update": 3}, None, "03-update"),
    ("03-update", "update_fails", UP, {}, pulumi_embedded.StepsFailed, "04-update-fails"),
    ("02-same", "update_fails", UP, {"update": 2}, pulumi_embedded.StepsFailed, None),
    ("04-update-fails", "create", UP, {"update": 3}, None, "05-back"),
    ("05-back", "create_fails", UP, {}, pulumi_embedded.StepsFailed, "06-create-fails"),
    ("06-create-fails", "create", UP, {}, None, "07-recover"),
    ("07-recover", "replace", UP, {"replace": 1}, None, "08-replace"),
    ("08-replace", "protect", UP, {"replace": 1}, None, "09-protect"),
    ("09-protect", "delete", UP, {}, pulumi_embedded.Protected, "10-delete-protected"),
    ("10-delete-protected", "create", UP, {}, None, "11-unprotect"),
    ("11-unprotect", "delete", UP, {"delete": 1}, None, "12-delete"),
    ("12-delete", "delete", REFRESH, {}, None, "13-refresh"),
    ("13-refresh", "delete", DESTROY, {"delete": 4}, None, "14-destroy"),
    ("14-destroy", "create_fails", UP, {"create": 4}, pulumi_embedded.StepsFailed, "15-first-create-fails"),
    ("15-first-create-fails", "create", DESTROY, {"delete": 4}, None, "16-destroy"),
    ("15-first-create-fails", "create", UP, {"create": 1}, None, "01-create"),
    ("13-refresh", "create", UP, {"create": 1}, None, "01-create"),
    ("17-killed-while-creating", "create", UP, {"create": 1}, None, "01-create"),
]


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(HERE / "program", tmp_path / "golden")
    monkeypatch.setenv("SCENARIO", "")
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    return tmp_path / "golden"


def place(golden: Path, name: str | None) -> pulumi_embedded.Backend:
    backend = pulumi_embedded.Backend(golden / "state")
    path = backend.path("golden", "local")
    path.parent.mkdir(parents=True)
    if name is not None:
        shutil.copy(DATA / f"{name}.json", path)
    return backend


def run(
    golden: Path, backend: pulumi_embedded.Backend, operation: str, scenario: str, **options
) -> pulumi_embedded.Result:
    os.environ["SCENARIO"] = scenario
    program = pulumi_embedded.Program("golden", "local", golden)
    return getattr(pulumi_embedded, operation)(
        program, backend, pulumi_embedded.Options(passphrase=PASSPHRASE, **options)
    )


def plain(deployment: dict) -> dict:
    """A deployment without what is new in each run, secrets opened (and marked)."""
    salt = deployment["secrets_providers"]["state"]["salt"]
    box = SecretBox(SecretsManager(PASSPHRASE, salt, "test"))
    snapshot = Snapshot.load(deployment, box)
    ids = {f"{state.urn}::{state.id}": "<provider>" for state in snapshot.resources if state.urn == PROVIDER}
    found = {}
    for state in snapshot.resources:
        row = {key: value for key, value in vars(state).items() if not key.startswith("_")}
        row |= {"created": "", "modified": "", "provider": ids.get(state.provider, state.provider)}
        row["id"] = "<provider>" if state.urn == PROVIDER else state.id
        row["inputs"], row["outputs"] = repr_secrets(state.inputs), repr_secrets(state.outputs)
        found[state.urn] = row
    return found


def repr_secrets(value):
    if isinstance(value, pulumi_embedded.Secret):
        return ("secret", value.value)
    return {key: repr_secrets(item) for key, item in value.items()} if isinstance(value, dict) else value


def latest(path: Path) -> dict:
    return json.loads(path.read_text())["checkpoint"]["latest"]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def test_next_checkpoint(golden, case):
    start, scenario, operation, counts, error, end = case
    backend = place(golden, start)
    if error is None:
        result = run(golden, backend, operation, scenario)
    else:
        with pytest.raises(error) as caught:
            run(golden, backend, operation, scenario)
        result = caught.value.result
    changed = {op: number for op, number in result.counts.items() if op not in ("same", "read")}
    assert changed == counts
    if end is not None:
        expected = plain(latest(DATA / f"{end}.json"))
        if operation == REFRESH:  # the CLI's refresh drops these; the engine keeps them, for deletes need them
            for urn, row in plain(latest(DATA / f"{start}.json")).items():
                expected[urn]["property_dependencies"] = row["property_dependencies"]
        assert plain(latest(backend.path("golden", "local"))) == expected


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_reads_every_checkpoint_and_previews_from_it(golden, path):
    backend = place(golden, path.stem)
    before = backend.path("golden", "local").read_bytes()
    result = run(golden, backend, "preview", "create", refresh=True)
    assert {step.name for step in result.steps} == {"golden-local", "g", "g-first", "g-second", "loose"}
    assert not result.drift
    assert backend.path("golden", "local").read_bytes() == before


def test_resources_come_in_the_order_of_the_cli(golden):
    backend = place(golden, None)
    run(golden, backend, UP, "create")
    ours = [row["urn"] for row in latest(backend.path("golden", "local"))["resources"]]
    theirs = [row["urn"] for row in latest(DATA / "01-create.json")["resources"]]
    assert ours[:3] == theirs[:3]
    assert sorted(ours) == sorted(theirs)
    assert ours.index(next(urn for urn in ours if urn.endswith("g-first"))) < len(ours) - 1


def test_unchanged_secrets_keep_their_ciphertext(golden):
    backend = place(golden, "01-create")
    before = latest(DATA / "01-create.json")
    run(golden, backend, UP, "update")
    after = latest(backend.path("golden", "local"))

    def sealed(deployment):
        rows = {row["urn"]: row for row in deployment["resources"]}
        return [
            rows[urn][bag]["token"]["ciphertext"]
            for urn in sorted(rows)
            for bag in ("inputs", "outputs")
            if "token" in rows[urn].get(bag, {})
        ]

    assert sealed(after) == sealed(before)
    assert len(sealed(after)) == 3


def test_the_salt_goes_where_the_cli_looks_for_it(golden):
    backend = place(golden, "01-create")
    run(golden, backend, UP, "create")
    salt = latest(DATA / "01-create.json")["secrets_providers"]["state"]["salt"]
    assert (golden / "Pulumi.local.yaml").read_text() == f"encryptionsalt: {salt}\n"
    assert (golden / "state/.pulumi/meta.yaml").read_text() == "version: 1\n"
    assert len(list((golden / "state/.pulumi/history/golden/local").glob("*.history.json"))) == 1


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave_lock(backend: pulumi_embedded.Backend, pid: int, host: str) -> Path:
    path = backend.locks("golden", "local") / "0e6a5b57-0000-4000-8000-000000000000.json"
    path.parent.mkdir(parents=True)
    owner = {"pid": pid, "username": "someone", "hostname": host, "timestamp": "2026-11-21T03:41:20.2Z"}
    path.write_text(json.dumps(owner))
    return path


def test_a_killed_run_is_taken_up(golden):
    backend = place(golden, "17-killed-while-creating")
    lock = leave_lock(backend, dead_pid(), socket.gethostname())
    result = run(golden, backend, UP, "create")
    after = latest(backend.path("golden", "local"))
    assert result.counts == {"create": 1, "same": 4}
    assert "pending_operations" not in after
    assert sum(row["urn"].endswith("::g-second") for row in after["resources"]) == 1
    assert not lock.exists()
    assert any("dead" in diagnostic.message for diagnostic in result.diagnostics)


def test_a_killed_run_whose_number_is_still_taken_is_taken_up(golden):
    """It was killed, and its parent has not asked for it: as under an init that seldom or never does."""
    backend = place(golden, "01-create")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    try:
        eventually(lambda: Path(f"/proc/{ended.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z")
        lock = leave_lock(backend, ended.pid, socket.gethostname())
        lock.write_text(lock.read_text().replace("2026-11-21T03:41:20.2Z", "2099-01-01T00:00:00Z"))
        run(golden, backend, UP, "update")
        assert not lock.exists()
    finally:
        ended.wait()


@pytest.mark.parametrize(("pid", "host"), [(1, None), (None, "another-machine")])
def test_a_lock_that_may_be_alive_is_respected(golden, pid, host):
    backend = place(golden, "01-create")
    lock = leave_lock(backend, pid or dead_pid(), host or socket.gethostname())
    if pid == 1:  # a lock as young as process 1 is not: what is written now is by a process that started before
        lock.write_text(lock.read_text().replace("2026-11-21T03:41:20.2Z", "2099-01-01T00:00:00Z"))
    with pytest.raises(pulumi_embedded.StackLocked) as caught:
        run(golden, backend, UP, "update")
    assert (caught.value.pid, caught.value.host) == (json.loads(lock.read_text())["pid"], host or socket.gethostname())
    assert str(lock) in str(caught.value)
    assert latest(backend.path("golden", "local")) == latest(DATA / "01-create.json")


def test_a_wrong_passphrase_is_refused_before_anything_changes(golden):
    backend = place(golden, "01-create")
    before = backend.path("golden", "local").read_bytes()
    program = pulumi_embedded.Program("golden", "local", golden)
    os.environ["SCENARIO"] = "update"
    for wrong, said in (
        (pulumi_embedded.Passphrase("silver"), "passphrase is wrong"),
        (None, "no passphrase was given"),
    ):
        with pytest.raises(pulumi_embedded.WrongPassphrase, match=said):
            pulumi_embedded.up(program, backend, pulumi_embedded.Options(passphrase=wrong))
    assert backend.path("golden", "local").read_bytes() == before
    assert not (golden / "state/.pulumi/history").exists()


def test_outputs_are_read_without_the_program(golden):
    backend = place(golden, "01-create")
    found = pulumi_embedded.outputs("golden", "local", backend, PASSPHRASE)
    assert found["endpoint"] == "http://s.local"
    assert found["token"].value == "s3cret"
    assert "s3cret" not in repr(found)
    with pytest.raises(pulumi_embedded.EngineError, match="there is no stack golden/other"):
        pulumi_embedded.outputs("golden", "other", backend, PASSPHRASE)
