"""How a rollout stands is written down for whoever looks: not each second, and at once where the decision changes."""

from datetime import UTC, datetime, timedelta

import pytest

from mlstrata.services.rollout.standing import FILE, read_standing
from mlstrata.services.serving.folders import releases_folder
from mlstrata.services.serving.running import Running
from tests.support.portal import standing

SYSTEM = "loans"
NOW = datetime.now(UTC)
RUNNING = Running(
    strategy="canary", candidate="2", share=10, begun=NOW, since=NOW, who="learning process", why="retraining"
)


def test_what_is_written_is_what_was_decided_by(tmp_path):
    assert read_standing(tmp_path, SYSTEM) is None
    made = standing(RUNNING)
    made.leave(tmp_path, SYSTEM)
    assert read_standing(tmp_path, SYSTEM) == made
    assert made.is_of(RUNNING)
    assert not made.is_of(RUNNING.model_copy(update={"since": NOW + timedelta(seconds=1)}))
    errors = next(one for one in made.questions if one.of == "errors")
    assert errors.low < errors.value < errors.high
    assert (errors.limit, errors.alert, errors.fine) == (1.0, False, errors.high <= 1)


@pytest.mark.parametrize(
    ("later", "changed", "written"), [(1.0, {}, False), (2.0, {}, True), (1.0, {"action": "promote"}, True)]
)
def test_it_is_not_written_each_second(tmp_path, later, changed, written):
    made = standing(RUNNING)
    made.leave(tmp_path, SYSTEM)
    after = made.model_copy(update={"at": made.at + later, **changed})
    after.leave(tmp_path, SYSTEM)
    assert read_standing(tmp_path, SYSTEM) == (after if written else made)


def test_what_is_damaged_is_said_and_written_anew(tmp_path):
    path = releases_folder(tmp_path, SYSTEM) / FILE
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"data/serving/loans/rollout\.json is not what a rollout writes"):
        read_standing(tmp_path, SYSTEM)
    standing(RUNNING).leave(tmp_path, SYSTEM)
    assert read_standing(tmp_path, SYSTEM) is not None
