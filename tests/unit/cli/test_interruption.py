"""Ctrl-C at any moment: an exit code and one line, never a traceback."""

import os
import signal
import subprocess
import sys

import pytest

from mlstrata.operations.interruption import FIRST, SECOND, Interruption
from tests.support.patience import PATIENCE

# A process that was started with SIGINT ignored, as by nohup, hands that on to its children.
HEARD = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "

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
from mlstrata.cli.main import run
run()
"""


@pytest.mark.parametrize(
    ("moment", "arguments", "said"),
    [
        ("mlstrata.cli.application", ["--version"], "interrupted; nothing was done"),
        ("typer", ["--version"], "interrupted; nothing was done"),
        ("mlstrata.cli.errors", ["--version"], "interrupted; nothing was done"),
        ("mlstrata.cli.validate", ["validate"], "interrupted; completed steps are recorded"),
        ("mlstrata.environments", ["validate"], "interrupted; completed steps are recorded"),
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
    )
    assert done.returncode == 130, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


# The thread sleeps below a frame of compiled Rust; the sleep is over while the interpreter would be tearing down.
ENDING = """
import atexit, sys, threading, time
import mlstrata.cli.application

inside = threading.Event()

def below(_value):
    inside.set()
    time.sleep(0.3)

def background():
    from pydantic import TypeAdapter, BeforeValidator
    from typing import Annotated, Any
    TypeAdapter(Annotated[Any, BeforeValidator(below)]).validate_python(1)

def app(**_):
    threading.Thread(target=background, daemon=True).start()
    inside.wait()
    print("done")
    atexit.register(lambda: print("put away"))
    {ending}

mlstrata.cli.application.app = app
sys.argv = ["mlstrata"]
import mlstrata.cli.main

class Slow:
    # Kept by a module, so collected only once threads can no longer run.
    def __del__(self):
        time.sleep(0.6)

mlstrata.cli.application.kept = Slow()
mlstrata.cli.main.run()
"""


@pytest.mark.parametrize(("ending", "code"), [("return 0", 0), ("return 2", 2), ("raise OverflowError", 1)])
def test_a_thread_inside_compiled_code_does_not_abort_the_command_that_ends(ending, code):
    done = subprocess.run(
        [sys.executable, "-c", ENDING.format(ending=ending)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (code, "done\nput away\n"), done.stderr
    assert "FATAL" not in done.stderr


def test_started_to_ignore_interruptions_it_goes_on(tmp_path):
    shim = SHIM.format(moment="typer", arguments=["--version"])
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{shim}"
    done = subprocess.run([sys.executable, "-c", ignoring], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_whoever_imports_it_keeps_their_own_way_to_be_interrupted():
    probe = f"{HEARD}import mlstrata.cli.main; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


SLOW = """
import pathlib
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Slow(ResourceProvider):
    serialize_as_secret_always = False
    def create(self, props):
        import time
        while not pathlib.Path(__file__).with_name("heard").exists():
            time.sleep(0.01)
        return CreateResult("slow", {})

class Thing(Resource):
    def __init__(self, name, opts=None):
        super().__init__(Slow(), name, {}, opts)

first = Thing("first")
Thing("second", pulumi.ResourceOptions(depends_on=[first]))
"""


UP = """
import sys
from pathlib import Path
import pulumi_embedded as engine
from mlstrata.operations.interruption import Interruption

def tell(event):
    if isinstance(event, engine.StepStarted) and event.name == "first":
        print("running", file=sys.__stdout__, flush=True)

root = Path(sys.argv[1])
options = engine.Options(cancel=Interruption(), on_event=tell, passphrase=engine.Passphrase("p"), preflight=False)
try:
    engine.up(engine.Program("unit", "test", root / "program"), engine.Backend(root), options)
except engine.Cancelled:
    print("cancelled", file=sys.__stdout__)
"""


def test_the_first_ctrl_c_says_at_once_what_comes_of_it(tmp_path):
    (tmp_path / "program").mkdir()
    (tmp_path / "program/__main__.py").write_text(SLOW)
    up = subprocess.Popen(
        [sys.executable, "-c", HEARD + UP, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert up.stdout.readline() == "running\n"
        up.send_signal(signal.SIGINT)
        assert up.stderr.readline() == f"{FIRST}\n"
        # Said while the step runs, not after it: it ends with this file.
        (tmp_path / "program/heard").touch()
        rest, errors = up.communicate(timeout=PATIENCE)
    finally:
        up.kill()
    assert (rest, errors) == ("cancelled\n", "")


def test_the_second_says_that_it_stops(capfd):
    cancel = Interruption()
    assert [cancel.request() for _ in range(3)] == [1, 2, 3]
    assert capfd.readouterr().err == f"{FIRST}\n{SECOND}\n"
