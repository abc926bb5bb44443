"""Which version of the code a service runs: what it is told apart by, and what not."""

import pytest

from mlstrata.components import code_version as subject
from mlstrata.environments.installation import interpreter, programs_folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    for name, text in {
        "locks/services.txt": "mlflow==1",
        "locks/lint.txt": "ruff==1",
        "services/runner/job.py": "one = 1",
        "services/catalog/templates/base.html": "<p>",
        "environments/local.yaml": "name: local",
        "pipelines/training.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(subject, "room", lambda name: tmp_path / name)
    return tmp_path


def versions():
    """Of an installed package's program, a compiled one, a module of ours, and a program of the machine."""
    subject.digest.cache_clear()  # another process would look anew
    programs = programs_folder()
    return [
        subject.version(str(one)) for one in (programs / "mlserver", programs / "envoy", interpreter(), "/bin/true")
    ]


@pytest.mark.parametrize(
    ("file", "text", "changed"),
    [
        ("services/runner/job.py", "one = 2", [True, False, True, False]),
        ("services/runner/new.py", "", [True, False, True, False]),
        ("services/catalog/templates/base.html", "<b>", [True, False, True, False]),
        ("pipelines/training.py", "one = 1", [True, False, True, False]),
        ("locks/services.txt", "mlflow==2", [True, True, True, False]),
        ("locks/lint.txt", "ruff==2", [False] * 4),
        ("services/runner/__pycache__/job.pyc", "compiled", [False] * 4),
        ("environments/local.yaml", "name: other", [False] * 4),
        ("services/runner/job.py", "one = 1", [False] * 4),
    ],
)
def test_what_makes_another_version(installed, file, text, changed):
    before = versions()
    (installed / file).parent.mkdir(exist_ok=True)
    (installed / file).write_text(text)
    after = versions()
    assert [one != other for one, other in zip(before, after, strict=True)] == changed
    assert after[3] == ""
    assert after[0] == after[2] != after[1]


def test_where_it_lies_is_no_part_of_it(installed, tmp_path_factory, monkeypatch):
    moved = tmp_path_factory.mktemp("elsewhere") / "installed"
    before = versions()
    installed.rename(moved)
    monkeypatch.setattr(subject, "room", lambda name: moved / name)
    assert versions() == before
