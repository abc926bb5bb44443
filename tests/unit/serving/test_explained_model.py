"""A model as training packs it, explained as it is served: the real pipeline, its reference and its loaded form."""

import math
import time

import numpy as np
import pandas as pd
import pytest

from mlstrata.services.serving.explain import explainer_of
from mlstrata.services.serving.flags import Bounds, read_reference
from mlstrata.services.serving.model import load
from mlstrata_steps.package import package
from mlstrata_steps.tables import canonical, write_table
from mlstrata_steps.train import train

LATE = time.perf_counter() + 1e6
COLUMNS = {"target": "y", "positive": "True"}
INSTANCE = {"ratio": 1.4, "years": 3, "job": "smith", "debt": None}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    chance, count = np.random.default_rng(4), 400
    ratio, years = chance.normal(size=count), chance.integers(0, 9, size=count)
    job = chance.choice(["cook", "smith", "clerk"], size=count)
    debt = np.where(chance.random(count) < 0.2, np.nan, chance.random(count))
    said = ratio - 0.3 * years + (job == "cook") + chance.normal(size=count) > 0
    table = canonical(pd.DataFrame({"ratio": ratio, "years": years, "job": job, "debt": debt, "y": said}))
    folder = tmp_path_factory.mktemp("rows")
    write_table(table, str(folder / "rows"))
    return folder / "rows"


def packed(rows, folder, algorithm):
    train(str(rows), str(folder / "model"), COLUMNS, algorithm=algorithm)
    package(str(folder / "model"), str(rows), str(folder / "models/1"), COLUMNS)
    return load("1", folder / "models/1"), read_reference(folder / "models/1")


@pytest.mark.parametrize(
    ("algorithm", "method"), [("logistic_regression", "exact"), ("hist_gradient_boosting", "approximate")]
)
def test_what_training_packs_is_explained_and_adds_up_to_the_answer(rows, tmp_path, algorithm, method):
    model, reference = packed(rows, tmp_path, algorithm)
    explainer = explainer_of(model, reference, 3600.0)
    (one,) = explainer.explain([INSTANCE], LATE)
    assert one.method == method
    assert set(one.contributions) == set(INSTANCE)
    (answer,) = model.predict([INSTANCE])
    whole = one.base + sum(one.contributions.values())
    said = 1 / (1 + math.exp(-whole)) if one.unit == "log_odds" else whole
    assert math.isclose(said, answer, abs_tol=1e-5)
    assert one.contributions["ratio"] > 0
    assert Bounds(reference, {}).flags(INSTANCE) == ()
    assert Bounds(reference, {}).flags(INSTANCE | {"ratio": 99.0, "job": "pilot"}) == ("range:ratio", "unseen:job")
