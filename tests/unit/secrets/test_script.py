"""`mlstrata secrets --script`: a real shell runs it, against a kubectl that records what it gets."""

import base64
import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlstrata.operations.errors import UsageError
from mlstrata.operations.secrets.expected import Entry, Expected, Origin, Secrets
from mlstrata.operations.secrets.script import script
from tests.support.patience import PATIENCE

SHELLS = [shell for shell in ("/bin/sh", "/bin/bash") if Path(shell).exists()]
HOOK = "https://hooks.example.com/T0/a'b\"c $(d) \\n"
ANSWERS = f"{HOOK}\nregistry.example.com\nrobot\np'a\"s$s\\w\n"
PASSWORD, SEAL = Entry("password", Origin.GENERATED), Entry("seal", Origin.GENERATED, optional=True)


def _secret(namespace: str, name: str, *entries: Entry) -> Expected:
    return Expected(namespace, name, "Secret", entries, (f"what reads {name}'s keys",), "the script")


SECRETS = Secrets(
    "dev",
    "ml-dev",
    (
        _secret("kubeflow", "mlflow-access", PASSWORD, SEAL),
        _secret("lending", "mlflow-access", PASSWORD),
        _secret("platform", "alert-receiver", Entry("url", Origin.ASKED)),
        _secret("platform", "grafana-admin", Entry("user", Origin.FIXED, fixed="admin"), PASSWORD),
        _secret("platform", "mlflow-access", PASSWORD, SEAL),
        _secret("platform", "pull", Entry(".dockerconfigjson", Origin.REGISTRY)),
    ),
    stored=False,
)


