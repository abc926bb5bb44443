"""Ctrl-C at any moment: an exit code and one line, never a traceback."""

import os
import signal
import subprocess
import sys
import threading

import pytest

import engine
from cli.interruption import FIRST, SECOND, Interruption

# As the installed command starts; `MOMENT` is the module at whose import somebody presses Ctrl-C.
SHIM = """
import os, signal, sys, time

class Pressing:
    def find_spec(self, name, path=None, target=None):
        if name == "{moment}":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)

sys.meta_path.insert(0, Pressing())
sys.argv = ["/somewhere/bin/mlstrata", *{arguments}]
from cli.main import run
run()
"""


@pytest.mark.parametrize(
    ("moment", "arguments", "said"),
    [
        ("cli.application", ["--version"], "interrupted; nothing was done"),
        ("typer", ["--version"], "interrupted; nothing was done"),
        ("cli.errors", ["--version"], "interrupted; nothing was done"),
        ("cli.validate", ["validate"], "interrupted; what was done is recorded"),
        ("environments", ["validate"], "interrupted; what was done is recorded"),
        # Asked for only once the command has ended in a mistake.
        ("rich.console", ["validate", "nowhere"], "interrupted"),
    ],
)
def test_ctrl_c_while_the_command_starts(tmp_path, moment, arguments, said):
    done = subprocess.run(
        [sys.executable, "-c", SHIM.format(moment=moment, arguments=arguments)],
        env=os.environ | {"MLSTRATA_WORKSPACE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 130, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_whoever_imports_it_keeps_their_own_way_to_be_interrupted():
    probe = "import signal, cli.main; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


SLOW = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Slow(ResourceProvider):
    serialize_as_secret_always = False
    def create(self, props):
        import time
        print("running", flush=True)
        time.sleep(1.5)
        return CreateResult("slow", {})

class Thing(Resource):
    def __init__(self, name, opts=None):
        super().__init__(Slow(), name, {}, opts)

first = Thing("first")
Thing("second", pulumi.ResourceOptions(depends_on=[first]))
"""


def test_the_first_ctrl_c_says_at_once_what_comes_of_it(tmp_path, capfd):
    (tmp_path / "program").mkdir()
    (tmp_path / "program/__main__.py").write_text(SLOW)
    cancel = Interruption()
    told = []

    def press(event):
        if isinstance(event, engine.StepStarted) and event.name == "first":
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            threading.Timer(0.7, lambda: told.append(capfd.readouterr().err)).start()

    program = engine.Program("unit", "test", tmp_path / "program")
    options = engine.Options(cancel=cancel, on_event=press, passphrase=engine.Passphrase("p"), preflight=False)
    with pytest.raises(engine.Cancelled):
        engine.up(program, engine.Backend(tmp_path), options)
    assert told == [f"{FIRST}\n"], "said while the step runs, not after it"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_says_that_it_stops(capfd):
    cancel = Interruption()
    assert [cancel.request() for _ in range(3)] == [1, 2, 3]
    assert capfd.readouterr().err == f"{FIRST}\n{SECOND}\n"
