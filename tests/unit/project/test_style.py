"""Each exception from a rule of style says why it is made, and data says nothing twice."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from mlstrata.environments.loading.document import parse, repetitions

ROOT = Path(__file__).parents[3]
DATA = [
    *(ROOT / "policies/fixtures").rglob("*.yaml"),
    ROOT / "components/upstream/bill.yaml",
    ROOT / "environments/assessment/questions.yaml",
    ROOT / "mlstrata/services/gateway/envoy.yaml",
]
"""What our code reads instead of having it."""
REASONED = re.compile(r"# (ruff: )?noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)* - \S")


def test_every_exception_names_its_rule_and_its_reason():
    command = ["git", "ls-files", "-co", "--exclude-standard", "*.py"]
    files = subprocess.check_output(command, cwd=ROOT, text=True).split()
    lines = {
        f"{name}:{number}": line
        for name in files
        if (ROOT / name).is_file() and ROOT / name != Path(__file__)
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if "noqa" in line
    }
    assert lines, "nothing was read"
    assert {place for place, line in lines.items() if not REASONED.search(line)} == set()


def test_every_rule_that_is_left_out_says_why():
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignored = text[text.index("\nignore = [") : text.index("\n]", text.index("\nignore = ["))].splitlines()[2:]
    assert sum(line.count('"') // 2 for line in ignored) == len(lint["ignore"])
    assert [line for line in ignored if "# " not in line] == []


@pytest.mark.parametrize("path", DATA, ids=lambda path: str(path.relative_to(ROOT)))
def test_data_says_nothing_twice(path: Path) -> None:
    """YAML takes the last of two equal keys and drops the first without a word."""
    document = parse(path.read_text(encoding="utf-8"))
    assert [finding.what for finding in repetitions(document)] == []
