"""What can go wrong: one clear message, nothing half done."""

import errno
import json
import os
import resource
import signal
import threading
import time

import pytest

import pulumi_embedded
from pulumi_embedded.lock import hold


def test_a_failing_step_lets_the_others_finish_and_is_made_good(stack):
    program = "Thing('slow', until='failed')\nThing('bad', bad={bad}, until='fine')\nThing('fine')"

    def mark(event: pulumi_embedded.Event) -> None:
        stack.events.append(event)
        if isinstance(event, pulumi_embedded.StepFailed):
            (stack.root / "failed").touch()
        elif isinstance(event, pulumi_embedded.StepFinished) and event.step.name == "fine":
            (stack.root / "fine").touch()

    with pytest.raises(pulumi_embedded.StepsFailed) as caught:
        stack.up(program.format(bad=True), on_event=mark)
    assert str(caught.value) == "bad: create failed: Refused: no room"
    assert {step.name for step in caught.value.result.steps} >= {"slow", "fine"}
    assert stack.state("slow").id == "slow-a"
    assert "pending_operations" not in stack.latest()
    assert [event.name for event in stack.events if isinstance(event, pulumi_embedded.StepFailed)] == ["bad"]
    assert stack.up(program.format(bad=False)).counts == {"create": 1, "same": 3}


def test_the_programs_exception_without_our_frames(stack):
    with pytest.raises(pulumi_embedded.ProgramFailed) as caught:
        stack.up("Thing('a')\n\ndef work():\n    return {}['missing']\n\nwork()")
    assert caught.value.location.endswith("__main__.py:7")
    assert str(caught.value) == f"{caught.value.location}: KeyError: 'missing'"
    assert stack.log() == []
    assert not stack.checkpoint.exists()


def test_an_exception_elsewhere_in_the_project_is_told_where_it_is(stack):
    (stack.root / "Pulumi.yaml").write_text("name: unit\nruntime: python\nmain: program\n")
    (stack.root / "beside.py").write_text("def build():\n    return 1 / 0\n")
    (stack.root / "program").mkdir()
    text = f"import sys\nsys.path.insert(0, {str(stack.root)!r})\nimport beside\nbeside.build()\n"
    (stack.root / "program/__main__.py").write_text(text)
    stack.program = pulumi_embedded.Program("unit", "test", stack.root / "program")
    with pytest.raises(pulumi_embedded.ProgramFailed) as caught:
        stack.up()
    assert caught.value.location == f"{stack.root / 'beside.py'}:2"


def test_a_program_that_fails_midway_deletes_nothing(stack):
    stack.up("Thing('a')\nThing('b')")
    stack.log()
    with pytest.raises(pulumi_embedded.ProgramFailed):
        stack.up("Thing('a')\nraise ValueError('stop')\nThing('b')", preflight=False)
    assert stack.log() == []
    assert stack.state("b").id == "b-a"


def test_a_syntax_error_names_the_line(stack):
    with pytest.raises(pulumi_embedded.ProgramFailed, match=r"__main__.py:5: SyntaxError"):
        stack.preview("x = 1\nthis is no python")


def test_no_program_there(stack, tmp_path):
    with pytest.raises(pulumi_embedded.EngineError, match="there is no program here"):
        pulumi_embedded.preview(pulumi_embedded.Program("unit", "test", tmp_path / "nowhere"), stack.backend)


