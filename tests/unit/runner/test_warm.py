"""Steps as forks of a process that has their imports: still processes of their own, with their own world."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout

import pytest

from tests.support.patience import eventually

SCRIPT = (
    'program_path=$(mktemp -d)\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n_KFP_RUNTIME=true '
    f'{sys.executable} -m kfp.dsl.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@"'
)
SOURCE = """
import json, os, sys, tempfile, threading
def told(path: str) -> str:
    found = {"pid": os.getpid(), "parent": os.getppid(), "mark": os.environ.get("MARK"), "own": os.environ.get("OWN"),
             "pandas": "pandas" in sys.modules, "threads": threading.active_count(), "folder": tempfile.gettempdir(),
             "left": getattr(sys, "left", None)}
    sys.left = "by the step before"
    os.environ["OWN"] = "by the step before"
    with open(path, "w") as file:
        json.dump(found, file)
    print("on standard output")
    print("on standard error", file=sys.stderr, flush=True)
    os.write(1, b"past Python\\n")
    return "x"
def wrong(path: str) -> str:
    raise ValueError("of its own")
def killed(path: str) -> str:
    os.kill(os.getpid(), 9)
def told_to_stop(path: str) -> str:
    sys.exit(3)
"""


def command(folder, function, *, script=SCRIPT):
    wanted = {
        "inputs": {"parameterValues": {"path": str(folder / "told.json")}},
        "outputs": {"parameters": {"Output": {"outputFile": str(folder / "out/x")}}, "outputFile": str(folder / "o")},
    }
    return ["sh", "-ec", script, SOURCE, "--executor_input", json.dumps(wanted), "--function_to_execute", function]


@pytest.fixture(scope="module")
def run():
    """Run a step through kfp's own function, as kfp.local does; gives exit code, what it told and what it printed."""
    from kfp.local import subprocess_task_handler as handler

    from mlstrata.services.runner import warm

    before = handler.run_local_subprocess
    with warm.warmed(at_once=True):

        def once(folder, function, **more):
            with redirect_stdout(io.StringIO()) as printed:
                code = handler.run_local_subprocess(
                    full_command=command(folder, function, **more), env_vars={"MARK": "a"}
                )
            path = folder / "told.json"
            return code, json.loads(path.read_text()) if path.exists() else None, printed.getvalue()

        yield once
    assert handler.run_local_subprocess is before


def test_a_step_is_a_process_of_its_own(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SINCE", "set after the imports began")
    found = [run(tmp_path, "told") for _ in range(2)]
    assert [code for code, _, _ in found] == [0, 0]
    (first, second) = (told for _, told, _ in found)
    assert first["pid"] != second["pid"]
    assert os.getpid() not in {first["pid"], first["parent"]}
    assert (first["pandas"], first["threads"], first["mark"]) == (True, 1, "a")
    # What a step leaves behind in its process ends with it.
    assert (second["left"], second["own"]) == (None, None)
    assert json.loads((tmp_path / "o").read_text())["parameterValues"] == {"Output": "x"}


def test_all_that_it_prints_arrives(run, tmp_path):
    _, _, printed = run(tmp_path, "told")
    for line in ("on standard output", "on standard error", "past Python"):
        assert line in printed


def test_its_environment_is_that_of_now(run, tmp_path, monkeypatch):
    monkeypatch.setenv("OWN", "of now")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    told = run(tmp_path, "told")[1]
    assert (told["own"], told["folder"]) == ("of now", str(tmp_path))
    assert not list(tmp_path.glob("tmp*")), "its source went with it"


@pytest.mark.parametrize(("function", "code"), [("wrong", 1), ("killed", -9), ("told_to_stop", 3)])
def test_one_that_fails_is_a_failure(run, tmp_path, function, code):
    ended, _, printed = run(tmp_path, function)
    assert ended == code
    assert ("ValueError: of its own" in printed) == (function == "wrong")


def test_what_is_no_python_function_runs_as_it_is(run, tmp_path):
    code, told, printed = run(tmp_path, "told", script='echo "a container of its own: $2"')
    assert (code, told) == (0, None)
    assert printed.startswith("a container of its own: {")


def test_once_that_process_is_gone_steps_run_as_before(run, tmp_path):
    from kfp.local import subprocess_task_handler as handler

    from mlstrata.services.runner import warm

    outer, killed = run(tmp_path, "told")[1]["parent"], None
    with warm.warmed():

        def parent():
            with redirect_stdout(io.StringIO()) as printed:
                assert handler.run_local_subprocess(full_command=command(tmp_path, "told")) == 0
            assert "on standard output" in printed.getvalue()
            return json.loads((tmp_path / "told.json").read_text())["parent"]

        def is_another() -> bool:
            nonlocal killed
            killed = parent()
            return killed != outer

        eventually(is_another)
        os.kill(killed, 9)
        # What runs them before `warmed` is that of the other tests.
        assert parent() == outer


def test_the_sdk_is_imported_without_its_client_which_can_be_had_later():
    code = (
        "from mlstrata.kubeflow_sdk import import_sdk; import_sdk(); import sys\n"
        "from kfp import compiler, components, dsl, local\n"
        "assert not {'kubernetes', 'kfp_server_api', 'kfp.client'} & set(sys.modules)\n"
        "from kfp.client import Client\n"
        "assert Client.__module__.startswith('kfp.client')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
