"""What a room raises for people is told as it is, with the exit code that belongs to it."""

import errno
import os

import pytest
import typer

import pulumi_embedded
from mlstrata.cli.errors import report
from mlstrata.components.supervision.values import SupervisionError
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.releases import RolloutError
from mlstrata.services.gateway.rotation import RotationError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("say it so"), 2),
        (Failed("say it so"), 1),
        (RolloutError("say it so"), 1),
        (SupervisionError("say it so"), 1),
        (RotationError("say it so"), 2),
        (pulumi_embedded.CorruptCheckpoint("say it so"), 2),
    ],
)
def test_a_message_of_ours_stands_alone(capsys, error, code):
    assert report(error) == code
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "say it so\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort(), pulumi_embedded.Cancelled()])
def test_an_interruption_is_130(capsys, error):
    assert report(error) == 130
    assert "interrupted" in capsys.readouterr().err


def test_what_nobody_foresaw_leaves_its_details_in_a_file(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert report(ZeroDivisionError("division by zero")) == 1
    (file,) = tmp_path.iterdir()
    assert "ZeroDivisionError" in file.read_text()
    assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "fix"),
    [(errno.EROFS, "let this user write there"), (errno.ENOSPC, "free some space"), (errno.EEXIST, "move what lies")],
)
def test_what_the_machine_refuses_names_the_file_and_the_way(capsys, number, fix):
    assert report(OSError(number, os.strerror(number), "out/dev.yaml")) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"out/dev.yaml: cannot be written or read ({os.strerror(number)}); {fix}")
    assert said.count("\n") == 1
