"""Which version of the code a service runs: what it is told apart by, and what not."""

import sys

import pytest

from mlstrata.components import code_version as subject
from mlstrata.components.code_version import version


@pytest.fixture
def checkout(tmp_path):
    for name, text in {
        "locks/runtime.txt": "mlflow==1",
        "locks/program.txt": "pulumi==1",
        "services/runner/job.py": "one = 1",
        "services/catalog/templates/base.html": "<p>",
        "environments/local.yaml": "name: local",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def versions(checkout):
    """Of an installed package's program, a compiled one, a module of ours, and a program of the machine."""
    subject._digest.cache_clear()  # another process would look anew
    programs = checkout / ".venv/bin"
    return [
        version(one, checkout) for one in (f"{programs}/mlserver", f"{programs}/envoy", sys.executable, "/bin/true")
    ]


@pytest.mark.parametrize(
    ("file", "text", "changed"),
    [
        ("services/runner/job.py", "one = 2", [True, False, True, False]),
        ("services/runner/new.py", "", [True, False, True, False]),
        ("services/catalog/templates/base.html", "<b>", [True, False, True, False]),
        ("locks/runtime.txt", "mlflow==2", [True, True, False, False]),
        ("locks/program.txt", "pulumi==2", [False, False, True, False]),
        ("services/runner/__pycache__/job.pyc", "compiled", [False] * 4),
        ("environments/local.yaml", "name: other", [False] * 4),
        ("services/runner/job.py", "one = 1", [False] * 4),
    ],
)
def test_what_makes_another_version(checkout, file, text, changed):
    before = versions(checkout)
    (checkout / file).parent.mkdir(exist_ok=True)
    (checkout / file).write_text(text)
    after = versions(checkout)
    assert [one != other for one, other in zip(before, after, strict=True)] == changed
    assert after[3] == ""
    assert len(set(after[:3])) == 3


def test_where_it_lies_is_no_part_of_it(checkout, tmp_path_factory):
    moved = tmp_path_factory.mktemp("elsewhere") / "checkout"
    before = versions(checkout)
    checkout.rename(moved)
    assert versions(moved) == before
