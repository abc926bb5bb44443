"""`import mlstrata` gives what its list says, and costs nothing until it is asked for."""

import subprocess
import sys

import pytest

import mlstrata


def test_every_public_name_is_there_and_no_other() -> None:
    for name in mlstrata.__all__:
        assert getattr(mlstrata, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Workspaces'"):
        _ = mlstrata.Workspaces


def test_the_import_alone_loads_nothing_of_ours() -> None:
    code = "import sys, mlstrata; print([name for name in sys.modules if name.startswith(('mlstrata.', 'pydantic'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
