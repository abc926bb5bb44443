"""The gate that serves the package: the real server, on ports that another process may take a moment sooner."""

import json
import socket

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    from mlstrata.services.runner.contract import TrainingRequest
    from mlstrata.services.runner.job import served_as
    from mlstrata_steps.package import package
    from mlstrata_steps.tables import canonical, write_table
    from mlstrata_steps.train import train

    folder, x = tmp_path_factory.mktemp("served"), np.linspace(-2, 2, 120)
    write_table(canonical(pd.DataFrame({"x": x, "y": x > 0})), str(folder / "rows"))
    train(str(folder / "rows"), str(folder / "model"), {"target": "y", "positive": "True"})
    request = TrainingRequest.model_validate(
        {
            "system": "loans", "environment": "local", "source": "rows", "target": "y", "positive": "True",
            "protected": [], "tracking_uri": "http://127.0.0.1:1", "workdir": str(folder),
        }
    )  # fmt: skip
    told = served_as(request)
    lock = {"lock": told["lock"], "lock_hash": told["lock_hash"]}
    package(str(folder / "model"), str(folder / "rows"), str(folder / "out"), **lock)
    return folder, json.loads(told["server"]), told["lock"]


def check(packed):
    from mlstrata_steps.served import check_served

    folder, server, lock = packed
    return check_served(str(folder / "out"), str(folder / "rows"), str(folder / "model"), server, lock=lock)


@pytest.mark.parametrize("taken", ["http_port", "metrics_port"])
def test_a_port_that_somebody_took_meanwhile_is_chosen_anew(packed, monkeypatch, taken):
    from mlstrata_steps import served

    free, chosen = served._free_ports, []
    with socket.create_server(("127.0.0.1", 0)) as other:

        def sooner(count):
            found = free(count)
            if not chosen:
                found[served.PORTS.index(taken)] = other.getsockname()[1]
            chosen.append(found)
            return found

        monkeypatch.setattr(served, "_free_ports", sooner)
        monkeypatch.setattr(served, "PATIENCE", 60)
        report = check(packed)
    assert (report["passed"], len(chosen)) == (True, 2), report


def test_a_server_that_never_starts_says_why(packed, monkeypatch):
    from mlstrata_steps import served

    folder, server, lock = packed
    broken = {**server, "files": {**server["files"], "settings.json": {"parallel_workers": "none"}}}
    monkeypatch.setattr(served, "PATIENCE", 30)
    report = check((folder, broken, lock))
    assert report["passed"] is False
    assert "the server ended with code 1: " in str(report), report
    assert "parallel_workers" in str(report)