def test_an_exception_in_apply_is_the_programs(stack):
    with pytest.raises(pulumi_embedded.ProgramFailed, match="ZeroDivisionError"):
        stack.up("Thing('a').made.apply(lambda made: 1 / 0)", preflight=False)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[:200], "not JSON"),
        (lambda text: text.replace('"version": 3', '"version": 2', 1), "version is 2"),
        (lambda text: text.replace('"magic": ""', '"magic": "ff"'), "magic does not match"),
        (lambda text: text.replace('"custom": true, "id": "a-a"', '"custom": true'), "has no id"),
        (
            lambda text: text.replace("pulumi:pulumi:Stack::unit-test", "pulumi:pulumi:Stack::other", 1),
            "before its parent",
        ),
        (lambda text: text.replace('"type": "passphrase"', '"type": "awskms"'), "'awskms'"),
        (lambda text: text.replace('"urn": ', '"unr": '), "not a checkpoint"),
        (
            lambda text: text.replace('"inputs": {', '"inputs": 3, "was": {', 1),
            r"resources\[\d+\]\.inputs: got 3; allowed",
        ),
        (lambda text: text.replace('"parent": "', '"parent": 1, "was": "', 1), r"\.parent: got 1; allowed text"),
        (lambda text: text.replace('"dependencies": [', '"dependencies": 7, "was": [', 1), "allowed a list of texts"),
        (lambda text: text.replace('"metadata": {}', '"metadata": 5'), "metadata: got 5; allowed an object"),
        (lambda text: text.replace('"ciphertext": "v1:', '"ciphertext": "v1:AAAA'), "cannot be decrypted"),
    ],
)
def test_a_corrupt_checkpoint_is_refused(stack, damage, said):
    stack.up("a = Thing('a', key=pulumi.Output.secret('s'))\nThing('b', opts=pulumi.ResourceOptions(depends_on=[a]))")
    stack.log()
    damaged = damage(stack.checkpoint.read_text())
    assert damaged != stack.checkpoint.read_text()
    stack.checkpoint.write_text(damaged)
    for operation in ("preview", "up", "refresh", "destroy"):
        with pytest.raises(pulumi_embedded.CorruptCheckpoint, match=said) as caught:
            stack.run(operation)
        assert str(stack.checkpoint) in str(caught.value)
    assert stack.checkpoint.read_text() == damaged
    assert stack.log() == []


def test_the_backup_is_the_state_before_the_run(stack):
    stack.up("Thing('a')")
    before = stack.checkpoint.read_text()
    stack.up("Thing('b')")
    assert stack.checkpoint.with_name("test.json.bak").read_text() == before


def test_two_at_once(stack):
    stack.write("Thing('a', until='free')")
    first: list[pulumi_embedded.Result] = []
    thread = threading.Thread(target=lambda: first.append(stack.up()))
    thread.start()
    locks = stack.backend.locks("unit", "test")
    while not list(locks.glob("*.json")):
        time.sleep(0.01)
    with pytest.raises(pulumi_embedded.StackLocked) as caught, hold(stack.backend, "unit", "test"):
        pass
    (stack.root / "free").touch()
    thread.join()
    assert caught.value.pid == os.getpid()
    assert "wait until it ends" in str(caught.value)
    assert first[0].counts["create"] == 2
    assert list(locks.glob("*.json")) == []


def test_a_full_disk_stops_before_the_next_step(stack, monkeypatch):
    stack.up("Thing('a')")
    stack.log()
    before = stack.checkpoint.read_text()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, hard))
    try:
        with pytest.raises(pulumi_embedded.DiskFull, match="free some space") as caught:
            stack.up("Thing('a')\nThing('b', blob='x' * 20_000)")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.error.errno == errno.EFBIG
    assert stack.log() == []
    assert stack.checkpoint.read_text() == before
    assert not list(stack.checkpoint.parent.glob(".*.tmp"))
    assert stack.up().counts == {"same": 2, "create": 1}


def test_a_disk_that_fills_during_a_step_leaves_it_pending(stack, monkeypatch):
    stack.up("Thing('a')")
    write = stack.backend.write

    def filling(project, name, text):
        if '"creating"' not in text and "::b" in text:
            raise pulumi_embedded.DiskFull(stack.checkpoint, OSError(errno.ENOSPC, "No space left on device"))
        write(project, name, text)

    monkeypatch.setattr(stack.backend, "write", filling)
    with pytest.raises(pulumi_embedded.DiskFull):
        stack.up("Thing('a')\nThing('b')")
    monkeypatch.undo()
    assert [op["type"] for op in stack.latest()["pending_operations"]] == ["creating"]
    assert stack.up().counts == {"same": 2, "create": 1}
    assert "pending_operations" not in stack.latest()


def test_no_passphrase_is_needed_without_secrets(stack):
    stack.up("Thing('a')", passphrase=None)
    assert "secrets_providers" not in stack.latest()
    with pytest.raises(pulumi_embedded.WrongPassphrase, match="PULUMI_CONFIG_PASSPHRASE"):
        stack.up("Thing('a', key=pulumi.Output.secret('s'))", passphrase=None)


