"""The variables that MLflow's server hands to its application are the ones we hand over."""

from pathlib import Path

from mlstrata.services.registry.server import variables


def test_mlflow_still_reads_them_under_these_names():
    from mlflow import environment_variables
    from mlflow.server import constants

    given = variables("sqlite:////d/x.db", "s3://b/p", Path("/d/m"))
    assert given == {
        constants.BACKEND_STORE_URI_ENV_VAR: "sqlite:////d/x.db",
        constants.ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: "s3://b/p",
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        constants.PROMETHEUS_EXPORTER_ENV_VAR: "/d/m",
        environment_variables._MLFLOW_SGI_NAME.name: "uvicorn",
        environment_variables._MLFLOW_IN_JOB_EXECUTOR.name: "false",
    }
