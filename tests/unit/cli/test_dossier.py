"""`mlstrata dossier` where nothing runs yet: what is written, what lacks, exit codes, and what it leaves alone."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from mlstrata.cli.main import main
from mlstrata.operations.dossier.model import _fields
from tests.support.command import copy_exemptions

ROOT = Path(__file__).parents[3]
SYSTEM = "mortgage-approval"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    (root / "environments").mkdir()
    text = (ROOT / "environments/local.yaml").read_text()
    declared = "    oversight: {owner: lending@example.com, kill_switch: true}"
    assert text.count(declared) == 1
    documents = "{risk_register: docs/risk.md, fria: docs/gone.md, instructions: https://example.com/ifu}"
    text = text.replace(declared, f"{declared}\n    documents: {documents}")
    (root / "environments/local.yaml").write_text(text)
    (root / "docs").mkdir()
    risk = "# Risks\nReviewed: 2026-10-01\nPeople may be refused wrongly, which is a risk.\n"
    (root / "docs/risk.md").write_text(f"{risk}\nMeasure: a person reads each refusal.\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLSTRATA_WORKSPACE", str(root))
        patched.delenv("SOURCE_DATE_EPOCH", raising=False)
        yield root


def dossier(folder: Path, *more: str) -> int:
    return main(["dossier", "local", SYSTEM, "-o", str(folder), *more])


def hashes(folder: Path) -> dict[str, str]:
    files = [one for one in sorted(folder.rglob("*")) if one.is_file()]
    return {str(one.relative_to(folder)): hashlib.sha256(one.read_bytes()).hexdigest() for one in files}


def test_it_never_calls_itself_complete_and_says_what_lacks(workspace, tmp_path, capsys):
    assert dossier(tmp_path / "a", "--json", "--require-complete") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["complete"] is False
    assert said["missing"]["technical-documentation"]["8. EU declaration of conformity"]
    assert any(one.startswith("the registry: ") for one in said["unreadable"])
    page = (tmp_path / "a/technical-documentation.html").read_text()
    assert "DRAFT - incomplete" in page
    assert hashlib.sha256((workspace / "docs/risk.md").read_bytes()).hexdigest() in page
    assert "docs/gone.md does not exist" in page
    assert "aia-system-declared" in page, "what the policies find on the planned resources is in it"
    assert dossier(tmp_path / "a") == 0, "a draft is no failure unless one asks for a complete one"
    assert "DRAFT - incomplete" in capsys.readouterr().out


@pytest.mark.usefixtures("workspace")
def test_two_runs_write_the_same_bytes_and_another_day_does_not(tmp_path, monkeypatch):
    assert dossier(tmp_path / "a") == 0
    assert dossier(tmp_path / "b") == 0
    first = hashes(tmp_path / "a")
    assert len(first) > 12
    assert first == hashes(tmp_path / "b")
    assert "as of 2026-10-01" in (tmp_path / "a/index.html").read_text(), "the day of the newest fact"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1830000000")
    assert dossier(tmp_path / "b") == 0
    assert "as of 2027-12-28" in (tmp_path / "b/index.html").read_text()


def test_the_same_facts_elsewhere_give_the_same_bytes(workspace, tmp_path, monkeypatch):
    """What cannot be read is told without the folders of this machine."""
    for name in ("a", "b"):
        root = tmp_path / name
        (root / "environments").mkdir(parents=True)
        shutil.copytree(ROOT / "environments/substrates", root / "environments/substrates")
        shutil.copy(ROOT / "environments/prod.yaml", root / "environments")
        copy_exemptions(root)
        monkeypatch.setenv("MLSTRATA_WORKSPACE", str(root))
        monkeypatch.chdir(root if name == "a" else workspace)
        assert main(["dossier", "prod", SYSTEM, "-o", str(tmp_path / f"of-{name}"), "--as-of", "2026-11-21"]) == 0
    assert hashes(tmp_path / "of-a") == hashes(tmp_path / "of-b")
    page = (tmp_path / "of-a/technical-documentation.html").read_text()
    assert "environments/prod.yaml: target.kind" in page
    assert "exempt until 2027-05-31 (dossier, approved by platform@example.com)" in page


def test_questions_are_written_once_and_an_answer_counts_in_the_next_dossier(workspace, tmp_path, capsys):
    folder = workspace / "answers" / SYSTEM
    try:
        assert main(["dossier", "local", SYSTEM, "--questions", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["answered"] == []
        assert sorted(said["written"]) == sorted(one.stem for one in folder.glob("*.md"))
        text = (folder / "provider.identity.md").read_text()
        assert "Annex IV 1(a)" in text
        assert "declared: Purpose" in text, "what the platform knows stands beside the question"
        for key, value in (("author", "Ana Gil"), ("role", "lead"), ("date", "2026-11-01"),
                           ("approved_by", "Ben Ohm"), ("approved_on", "2026-11-02")):  # fmt: skip
            text = "\n".join(f"{key}: {value}" if line.startswith(f"{key}:") else line for line in text.splitlines())
        answer = f"{text}\nAcme Lending, 1 Main Street, 1010 Vienna; call the switchboard.\n"
        (folder / "provider.identity.md").write_text(answer)
        assert main(["dossier", "local", SYSTEM, "--questions", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["written"], said["answered"]) == ([], ["provider.identity"])
        assert said["refused"]["annex-iv.4.metrics"] == ["nobody has filled it in"]
        assert (folder / "provider.identity.md").read_text() == answer
        assert dossier(tmp_path / "a") == 0
        page = (tmp_path / "a/technical-documentation.html").read_text()
        assert "Acme Lending, 1 Main Street" in page
        assert "as Ana Gil (lead) says on 2026-11-01, approved by Ben Ohm on 2026-11-02" in page
        assert "as of 2026-11-01" in page
    finally:
        shutil.rmtree(workspace / "answers", ignore_errors=True)


@pytest.mark.usefixtures("workspace")
def test_the_differences_from_an_earlier_dossier_are_a_document(tmp_path, capsys):
    assert dossier(tmp_path / "a") == 0
    assert dossier(tmp_path / "a", "--since", str(tmp_path / "a")) == 0, "the earlier one may be written over"
    assert "Nothing differs." in (tmp_path / "a/changes.html").read_text()
    (tmp_path / "none").mkdir()
    assert dossier(tmp_path / "b", "--since", str(tmp_path / "none")) == 2
    assert "--since: got" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


@pytest.mark.usefixtures("workspace")
def test_a_dossier_without_a_folder_is_refused(capsys):
    assert main(["dossier", "local", SYSTEM]) == 2
    assert "--questions" in capsys.readouterr().err


@pytest.mark.usefixtures("workspace")
def test_an_earlier_day_leaves_the_policies_readable(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    assert dossier(tmp_path / "a", "--json") == 0
    assert not [one for one in json.loads(capsys.readouterr().out)["unreadable"] if one.startswith("the policies")]


@pytest.mark.usefixtures("workspace")
def test_files_of_others_are_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("kept")
    assert dossier(tmp_path) == 2
    assert "holds other files" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("more", "said"),
    [(("--as-of", "soon"), "allowed a day"), ((), "whole seconds since")],
)
@pytest.mark.usefixtures("workspace")
def test_a_day_that_is_none_is_refused(tmp_path, capsys, monkeypatch, more, said):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert dossier(tmp_path / "a", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('[{"type": "double", "name": "ratio", "required": true}, {"type": "long", "name": "n"}]',
         "ratio (double), n (long)"),
        ('[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]', "float64 of shape [-1, 2]"),
        ('{"another": 1}', '{"another": 1}'),
        ("[3]", "[3]"),
    ],
)  # fmt: skip
def test_a_signature_is_shown_as_names_with_types(written, shown):
    assert _fields(written) == shown


@pytest.mark.usefixtures("workspace")
def test_a_german_dossier_says_what_lacks_in_german_and_another_language_is_refused(tmp_path, capsys):
    assert dossier(tmp_path / "a", "--language", "de", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["missing"]["technical-documentation"]["8. EU-Konformitätserklärung"]
    assert '<html lang="de">' in (tmp_path / "a/technical-documentation.html").read_text()
    assert dossier(tmp_path / "b", "--language", "fr") == 2
    assert "--language: got 'fr'; allowed en, de" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


@pytest.mark.usefixtures("workspace")
def test_without_the_library_for_pdf_an_earlier_dossier_stays(tmp_path, capsys, monkeypatch):
    assert dossier(tmp_path / "a") == 0
    before = hashes(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "typst", None)
    assert dossier(tmp_path / "a") == 2
    assert "typst, which writes PDF, cannot be used here" in capsys.readouterr().err
    assert hashes(tmp_path / "a") == before
