"""The smallest file of a cluster: what `check` asks of it are decisions, and each finding says how to make its own."""

import json
from pathlib import Path

import pytest

from mlstrata.cli.main import main
from mlstrata.components.upstream.lock import NAME, write
from mlstrata.components.upstream.mirror import reference
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.images.select import selected

FILE = "name: dev\ntarget: {kind: kubernetes, context: ml-dev}\nstage: foundation\nsystems: []\n"


@pytest.fixture
def check(tmp_path: Path, monkeypatch, capsys):
    """Give a function that writes the file and returns the exit code with the policies that fail, each with its fix."""
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    (tmp_path / "environments").mkdir()

    def found(text: str) -> tuple[int, dict[str, str]]:
        (tmp_path / "environments/dev.yaml").write_text(text, encoding="utf-8")
        capsys.readouterr()
        code = main(["check", "dev", "--json"])
        (report,) = json.loads(capsys.readouterr().out)
        return code, {one["policy"]: one["fix"] for one in report["results"] if one["outcome"] == "fail"}

    return found


def test_what_is_open_are_two_decisions_and_each_has_a_field(check, tmp_path: Path):
    code, fails = check(FILE)
    assert code == 1
    assert set(fails) == {"sec-image-digest-pinned", "sec-image-signed-admission"}
    assert "`mlstrata images ENV --resolve`" in fails["sec-image-digest-pinned"]
    assert "images.signature_policy" in fails["sec-image-signed-admission"]
    # What `images --resolve` writes where the registries can be reached.
    images = [image for one in selected(Deployment.open("dev")).taken for image in one.piece.images]
    write(tmp_path / "environments" / NAME, {reference(one): "sha256:" + "0" * 64 for one in images})
    assert check(f"{FILE}images: {{signature_policy: signed}}\n") == (0, {})
    assert check(f"{FILE}production: false\n") == (0, {})
