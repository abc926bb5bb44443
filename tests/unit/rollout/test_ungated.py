"""A version without a report of its gates: refused by a release, or released by somebody who answers for it."""

import json
from pathlib import Path

import pytest

from mlstrata.audit import read
from mlstrata.cli.main import main
from mlstrata.clients.mlflow import Candidate, Check
from mlstrata.clients.mlflow.access import SEAL_FILE
from mlstrata.files import write
from mlstrata.operations.releases import LocalBackend, RolloutError, release
from mlstrata.operations.releases import backend as shared
from mlstrata.operations.releases.local import backend as local
from mlstrata.services.serving.admission import Admission, digest_of, place
from mlstrata.services.serving.releases import HistoryEntry, Releases
from mlstrata_steps.seal import DIGEST
from tests.support.command import first_systems
from tests.support.packed import GATES, KEY, pack, sealed
from tests.support.rendered import ROOT

SYSTEM = "mortgage-approval"
TYPES = {"1": {"pirat": "double", "balance": "double"}, "2": {"pirat": "double", "saldo_eur": "double"}}


class Registry:
    """Knows version 1, trained; 2, made by hand; 3 to 5, made by hand with what was copied of version 1."""

    alias = "1"
    packed: Path

    def __init__(self, uri):
        assert uri == "http://registry"

    def candidate(self, system, version):
        number = version or "2"
        tags = sealed(self.packed, SYSTEM, "run")
        run, borne = {
            "1": ("run", tags),
            "2": (None, {}),
            "3": ("copied", {}),
            "4": ("copied", tags),
            "5": ("run", {**tags, DIGEST: "sha256:another"}),
        }[number]
        return Candidate(number, "", {"auc": 0.8}, run, tags=borne)

    def checks(self, run):
        return (Check("auc", True, "0.8"),) if run else None

    def gates(self, run):
        return GATES if run else None

    def input_types(self, candidate):
        return TYPES[candidate.version]

    def download(self, candidate, folder):
        pack(folder)

    def champion(self, system):
        return self.alias

    def set_champion(self, system, version):
        Registry.alias = version


class Process:
    """Answers whatever it is asked."""

    def __init__(self, system, url, secret):
        pass

    def load(self, version):
        pass

    def unload(self, version):
        pass

    def loaded(self):
        return []

    def smoke(self, version, folder):
        pass


