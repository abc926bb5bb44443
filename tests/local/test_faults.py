"""What goes wrong around the command: one clear message each, the right exit code, nothing half done."""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

import pulumi_embedded
from mlstrata.clients.mlflow import Registry, access
from mlstrata.services.exporter.processes import marked_processes
from mlstrata.services.gateway.tokens import mint
from tests.support.command import COMMAND, ROOT, Platform, assert_one_message
from tests.support.patience import PATIENCE, eventually

pytestmark = pytest.mark.local

CONSUMER = "underwriter-desk"
ONE_PROCESS = ("supervisor", "gateway", "prometheus", "alertmanager")
DONE_ONCE = ("supervisor", "mlflow", "gateway", "prometheus", "alertmanager", "runner", "serving-mortgage-approval")

# What is replaced in the shipped file, by what, and words that the message must hold (with the line, where it has one).
BAD_YAML = {
    "empty": (None, "", ":1: the file is empty"),
    "not-a-mapping": (None, "- name: local\n", "got a list; allowed a mapping"),
    "tab": ("    owner: lending", "\towner: lending", "a tab indents the line"),
    "open-bracket": ("protected: [afam", "protected: [[afam", "bracket, brace or quote"),
    "open-quote": ('positive: "yes"', 'positive: "yes', "a quote is not closed"),
    "two-documents": ("stage: foundation", "stage: foundation\n---\n", "a second document starts here"),
    "python-tag": ("owner: platform@example.com", "owner: !!python/name:os.system", "a YAML tag (!…)"),
    "key-twice": ("stage: foundation", "stage: scale\nstage: foundation", "the key is given twice"),
    "typo-in-a-key": ("stage: foundation", "stgae: foundation", "did you mean 'stage'?"),
    "typo-in-a-value": ("stage: foundation", "stage: foundatoin", "did you mean 'foundation'?"),
    "unknown-key": ("owner: platform", "colour: blue\nowner: platform", "unknown key 'colour'"),
    "missing-key": ("stage: foundation", "# stage: foundation", "stage: is missing"),
    "unknown-target": ("kind: local", "kind: lokal", "did you mean 'local'?"),
    "port-out-of-range": ("gateway: 0", "gateway: 70000", "target.ports.gateway: got 70000"),
    "wrong-type": (
        "oversight: {owner: lending@example.com, kill_switch: true}",
        "oversight: 7",
        "systems[0].oversight: got 7",
    ),
    "bad-duration": ("predictions: 400d", "predictions: 400 days", "a whole number with a unit"),
    "bad-rate": ("rate: 50/s", "rate: fast", "got 'fast'"),
    "unknown-capability": ("retention:", "capabilities: {off: [katalog]}\nretention:", "did you mean 'catalog'?"),
    "unknown-tier": ("tier: high", "tier: hihg", "did you mean 'high'?"),
    "no-such-dataset": ("data: hmda", "data: hdma", "hdma"),
    "bad-name": (
        "- name: mortgage-approval",
        "- name: Mortgage Approval",
        "systems[0].name: got a text of 17 characters",
    ),
    "range-backwards": ("probability: [0, 1]", "probability: [1, 0]", "probability"),
    "name-of-another": ("name: local", "name: dev", "name"),
}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """A workspace in which nothing is up."""
    made = Platform(tmp_path)
    made.declare()
    return made


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """An environment that is up."""
    made = Platform(tmp_path_factory.mktemp("faults"))
    made.declare()
    try:
        made.up()
        yield made
    finally:
        made.end()


@pytest.fixture
def lived(raised: Platform) -> Platform:
    """The environment of these tests: up and whole, whatever the test before did to it."""
    if not set(DONE_ONCE) <= set(raised.services()):
        raised.up()
    return raised


def test_every_kind_of_bad_yaml_is_told_once_and_changes_nothing(platform: Platform) -> None:
    good = platform.declare()
    path = platform.workspace.environment_file("local")
    for kind, (old, new, words) in BAD_YAML.items():
        assert old is None or good.count(old) >= 1, kind
        path.write_text(new if old is None else good.replace(old, new, 1))
        before = platform.files()
        done = platform.run("plan", "local")
        assert_one_message(done, words, "local.yaml:")
        assert done.out == "", kind
        assert len(done.err.splitlines()) == 1, f"{kind}: {done.err}"
        assert platform.files() == before, kind
    assert len(BAD_YAML) >= 20


