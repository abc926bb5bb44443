"""A model in memory: frames in, one probability an instance out."""

import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from sklearn.linear_model import LogisticRegression

from mlstrata.files import write
from mlstrata.services.serving.admission import Admission, place
from mlstrata.services.serving.model import LoadedModel
from mlstrata.services.serving.schema import UnsupportedSignatureError
from mlstrata_steps.tasks.output import OutputError, Probability

FRAME = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1, 0, 1, 0]})


@pytest.fixture
def folder(tmp_path):
    """Where a version lies whose system brings code of its own."""
    made = tmp_path / "models/1"
    write(place(made), Admission(own_code=True).model_dump_json())
    return made


def test_probabilities_are_the_positive_class_of_either_shape():
    pairs = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert Probability().read(pairs, 2).tolist() == [0.1, 0.8]
    assert Probability().read(pd.DataFrame(pairs), 2).tolist() == [0.1, 0.8]
    assert Probability().read(pd.Series([0.1, 0.8]), 2).tolist() == [0.1, 0.8]
    assert Probability().read([[0.1], [0.8]], 2).tolist() == [0.1, 0.8]


@pytest.mark.parametrize(
    "output", [[0.1], [[0.1, 0.2, 0.7]] * 2, np.zeros((2, 2, 2)), ["yes", "no"], {"a": 1}, None, 0.5], ids=str
)
def test_another_output_is_an_error(output):
    with pytest.raises(OutputError):
        Probability().read(output, 2)


def test_a_saved_model_gives_the_probability_scikit_learn_gives(folder):
    model = LogisticRegression().fit(FRAME, [0, 0, 1, 1])
    signature = infer_signature(FRAME, model.predict_proba(FRAME))
    mlflow.sklearn.save_model(
        model, folder, signature=signature, input_example=FRAME.head(2), pyfunc_predict_fn="predict_proba"
    )
    loaded = LoadedModel("1", folder)
    instances = loaded.schema.parse(json.dumps({"instances": FRAME.to_dict("records")}).encode())
    assert loaded.predict(instances).tolist() == pytest.approx(model.predict_proba(FRAME)[:, 1].tolist())


def test_a_model_without_a_signature_is_refused(folder):
    mlflow.sklearn.save_model(LogisticRegression().fit(FRAME, [0, 0, 1, 1]), folder)
    with pytest.raises(UnsupportedSignatureError, match="log it with one"):
        LoadedModel("1", folder)


def test_missing_values_reach_the_model_as_missing(folder):
    kinds = {"real": "double", "single": "float", "word": "string", "at": "datetime"}
    columns = [ColSpec(kind, name, required=False) for name, kind in kinds.items()]
    signature = ModelSignature(Schema(columns))
    mlflow.pyfunc.save_model(folder, python_model=Missing(), signature=signature)
    loaded = LoadedModel("1", folder)
    assert loaded.predict(loaded.schema.check([{}, {"real": 1.0}])).tolist() == [0.0, 1.0]


class Missing(mlflow.pyfunc.PythonModel):
    """The probability is 1 where `real` has a value."""

    def predict(self, context, model_input, params=None):
        assert model_input.drop(columns="real").isna().all().all()
        return model_input["real"].notna().astype(float).to_numpy()


def test_every_type_reaches_the_model_as_the_signature_says(folder):
    kinds = ["boolean", "integer", "long", "float", "double", "string", "datetime"]
    signature = ModelSignature(Schema([ColSpec(kind, kind) for kind in kinds]))
    mlflow.pyfunc.save_model(folder, python_model=Types(), signature=signature)
    loaded = LoadedModel("1", folder)
    values = {"boolean": True, "integer": 1, "long": 2**40, "float": 0.5, "double": 1, "string": "x"}
    instances = [values | {"datetime": "2026-01-02T03:00:00+02:00"}, values | {"datetime": "2026-01-02T01:00:00"}]
    assert loaded.predict(loaded.schema.check(instances)).tolist() == [1.0, 1.0]


class Types(mlflow.pyfunc.PythonModel):
    """The probability is 1 when the columns have the types of the signature and the times are the same instant."""

    def predict(self, context, model_input, params=None):
        types = ["bool", "int32", "int64", "float32", "float64", "object", "datetime64[ns]"]
        same = model_input["datetime"].nunique() == 1
        return np.full(len(model_input), float(same and list(map(str, model_input.dtypes)) == types))
