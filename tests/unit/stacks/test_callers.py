"""What an environment declares does not depend on how the interpreter was called, or from where.

The command runs `.venv/bin/python`, the Pulumi CLI whichever `python3` is first on PATH, in the program's folder: a
difference in one input is a restart of a service that nobody asked for.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlstrata.environments import Workspace

ROOT = Path(__file__).parents[3]
BIN = Path(sys.prefix) / "bin"
DECLARED = """
import json, sys
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import planned

found = {one.urn: one.inputs for one in planned(Deployment.open("local")).graph}
assert len(found) > 50, len(found)
json.dump(found, sys.stdout, sort_keys=True, default=repr)
"""


def declared(*command: str | Path, cwd: Path = ROOT, **variables: str) -> dict[str, object]:
    """Return each resource's inputs as this interpreter, called like this, declares them."""
    kept = {
        name: os.environ[name] for name in ("HOME", "PATH", "MLSTRATA_TOOLS", "XDG_CACHE_HOME") if name in os.environ
    }
    done = subprocess.run(
        [*command, "-c", DECLARED], cwd=cwd, env={**kept, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def by_the_command() -> dict[str, object]:
    """What the command declares."""
    return declared(BIN / "python")


def test_called_as_the_pulumi_cli_calls_it(by_the_command):
    """As `python3` of PATH, in the program's folder, without buffering and with the workspace in a variable."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    found = declared("python3", "-u", cwd=ROOT / "stacks", PATH=path, MLSTRATA_WORKSPACE=str(ROOT))
    assert found == by_the_command


def test_called_through_links(by_the_command, tmp_path):
    """A link to the environment, and one to the workspace."""
    (tmp_path / "environment").symlink_to(sys.prefix)
    (tmp_path / "workspace").symlink_to(ROOT)
    assert declared(tmp_path / "environment/bin/python3", cwd=tmp_path / "workspace") == by_the_command


def test_called_from_another_folder(by_the_command, tmp_path):
    relative = os.path.relpath(ROOT, tmp_path)
    path = f"{os.path.relpath(BIN, tmp_path)}{os.pathsep}{os.environ['PATH']}"
    assert declared("python", cwd=tmp_path, PATH=path, MLSTRATA_WORKSPACE=relative) == by_the_command


def test_a_program_found_by_a_relative_path_is_declared_whole(tmp_path):
    """The service starts in a folder of its own."""
    from mlstrata.components.programs import find

    before = Path.cwd(), os.environ["PATH"], os.environ.get("MLSTRATA_TOOLS")
    program = tmp_path / "tools/prometheus"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    try:
        os.chdir(tmp_path)
        os.environ.update(PATH="tools", MLSTRATA_TOOLS=str(tmp_path / "none"))
        assert find(["prometheus"])["prometheus"] == program
    finally:
        os.chdir(before[0])
        os.environ["PATH"] = before[1]
        os.environ.pop("MLSTRATA_TOOLS")
        if before[2] is not None:
            os.environ["MLSTRATA_TOOLS"] = before[2]


def test_the_socket_lies_in_one_place_whatever_the_temporary_folder(monkeypatch, tmp_path):
    home = tmp_path / ("a" * 100)
    (home / "environments").mkdir(parents=True)
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / name))
        found.append(Workspace(home).socket("local"))
    found[0].parent.rmdir()
    assert found[0] == found[1]