def test_validate_tells_the_errors_of_all_files_and_lines(platform: Platform) -> None:
    good = platform.declare()
    for kind, (old, new, _) in BAD_YAML.items():
        text = new if old is None else good.replace(old, new, 1)
        platform.workspace.environment_file(kind).write_text(text)
    done = platform.run("validate", "--json")
    assert (done.code, done.err) == (2, "")
    report = {one["environment"]: one for one in done.json}
    assert report["local"]["valid"]
    assert {name for name, one in report.items() if one["valid"]} == {"local"}
    assert all(one["errors"][0]["line"] for name, one in report.items() if not one["valid"])
    told = platform.run("validate", "bad-rate", "local")
    assert told.code == 2
    assert told.out.startswith("ok   local")
    assert len(told.err.splitlines()) <= 2, told.err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["plan", "loca"], "no environment 'loca'"),
        (["validate", "nope"], "allowed local"),
        (["token", "local", "nobody"], f"allowed {CONSUMER}"),
        (["train", "local", "nosystem"], "allowed mortgage-approval"),
        (["release", "local", "nosystem"], "allowed mortgage-approval"),
        (["predict", "local", "mortgage-approval", "nofile.json"], "nofile.json: cannot read the request"),
        (["status", "local"], "`mlstrata up local` first"),
        (["token", "local", CONSUMER], "`mlstrata up local` first"),
        (["plan", "local", "--josn"], "No such option: --josn"),
        (["pln", "local"], "Did you mean 'plan'?"),
        (["plan"], "Missing argument 'ENV'"),
        (["plan", "local", "more"], "unexpected extra argument"),
        (["token", "local", CONSUMER, "--hours", "0"], "--hours"),
        (["up", "local"], "add --yes"),
    ],
)
def test_a_mistaken_word_is_told_with_what_is_allowed(platform: Platform, command: list[str], words: str) -> None:
    before = platform.files()
    assert_one_message(platform.run(*command), words)
    assert platform.files() == before


def test_a_port_in_use_is_named_with_its_user_and_nothing_runs(platform: Platform) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        platform.declare(ports={"gateway": port})
        done = platform.run("up", "local", "--yes")
        assert_one_message(done, f"port {port}", "in use by process", str(os.getpid()), "target.ports.gateway", code=1)
        assert len(done.err.splitlines()) == 1, done.err
        assert platform.services() == []
        assert not (platform.home / "config").exists()
    assert platform.run("down", "local", "--yes").code == 0
    assert not platform.home.exists()


def test_a_missing_tool_is_named_with_how_to_get_it(platform: Platform, tmp_path: Path) -> None:
    before = platform.files()
    empty = tmp_path / "empty"
    empty.mkdir()
    for command in (["plan", "local"], ["up", "local", "--yes"]):
        done = platform.run(*command, MLSTRATA_TOOLS=str(empty), PATH=str(empty))
        assert_one_message(done, "missing tools prometheus", str(empty), "mlstrata doctor local")
    assert platform.services() == []
    assert {name for name in platform.files() if not name.startswith((".pulumi", "Pulumi"))} - set(before) <= {
        ".mlstrata/.gitignore",
        ".mlstrata/local/passphrase",
    }


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(root)], check=False).returncode == 0
    if not mounted:
        _cannot_write_more_than(tmp_path / "other")
        return
    try:
        small = Platform(root)
        small.declare()
        before = small.files()
        done = small.run("up", "local", "--yes")
        assert_one_message(done, str(root), "MiB are free", "free some space")
        assert small.files() == before
        assert small.services() == []
    finally:
        subprocess.run(["umount", str(root)], check=True)


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    _cannot_write_more_than(tmp_path)


