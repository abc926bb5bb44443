"""What commands say in people's words, and what they pick by themselves."""

import json
import os
import signal

import pytest

from mlstrata.cli.console import duration
from mlstrata.cli.main import main
from mlstrata.cli.train import _termination_as_interruption
from mlstrata.operations import training
from mlstrata.operations.comparison.versions import _newest
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.reporting import SILENT
from mlstrata.operations.state import Recorded, State
from tests.support.command import ROOT


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (45.9, "45 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (5706, "1 h 35 min"),
        (3601, "1 h"),
        (93784, "1 d 2 h"),
    ],
)
def test_a_duration_is_said_as_people_do(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("champion", "compared"),
    [
        (None, ["8", "7", "6", "5"]),
        ("7", ["8", "7", "6", "5"]),
        ("2", ["8", "7", "6", "2"]),
        ("gone", ["8", "7", "6", "5"]),
    ],
)
def test_the_champion_is_always_compared(champion, compared):
    assert _newest(["8", "7", "6", "5", "4", "3", "2", "1"], champion) == compared


def test_a_plan_for_machines_has_the_inputs_and_no_secret(tmp_path, monkeypatch, capsys):
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/local.yaml").write_text((ROOT / "environments/local.yaml").read_text())
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    assert main(["plan", "local", "--json"]) == 0
    text = capsys.readouterr().out
    resources = {one["name"]: one for one in json.loads(text)["resources"]}
    system = resources["mortgage-approval"]
    assert system["type"] == "mlstrata:governance:AISystem"
    assert system["inputs"]["risk"]["tier"] == "high"
    assert resources["gateway"]["parent"]
    assert '"[unknown]"' in text, "what only the deployment knows is a marker"
    assert not [one for one in resources.values() if "__provider" in one["inputs"]]


def test_secrets_of_a_plan_are_markers():
    import pulumi_embedded
    from mlstrata.cli.progress import resource_as_json

    found = resource_as_json(
        pulumi_embedded.GraphResource(
            urn="u",
            type="t",
            name="n",
            parent="",
            custom=True,
            remote=False,
            inputs={"key": pulumi_embedded.Secret("plain"), "deep": [{"at": pulumi_embedded.UNKNOWN}]},
            provider="",
            options={},
            dependencies=(),
            property_dependencies={},
        )
    )
    assert found["inputs"] == {"key": "[secret]", "deep": [{"at": "[unknown]"}]}


class Notes:
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.notes = []
        self.working, self.changing, self.step = SILENT.working, SILENT.changing, SILENT.step

    def note(self, text):
        self.notes.append(text)


@pytest.mark.parametrize(("changed", "told"), [(False, 0), (True, 1)])
def test_a_training_says_that_its_file_was_not_brought_up(tmp_path, monkeypatch, changed, told):
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/local.yaml").write_text((ROOT / "environments/local.yaml").read_text())
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    deployment, reporter = Deployment.open("local"), Notes()
    system = deployment.spec.systems[0]
    declared = system.model_dump(mode="json", exclude_none=True)
    if changed:
        declared["model"]["algorithm"] = "another"
    recorded = (
        Recorded("Platform", "platform", {"spec": {"name": "local"}}, {}),
        Recorded("AISystem", system.name, declared, {}),
    )
    monkeypatch.setitem(deployment.__dict__, "state", State("local", deployment.checkpoint, recorded))
    monkeypatch.setitem(deployment.__dict__, "target", type("Target", (), {"train": lambda *_, **__: "trained"})())
    assert training.train(deployment, system.name, reporter) == "trained"
    assert len(reporter.notes) == told
    assert all("`mlstrata up local` has not made yet" in note for note in reporter.notes)


def terminated():
    with _termination_as_interruption():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()


def test_a_terminated_client_ends_its_run_as_an_interruption_does():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        terminated()
    assert signal.getsignal(signal.SIGTERM) is before