@pytest.mark.parametrize("how", ["variable", "file", "missing file"])
def test_the_passphrase_comes_from_where_the_cli_takes_it(stack, monkeypatch, tmp_path, how):
    file = tmp_path / "passphrase"
    file.write_text("from the environment\n")
    if how == "variable":
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "from the environment")
    else:
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(file if how == "file" else tmp_path / "none"))
    if how == "missing file":
        with pytest.raises(pulumi_embedded.WrongPassphrase, match="cannot be read"):
            stack.up("", passphrase=None)
        return
    stack.up("pulumi.export('key', pulumi.Output.secret('s'))", passphrase=None)
    found = pulumi_embedded.outputs("unit", "test", stack.backend, pulumi_embedded.Passphrase("from the environment"))
    assert found["key"].value == "s"


def interrupt(stack, number: signal.Signals, times: int) -> pulumi_embedded.Cancellation:
    """Send this process a signal when a create has begun, again when the run has heard it, then let the create end.

    It comes to a thread that is not the main one, as the kernel may choose.
    """
    cancel = pulumi_embedded.Cancellation()

    def send() -> None:
        while not (stack.root / "log").exists():
            time.sleep(0.01)
        for _ in range(times):
            signal.pthread_kill(threading.get_ident(), number)
            cancel.event.wait()
        if times == 1:
            (stack.root / "free").touch()

    threading.Thread(target=send, daemon=True).start()
    return cancel


def test_an_interrupted_run_finishes_what_runs_and_goes_on_next_time(stack):
    before = signal.getsignal(signal.SIGINT)
    stack.write("a = Thing('a', until='free')\nThing('b', opts=O(depends_on=[a]))")
    with pytest.raises(pulumi_embedded.Cancelled, match="running steps were finished"):
        stack.up(preflight=False, cancel=interrupt(stack, signal.SIGINT, times=1))
    assert stack.log() == ["create a a 1.0"]
    assert stack.state("a").id == "a-a"
    assert signal.getsignal(signal.SIGINT) is before
    assert stack.up().counts == {"same": 2, "create": 1}


def test_a_second_interrupt_stops_at_once_and_leaves_it_pending(stack):
    stack.write("Thing('a', until='free')")
    with pytest.raises(pulumi_embedded.Cancelled, match="recorded as pending"):
        stack.up(cancel=interrupt(stack, signal.SIGTERM, times=2))
    assert [op["type"] for op in stack.latest()["pending_operations"]] == ["creating"]
    assert stack.up("Thing('a')").counts == {"same": 1, "create": 1}
    assert "pending_operations" not in stack.latest()


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(stack):
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stack.up("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nThing('a')")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)
    assert stack.log() == ["create a a 1.0"]


def test_an_update_cut_short_is_done_again(stack):
    stack.up("Thing('a', size=1)")
    raw = json.loads(stack.checkpoint.read_text())
    latest = raw["checkpoint"]["latest"]
    thing = next(row for row in latest["resources"] if row["urn"].endswith("::a"))
    latest["pending_operations"] = [
        {"resource": {**thing, "inputs": {**thing["inputs"], "size": 9}}, "type": "updating"}
    ]
    stack.checkpoint.write_text(json.dumps(raw))
    stack.log()
    assert stack.up().counts == {"same": 1, "update": 1}
    assert stack.log() == ["update a-a"]
    assert stack.up().changes == 0


@pytest.mark.parametrize("gone", [True, False])
def test_a_delete_cut_short_of_what_is_wanted_again(stack, gone):
    stack.up("Thing('a', size=1)")
    raw = json.loads(stack.checkpoint.read_text())
    latest = raw["checkpoint"]["latest"]
    thing = next(row for row in latest["resources"] if row["urn"].endswith("::a"))
    latest["pending_operations"] = [{"resource": thing, "type": "deleting"}]
    stack.checkpoint.write_text(json.dumps(raw))
    stack.log()
    if gone:
        (stack.root / "gone").write_text("a-a")
    assert stack.up().counts == {"same": 1, "create" if gone else "update": 1}
    assert stack.log() == ["create a a 1.0" if gone else "update a-a"]
    (stack.root / "gone").unlink(missing_ok=True)
    assert stack.up().changes == 0


def test_settings_that_are_not_yaml(stack):
    stack.up("Thing('a')")
    (stack.root / "Pulumi.test.yaml").write_text("config: [")
    with pytest.raises(pulumi_embedded.EngineError, match=r"Pulumi\.test\.yaml: cannot be read"):
        stack.up()