class Cluster:
    """A folder with a kubectl, what it was asked, and what it keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (
            ("kubectl", f'exec {sys.executable} {Path(__file__).with_name("kubectl.py")} "$@"\n'),
            ("kubeseal", "sed s/Secret/SealedSecret/\n"),
        ):
            (folder / name).write_text(f"#!/bin/sh\n{text}")
            (folder / name).chmod(0o755)
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        self.environment = {"PATH": path, "FAKE_CLUSTER": str(folder)}

    def run(self, text: str, answers: str = ANSWERS, shell: str = "/bin/sh", *arguments: str):
        file = self.folder / "secrets.sh"
        file.write_text(text)
        # In a session of its own it has no terminal, whoever runs the tests.
        return subprocess.run(
            [shell, str(file), *arguments],
            check=False,
            input=answers,
            text=True,
            capture_output=True,
            env=self.environment,
            start_new_session=True,
            timeout=PATIENCE,
        )

    @property
    def objects(self) -> dict[str, dict]:
        return json.loads((self.folder / "objects.json").read_text())

    def keep(self, objects: dict[str, dict]) -> None:
        (self.folder / "objects.json").write_text(json.dumps(objects))

    @property
    def calls(self) -> list[dict]:
        return [json.loads(line) for line in (self.folder / "calls.jsonl").read_text().splitlines()]

    def held(self, where: str, key: str) -> str:
        return base64.b64decode(self.objects[f"secret/{where}"]["data"][key]).decode()

    def values(self) -> list[str]:
        found = [
            one for name, kept in self.objects.items() if name.startswith("secret") for one in kept["data"].values()
        ]
        return [form for one in found for form in (one, base64.b64decode(one).decode())]


@pytest.fixture
def cluster(tmp_path) -> Cluster:
    return Cluster(tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_makes_everything_that_is_missing(cluster, shell):
    done = cluster.run(script(SECRETS, registry="ghcr.io"), shell=shell)
    assert done.returncode == 0, done.stderr
    assert cluster.held("platform/alert-receiver", "url") == HOOK
    password = cluster.held("platform/mlflow-access", "password")
    assert len(password) == 64
    assert (
        password
        == cluster.held("kubeflow/mlflow-access", "password")
        == cluster.held("lending/mlflow-access", "password")
    )
    seal = cluster.held("platform/mlflow-access", "seal")
    assert seal == cluster.held("kubeflow/mlflow-access", "seal") != password
    assert "seal" not in cluster.objects["secret/lending/mlflow-access"]["data"]
    assert cluster.held("platform/grafana-admin", "user") == "admin"
    pull = json.loads(cluster.held("platform/pull", ".dockerconfigjson"))
    auth = pull["auths"]["registry.example.com"]["auth"]
    assert base64.b64decode(auth).decode() == "robot:p'a\"s$s\\w"
    assert cluster.objects["secret/platform/pull"]["type"] == "kubernetes.io/dockerconfigjson"


def test_no_value_is_an_argument_or_a_variable_of_a_process_or_printed(cluster):
    done = cluster.run(script(SECRETS))
    told = json.dumps(cluster.calls) + done.stdout + done.stderr
    values = [one for one in cluster.values() if one not in ("admin", base64.b64encode(b"admin").decode())]
    assert len(values) > 10
    assert not [one for one in values if one in told or json.dumps(one)[1:-1] in told]
    assert HOOK not in done.stderr


def test_a_second_run_asks_nothing_and_changes_nothing(cluster):
    cluster.run(script(SECRETS))
    before, asked = cluster.objects, len(cluster.calls)
    again = cluster.run(script(SECRETS), answers="")
    assert again.returncode == 0, again.stderr
    assert cluster.objects == before
    assert not [one for one in cluster.calls[asked:] if {"apply", "create"} & set(one["argv"])]


def test_what_is_there_is_kept_and_copied_to_where_it_is_missing(cluster):
    mine = base64.b64encode(b"mine").decode()
    there = {"type": "Opaque", "data": {"password": mine, "other": mine}}
    cluster.keep({"namespace//lending": {}, "secret/lending/mlflow-access": there})
    assert cluster.run(script(SECRETS)).returncode == 0
    assert cluster.objects["secret/lending/mlflow-access"] == there
    for space in ("kubeflow", "platform"):
        # A seal that nobody had would have the versions refused that were made before.
        assert cluster.objects[f"secret/{space}/mlflow-access"]["data"] == {"password": mine}


def test_an_empty_answer_leaves_a_secret_out_and_says_so(cluster):
    done = cluster.run(script(SECRETS), answers="\n\n\n")
    assert done.returncode == 1
    assert "left out: platform/alert-receiver, no url" in done.stderr
    assert "left out: platform/pull, no .dockerconfigjson" in done.stderr
    assert "secret/platform/alert-receiver" not in cluster.objects
    assert "secret/platform/mlflow-access" in cluster.objects, "the others are made"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_cluster_that_cannot_be_asked_ends_it(cluster, shell):
    done = cluster.run(script(SECRETS), ANSWERS, shell, "another")
    assert done.returncode == 1
    assert done.stderr == "error: context does not exist\n"
    assert len(cluster.calls) == 1


def test_names_the_command_that_brings_public_keys(cluster):
    keys = Expected("lending", "token-keys", "ConfigMap", (Entry("jwks", Origin.KEYS),), ("keys",), "token")
    secrets = Secrets("dev", "ml-dev", (keys,), stored=False)
    done = cluster.run(script(secrets))
    assert done.returncode == 1
    fix = "mlstrata token dev --keys | kubectl --context ml-dev apply --server-side -f -"
    assert f"left out: lending/token-keys, which this brings: {fix}\n" in done.stderr
    cluster.keep({**cluster.objects, "configmap/lending/token-keys": {"data": {"jwks": "{}"}}})
    assert cluster.run(script(secrets)).returncode == 0


def test_a_file_is_taken_as_it_is(cluster, tmp_path):
    held = "user: feast\nhost: db\n"
    (tmp_path / "store.yaml").write_text(held)
    secrets = Secrets("dev", "ml-dev", (_secret("feast", "stores", Entry("sql", Origin.FILE)),), stored=False)
    assert cluster.run(script(secrets), f"{tmp_path / 'store.yaml'}\n").returncode == 0
    assert cluster.held("feast/stores", "sql") == held


def test_sealed_secrets_are_printed_and_nothing_is_made(cluster):
    done = cluster.run(script(SECRETS, sealed=True))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("---\n") == done.stdout.count("kind: SealedSecret\n") == len(SECRETS.expected)
    assert {one["argv"][4] for one in cluster.calls} == {"get"}


def test_a_store_that_brings_them_is_named():
    stored = Secrets("prod", "", SECRETS.expected, stored=True)
    with pytest.raises(UsageError, match=r"capabilities\.on: has 'secrets', so External Secrets makes each secret"):
        script(stored)


def test_a_terminal_shows_no_answer(cluster):
    secrets = Secrets("dev", "ml-dev", (SECRETS.expected[2],), stored=False)
    (cluster.folder / "secrets.sh").write_text(script(secrets))
    child, terminal = pty.fork()
    if child == 0:
        # Read from a pipe, as `mlstrata secrets dev --script | sh`: the answer comes from the terminal all the same.
        command = f"cat {cluster.folder}/secrets.sh | /bin/sh"
        os.execve("/bin/sh", ["/bin/sh", "-c", command], cluster.environment)  # noqa: S606 - this is a shell
    shown, answered, end = b"", False, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # its other end is closed
                break
        if not answered and b"keys): " in shown:
            os.write(terminal, b"https://hidden.example\n")
            answered = True
    assert os.waitpid(child, 0)[1] == 0, shown
    assert b"made: platform/alert-receiver: url" in shown
    assert b"hidden.example" not in shown
    assert cluster.held("platform/alert-receiver", "url") == "https://hidden.example"