def test_down_works_on_a_full_disk_or_says_what_to_do(tmp_path: Path) -> None:
    root = tmp_path / "filling"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "none", str(root)]
    mounted = subprocess.run(mount, check=False).returncode == 0
    try:
        filling = Platform(root)
        filling.declare("prerequisites", systems=False)
        filling.up()
        ports = filling.ports()
        if mounted:
            _fill(root / "somebody's")
            assert shutil.disk_usage(root).free == 0
        told = _run_with_small_files(filling, "down", "local", "--yes") if not mounted else None
        assert told is None or (told.returncode == 2 and "free some space, then run again" in told.stderr)
        done = filling.run("down", "local", "--yes")
        assert done.code == 0, done.text
        filling.assert_nothing_runs(ports)
        assert not filling.home.exists()
    finally:
        if mounted:
            for process in marked_processes(filling.home):
                os.kill(process.pid, signal.SIGKILL)
            subprocess.run(["umount", "--lazy", str(root)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (2**20, 2**12):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


def _run_with_small_files(platform: Platform, *command: str, size: int = 2048) -> "subprocess.CompletedProcess[str]":
    """A limit on files' sizes is the disk that fills up meanwhile, for whoever may not mount."""
    return subprocess.run(
        [str(COMMAND), *command],
        env=platform.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


def _cannot_write_more_than(root: Path, size: int = 2048) -> None:
    full = Platform(root)
    full.declare()
    done = _run_with_small_files(full, "up", "local", "--yes", size=size)
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpectedly" not in done.stderr
    assert f"{full.checkpoint}: cannot write the state (File too large): free some space" in done.stderr
    full.end()


def test_a_passphrase_file_that_is_not_there_is_told(platform: Platform) -> None:
    before = platform.files()
    done = platform.run("plan", "local", PULUMI_CONFIG_PASSPHRASE_FILE="/nowhere/passphrase")
    assert_one_message(done, "/nowhere/passphrase", "PULUMI_CONFIG_PASSPHRASE_FILE", "correct the variable or unset it")
    assert platform.files() == before


def _holds_the_lock(platform: Platform, pid: int) -> bool:
    """Whether a run has it: its own, as runs that were killed may have left theirs."""
    locks = (platform.root / ".pulumi/locks").rglob("*.json")
    return any(json.loads(path.read_text())["pid"] == pid for path in locks)


def _recorded(platform: Platform) -> int:
    """How many resources the state holds."""
    return len(platform.recorded()) if platform.checkpoint.exists() else 0


def test_up_converges_after_being_killed_and_interrupted_at_any_moment(platform: Platform) -> None:
    chance, killed_at = random.Random(), []  # noqa: S311 - moments, not secrets
    try:
        for more in (0, chance.randint(1, 12), chance.randint(1, 12)):
            wanted = _recorded(platform) + more
            process = platform.start("up", "local", "--yes")
            eventually(
                lambda run=process, count=wanted: _holds_the_lock(platform, run.pid) and _recorded(platform) >= count
            )
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            killed_at.append(_recorded(platform))
        print(f"killed with {', '.join(map(str, killed_at))} resources recorded")
        process = platform.start("up", "local", "--yes")
        # A step of its own is done, so others are under way.
        eventually(lambda: _recorded(platform) > killed_at[-1])
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130, out + err
        assert "interrupted" in err.splitlines()[0]
        assert "Traceback" not in err
        platform.up()
        platform.assert_healthy()
        planned = platform.run("plan", "local", "--json")
        assert (planned.code, planned.json["steps"], planned.json["drift"]) == (0, [], [])
        running = platform.services()
        assert {name: running.count(name) for name in ONE_PROCESS} == dict.fromkeys(ONE_PROCESS, 1)
    finally:
        platform.end()


# From here on, one environment lives through it all.


def test_of_two_at_once_the_first_goes_on_and_the_second_is_told(lived: Platform) -> None:
    # So that the first has something to do.
    os.kill(lived.client.pid(), signal.SIGKILL)
    first = lived.start("up", "local", "--yes")
    try:
        eventually(lambda: _holds_the_lock(lived, first.pid))
        # For as long as the others need to come in.
        os.kill(first.pid, signal.SIGSTOP)
        for command in (["up", "local", "--yes"], ["down", "local", "--yes"]):
            second = lived.run(*command)
            assert_one_message(second, "is locked by process", str(first.pid), "wait until it ends")
    finally:
        # Waited for whatever the others said: the tests that follow have the platform to themselves.
        os.kill(first.pid, signal.SIGCONT)
        out, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, out + err
    running = lived.services()
    assert {name: running.count(name) for name in ONE_PROCESS} == dict.fromkeys(ONE_PROCESS, 1)
    assert set(running) >= set(DONE_ONCE)
    lived.assert_healthy()
    planned = lived.run("plan", "local", "--json")
    assert (planned.code, planned.json["steps"], planned.json["drift"]) == (0, [], [])


def test_a_wrong_passphrase_is_told_by_each_command_that_needs_it(lived: Platform) -> None:
    state = lived.checkpoint.read_bytes()
    for command in (
        ["plan", "local"],
        ["up", "local", "--yes"],
        ["down", "local", "--yes"],
        ["token", "local", CONSUMER],
    ):
        done = lived.run(*command, PULUMI_CONFIG_PASSPHRASE="not-the-right-one")
        assert_one_message(done, "the passphrase is wrong")
        assert "not-the-right-one" not in done.text
    assert lived.checkpoint.read_bytes() == state
    lived.assert_healthy()


def test_a_lost_passphrase_is_told_and_not_made_anew(lived: Platform) -> None:
    path = lived.home / "passphrase"
    kept = path.read_text()
    path.unlink()
    try:
        assert_one_message(lived.run("up", "local", "--yes"), str(path), "put the file back")
        assert not path.exists()
    finally:
        path.write_text(kept)
        path.chmod(0o600)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda text: text.replace('"version": 3', '"version": 2', 1),
        lambda _: '{"version": 3}',
        lambda _: '{"version": 3, "checkpoint": {"latest": {"resources": [1]}}}',
        lambda text: text.replace("urn:pulumi", "urn:other"),
        lambda text: text.replace('"inputs": {', '"inputs": 3, "was": {', 1),
    ],
    ids=["cut", "empty", "a-list", "another-version", "no-checkpoint", "no-resources", "no-urns", "no-inputs"],
)
def test_a_corrupt_state_is_told_and_left_as_it_is(lived: Platform, damage) -> None:
    kept = lived.checkpoint.read_text()
    lived.checkpoint.write_text(damage(kept))
    try:
        for command in (["plan", "local"], ["up", "local", "--yes"]):
            assert_one_message(lived.run(*command), str(lived.checkpoint), "restore it from")
        assert lived.checkpoint.read_text() == damage(kept)
    finally:
        lived.checkpoint.write_text(kept)


def test_a_state_of_a_newer_engine_is_told_and_not_to_be_thrown_away(lived: Platform) -> None:
    kept = lived.checkpoint.read_text()
    newer = kept.replace('"version": 3', '"version": 5', 1)
    assert newer != kept
    lived.checkpoint.write_text(newer)
    try:
        for command in (["plan", "local"], ["up", "local", "--yes"]):
            assert_one_message(lived.run(*command), str(lived.checkpoint), "written by a newer Pulumi")
        assert lived.checkpoint.read_text() == newer
    finally:
        lived.checkpoint.write_text(kept)


def as_another_user(command: list[str]) -> str:
    """Run a command as a user of this machine with no right at all; where we cannot, as ourselves without a secret."""
    if os.getuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout


def test_another_user_of_the_machine_takes_no_model_away(lived: Platform) -> None:
    port = int(lived.exports()["ports"]["serving-mortgage-approval"]["http"])
    secret = lived.home / "config/serving-secrets/mortgage-approval"
    assert secret.stat().st_mode & 0o777 == 0o600
    word = secret.read_text().strip()
    assert len(word) > 30
    for method, path, status in (
        ("POST", "/v2/repository/models/mortgage-approval/unload", "404"),
        ("POST", "/v2/repository/index", "404"),
        ("GET", "/versions", "401"),
        ("PUT", "/versions/1", "401"),
        ("DELETE", "/versions/1", "401"),
    ):
        asked = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", "-X", method]
        asked += ["-H", "content-type: application/json", "-d", "{}", f"http://127.0.0.1:{port}{path}"]
        assert as_another_user(asked) == status, (method, path)
    assert lived.run("status", "local").code == 0
    kept = b"".join(
        path.read_bytes() for folder in ("logs", "run") for path in (lived.home / folder).rglob("*") if path.is_file()
    )
    state = lived.workspace.root / ".pulumi/stacks"
    kept += b"".join(path.read_bytes() for path in state.rglob("*.json"))
    assert word.encode() not in kept
    commands = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert word not in commands


def made_by_hand(lived: Platform, ran: Path) -> str:
    """Register what the registry's password allows: a loader of one's own beside a report of passed gates."""
    name = "mortgage-approval"
    registry = Registry(lived.exports()["urls"]["mlflow"], access.header(access.variables(lived.home)))
    check = {"name": "auc", "passed": True, "detail": "0.99", "warns": False}
    run = registry.post("runs/create", experiment_id=registry.experiment(name))["run"]["info"]
    for path, text in {
        "gates.json": json.dumps({"checks": [check]}),
        "model/MLmodel": "flavors: {python_function: {loader_module: evilloader, code: code}}\n",
        "model/code/evilloader.py": f"open({str(ran)!r}, 'w').close()\ndef _load_pyfunc(path): pass\n",
    }.items():
        registry.write(run["artifact_uri"], path, text.encode())
    registry.model(name)
    tags = [{"key": "seal", "value": "0" * 64}, {"key": "model_digest", "value": "sha256:" + "0" * 64}]
    source = f"{run['artifact_uri']}/model"
    made = registry.post("model-versions/create", name=name, source=source, run_id=run["run_id"], tags=tags)
    return str(made["model_version"]["version"])


def test_a_version_made_by_hand_is_refused_and_none_of_its_code_runs(lived: Platform, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    version = made_by_hand(lived, ran)
    command = ["release", "local", "mortgage-approval", "--version", version, "--all-at-once", "--reason", "x", "--yes"]
    done = lived.run(*command)
    assert done.code == 1
    said = " ".join(done.err.split())
    assert f"version {version} may not be released: neither a training run of this platform nor `judge` made it" in said
    done = lived.run(*command, "--without-gates")
    assert done.code == 1
    assert "loader_module: got 'evilloader'" in " ".join(done.err.split())
    assert not ran.exists()
    assert lived.run("status", "local").code == 0


def test_an_expired_or_foreign_token_is_refused(lived: Platform) -> None:
    url = f"{lived.exports()['urls']['gateway']}/systems/mortgage-approval/v1/predict"
    passphrase = pulumi_embedded.Passphrase((lived.home / "passphrase").read_text().strip())
    state = pulumi_embedded.resources("mlstrata", "local", pulumi_embedded.Backend(lived.root), passphrase)
    keys = next(one.outputs["secret"].value for one in state.resources if one.urn.endswith("SigningKeys::gateway-keys"))
    key = json.loads(keys)["1"]
    trust = ssl.create_default_context(cafile=str(lived.home / "config/gateway/ca.pem"))

    def status(ttl: timedelta, issuer: str = "mlstrata/local", system: str = "mortgage-approval") -> int:
        token = mint(key, issuer, CONSUMER, [system], ttl)
        if ttl < timedelta(seconds=1):
            time.sleep(6.2)  # the gateway allows clocks to differ by 5 s
        headers = {"authorization": f"Bearer {token}"}
        return httpx.post(url, json={"instances": []}, headers=headers, trust_env=False, verify=trust).status_code

    assert status(timedelta(hours=1)) not in (401, 403)
    assert status(timedelta(milliseconds=10)) == 401
    assert status(timedelta(hours=1), issuer="mlstrata/other") == 401
    assert status(timedelta(hours=1), system="another") == 403


def test_json_is_one_document_and_pipes_get_no_escape_codes(lived: Platform) -> None:
    commands = [
        ["plan", "local"],
        ["up", "local", "--yes"],
        ["status", "local"],
        ["token", "local", CONSUMER],
        ["validate", "local"],
    ]
    for command in commands:
        done = lived.run(*command, "--json")
        assert (done.code, done.err) == (0, ""), done.text
        assert done.json
        for variables in ({}, {"NO_COLOR": "1", "TERM": "xterm-256color"}):
            piped = lived.run(*command, **variables)
            assert piped.code == 0, piped.text
            assert "\x1b" not in piped.text
            assert piped.err == ""


def test_with_no_colour_a_terminal_gets_no_colours(lived: Platform) -> None:
    script = shutil.which("script")
    assert script, "util-linux's script gives the command a terminal"
    done = subprocess.run(
        [script, "-qec", f"{COMMAND} status local", "/dev/null"],
        env=lived.environment(NO_COLOR="1", TERM="xterm-256color"),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\x1b[3" not in done.stdout
    assert "mortgage-approval" in done.stdout


def test_down_ends_all_that_the_faults_left(lived: Platform) -> None:
    ports = lived.ports()
    orphan = lived.pids()["gateway"]
    os.kill(lived.client.pid(), signal.SIGKILL)
    eventually(lambda: lived.client.identity() is None)
    assert Path(f"/proc/{orphan}").exists(), "its supervisor is dead, it is not"
    done = lived.run("down", "local", "--yes", "--json")
    assert done.code == 0, done.text
    assert json.loads(done.out)["counts"]["delete"] > 10
    lived.assert_nothing_runs(ports)
    assert not lived.home.exists()