@pytest.fixture
def backend(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/local.yaml").write_text(first_systems((ROOT / "environments/local.yaml").read_text(), 1))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(Registry, "alias", "1")
    monkeypatch.setattr(Registry, "packed", tmp_path / "packed", raising=False)
    pack(tmp_path / "packed")
    write(tmp_path / ".mlstrata/local" / SEAL_FILE, KEY)
    monkeypatch.setattr(shared, "Registry", Registry)
    monkeypatch.setattr(local, "ServingProcess", Process)
    monkeypatch.setattr(local.Gateway, "write", lambda gateway, releases: {})
    monkeypatch.setattr(local.Gateway, "follow", lambda gateway, routes: None)
    made = LocalBackend(
        home=tmp_path / ".mlstrata/local",
        tracking_uri="http://registry",
        serving_urls={SYSTEM: ""},
        gateway_url="",
        decider="ana",
    )
    monkeypatch.setattr("mlstrata.operations.targets.local.Local.rollout", lambda *_: made)
    first = HistoryEntry(kind="release", when="2026-11-21T06:00:00Z", who="a", why="b", from_=None, to="1")
    made.serving_directory(SYSTEM).mkdir(parents=True)
    (made.serving_directory(SYSTEM) / "releases.json").write_text(
        Releases(champion="1", loaded=("1",), history=(first,), settled=True).to_json()
    )
    return made


def test_it_is_refused_and_nothing_changes(backend):
    with pytest.raises(RolloutError, match=r"version 2 may not be released: no training run made it.*--without-gates"):
        release(backend, SYSTEM, "2", reason="better")
    assert backend.releases(SYSTEM).champion == Registry.alias == "1"
    assert not backend.audit_file.exists()


@pytest.mark.parametrize("version", ["3", "4", "5"])
def test_a_copied_report_and_a_copied_seal_make_no_version_the_platforms(backend, version):
    with pytest.raises(RolloutError, match=rf"version {version} may not be released: neither a training run.*judge"):
        release(backend, SYSTEM, version, reason="better")
    assert backend.releases(SYSTEM).champion == Registry.alias == "1"


def test_the_files_are_those_that_were_sealed_or_it_is_not_released(backend, monkeypatch):
    def other(registry, candidate, folder):
        pack(folder)
        (folder / "more.py").write_text("")

    release(backend, SYSTEM, "2", reason="the vendor's", without_gates=True)
    monkeypatch.setattr(Registry, "download", other)
    with pytest.raises(RolloutError, match="version 1 of mortgage-approval may not be loaded: its files are not those"):
        release(backend, SYSTEM, "1", reason="back")
    assert backend.releases(SYSTEM).champion == "2"
    assert not (backend.serving_directory(SYSTEM) / "models/1").exists(), "half of it must not count as had"


def test_what_would_run_its_own_code_is_released_by_nobody(backend, monkeypatch):
    def hostile(registry, candidate, folder):
        pack(folder)
        text = (folder / "MLmodel").read_text().replace("mlflow.sklearn", "evilloader")
        (folder / "MLmodel").write_text(text)

    monkeypatch.setattr(Registry, "download", hostile)
    with pytest.raises(RolloutError, match="loader_module: got 'evilloader'"):
        release(backend, SYSTEM, "2", reason="the vendor's", without_gates=True, own_code=True)
    assert backend.releases(SYSTEM).champion == "1"


def test_what_answers_may_be_released_again_with_what_was_said_of_its_code(backend):
    folder = backend.serving_directory(SYSTEM) / "models/1"
    pack(folder)
    (folder / "MLmodel").write_text(
        (folder / "MLmodel").read_text().replace("predict_proba", "predict_proba, code: code")
    )
    write(folder / "code/acme/__init__.py", "")
    said = Admission(digest=digest_of(folder), own_code=True)
    write(place(folder), said.model_dump_json())
    first = HistoryEntry(
        kind="release", when="2026-11-21T06:00:00Z", who="a", why="b", from_=None, to="1",
        digest=said.digest, own_code=True,
    )  # fmt: skip
    before = Releases(champion="1", loaded=("1",), history=(first,), settled=True)
    (backend.serving_directory(SYSTEM) / "releases.json").write_text(before.to_json())
    assert not release(backend, SYSTEM, "1", reason="again").changed
    assert (Admission.of(folder), digest_of(folder)) == (said, said.digest)
    write(folder / "code/acme/more.py", "")
    with pytest.raises(RolloutError, match="not those that were judged and released"):
        release(backend, SYSTEM, "1", reason="again")
    assert Admission.of(folder) == said


def test_without_the_environments_key_nothing_passes_for_its_own(backend):
    (backend.home / SEAL_FILE).unlink()
    with pytest.raises(RolloutError, match="config/seal/key: No such file"):
        release(backend, SYSTEM, "2", reason="better")


def test_the_log_says_that_it_was_released_without(backend):
    release(backend, SYSTEM, "2", reason="the vendor's", without_gates=True)
    assert backend.releases(SYSTEM).history[-1].why == "without gates: the vendor's"
    (entry,) = [record.entry for record in read(backend.audit_file)]
    assert (entry["version_to"], entry["reason"]) == ("2", "without gates: the vendor's")
    assert Registry.alias == "2"


def test_one_that_passed_is_released_as_any_other(backend):
    release(backend, SYSTEM, "2", reason="the vendor's", without_gates=True)
    release(backend, SYSTEM, "1", reason="back", without_gates=True)
    assert backend.releases(SYSTEM).history[-1].why == "back"


def test_the_command_says_what_is_wrong_and_which_fields_change(backend, capsys):
    assert main(["release", "local", SYSTEM, "--yes", "--reason", "better"]) == 1
    told = capsys.readouterr()
    shown, said = " ".join(told.out.split()), " ".join(told.err.split())
    assert "no training run left a report of its gates" in shown
    assert "removed balance (double)" in shown
    assert "added saldo_eur (double)" in shown
    assert "no training run made it, so it passed no gates" in said
    assert "--without-gates --reason" in said
    assert backend.releases(SYSTEM).champion == "1"


def test_the_command_wants_a_reason_and_then_releases_it(backend, capsys):
    assert main(["release", "local", SYSTEM, "--yes", "--without-gates"]) == 2
    assert "--reason: got nothing" in capsys.readouterr().err
    options = ["--yes", "--without-gates", "--all-at-once", "--reason", "the vendor's", "--json"]
    assert main(["release", "local", SYSTEM, *options]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["version"], document["comparison"]["checks"]) == ("2", None)
    assert document["comparison"]["fields"] == [
        {"name": "balance", "champion": "double", "candidate": None},
        {"name": "saldo_eur", "champion": None, "candidate": "double"},
    ]
