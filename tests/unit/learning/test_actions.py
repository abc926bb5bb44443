"""What the learning process refuses, and what it looks at before it acts."""

from types import SimpleNamespace

import pytest

from mlstrata.environments import load
from mlstrata.environments.workspace import VARIABLE
from mlstrata.files import write
from mlstrata.operations.learning.actions import EnvironmentActions
from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Feedback
from mlstrata.services.retraining.loop import Place, Refused
from mlstrata.services.retraining.settings import LearningSettings
from mlstrata.services.retraining.trigger import State, Training
from mlstrata.services.serving.folders import releases_folder
from mlstrata.services.serving.releases import FILE as RELEASES
from mlstrata.services.serving.releases import Releases
from tests.support.command import ROOT

SYSTEM = "mortgage-approval"
TRAINING = Training("0" * 12, SYSTEM, State.DECIDED, 1e9, by_hand=False, reason="drift", version="2")


class Deployed:
    """A deployment whose file is the shipped one, as it was deployed."""

    def __init__(self, home, spec) -> None:
        self.home, self.spec, self.file, self.name = home, spec, home / "local.yaml", "local"
        self.workspace = SimpleNamespace(root=ROOT)
        systems = [one.model_dump(mode="json", exclude_none=True) for one in spec.systems]
        self.state = SimpleNamespace(declared={"systems": systems})
        self.releases = Releases(champion="1")
        here = SimpleNamespace(address=lambda _service: "http://127.0.0.1:1")
        self.target = SimpleNamespace(released=lambda _system: self.releases, here=lambda _command: here)

    def system(self, name):
        return next(one for one in self.spec.systems if one.name == name)


@pytest.fixture
def deployed(tmp_path):
    return Deployed(tmp_path, load(ROOT / "environments/local.yaml"))


@pytest.fixture
def actions(deployed, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(ROOT))
    monkeypatch.setattr(EnvironmentActions, "deployment", property(lambda _self: deployed))
    settings = LearningSettings(
        port=0, token_file=tmp_path / "token", environment="local", workspace=ROOT, journal=tmp_path / "journal.db"
    )
    return EnvironmentActions(settings)


def recorded(home, rows: int) -> None:
    inputs = {"pirat": 0.3, "hirat": 0.2, "lvrat": 0.8, "chist": 5, "mhist": 2, "unemp": 3.9}
    inputs |= dict.fromkeys(["phist", "selfemp", "insurance", "condomin"], "no") | {"hschool": "yes"}
    store = open_store(home)
    rows_of = (Instance(inputs=inputs, output={"probability": 0.1}),)
    store.add(
        [
            Record(id=f"r{at}", at=1e9 + at, system=SYSTEM, version="1", status=200, ms=1, instances=rows_of)
            for at in range(rows)
        ]
    )
    store.tell([Feedback(f"r{at}", 1e9, truth="yes", groups={"afam": "no", "single": "yes"}) for at in range(rows)])
    store.close()


def test_nothing_recorded_is_no_labelled_row(actions):
    assert actions.labelled(SYSTEM) == 0


def test_the_request_names_the_file_and_how_it_is_composed(actions, deployed):
    recorded(deployed.home, 3)
    assert actions.labelled(SYSTEM) == 3
    made = actions.compose(TRAINING)
    assert made.named.startswith("hmda + 3 recorded predictions from 2001-09-09 to 2001-09-09 (0 sampled")
    assert f'"source":"{deployed.home}/data/learning/{SYSTEM}/' in made.request
    assert '"named":"hmda + 3 recorded predictions' in made.request
    assert '"recorded":"0 sampled for labelling, 0 decided by a person, 3 known by their outcome alone"' in made.request


def test_a_file_that_was_not_deployed_is_not_learnt_by(actions, deployed):
    recorded(deployed.home, 1)
    deployed.state.declared["systems"][0]["model"]["algorithm"] = "random_forest"
    with pytest.raises(Refused, match="has changes that `mlstrata up local` has not made"):
        actions.compose(TRAINING)


def test_a_feature_that_is_not_recorded_as_it_was_is_not_learnt_from(actions, deployed):
    first, *others = deployed.spec.systems
    hidden = first.recording.model_copy(update={"pseudonymise": ("hschool", "afam")})
    changed = first.model_copy(update={"recording": hidden})
    deployed.spec = deployed.spec.model_copy(update={"systems": (changed, *others)})
    deployed.state.declared["systems"][0] = changed.model_dump(mode="json", exclude_none=True)
    with pytest.raises(Refused, match="hschool is not recorded as it was"):
        actions.compose(TRAINING)


def test_without_a_record_it_is_refused(actions):
    with pytest.raises(Refused):
        actions.compose(TRAINING)


def test_a_version_that_nobody_released_is_nowhere_and_no_rollout_is_advanced(actions):
    actions.advance(SYSTEM, 1e9)
    assert actions.standing(TRAINING).place is Place.NOWHERE


def test_what_is_released_is_read_again_once_it_changed(actions, deployed):
    read, folder = [], releases_folder(deployed.home, SYSTEM)
    deployed.target.released = lambda system: read.append(system) or Releases.read(folder)
    assert actions.champion(SYSTEM) is None
    for version in ("1", "2"):
        write(folder / RELEASES, Releases(champion=version).model_dump_json(by_alias=True))
        assert [actions.champion(SYSTEM) for _ in range(3)] == [version] * 3
        assert not actions.rolling([SYSTEM])
    assert read == [SYSTEM] * 3


def test_only_what_is_trained_here_learns(actions):
    assert set(actions.envelopes()) == {SYSTEM, "consumer-credit"}
    assert actions.envelope("nobody") is None
