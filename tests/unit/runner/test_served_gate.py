"""The gate that serves the package: the real server, on ports that another process may take a moment sooner."""

import json
import socket

import numpy as np
import pandas as pd
import pytest

COLUMNS = {"target": "y", "positive": "True"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    x = np.linspace(-2, 2, 120)
    return pack(tmp_path_factory.mktemp("served"), pd.DataFrame({"x": x, "y": x > 0}))


def pack(folder, table):
    from mlstrata.services.runner.contract import TrainingRequest
    from mlstrata.services.runner.job import served_as
    from mlstrata_steps.package import package
    from mlstrata_steps.tables import canonical, write_table
    from mlstrata_steps.train import train

    write_table(canonical(table), str(folder / "rows"))
    train(str(folder / "rows"), str(folder / "model"), COLUMNS)
    request = TrainingRequest.model_validate(
        {
            "system": "loans", "environment": "local", "source": "rows", "target": "y", "positive": "True",
            "protected": [], "tracking_uri": "http://127.0.0.1:1", "workdir": str(folder),
        }
    )  # fmt: skip
    told = served_as(request)
    lock = {"lock": told["lock"], "lock_hash": told["lock_hash"]}
    package(str(folder / "model"), str(folder / "rows"), str(folder / "out"), COLUMNS, **lock)
    return folder, json.loads(told["server"]), told["lock"]


def check(packed):
    from mlstrata_steps.served import check_served

    folder, server, lock = packed
    return check_served(str(folder / "out"), str(folder / "rows"), str(folder / "model"), COLUMNS, server, lock=lock)


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
    assert "ONNX answers: equal to" in str(report)


def test_a_server_that_never_starts_says_why(packed, monkeypatch):
    from mlstrata_steps import served

    folder, server, lock = packed
    broken = {**server, "files": {**server["files"], "settings.json": {"parallel_workers": "none"}}}
    monkeypatch.setattr(served, "PATIENCE", 30)
    report = check((folder, broken, lock))
    assert report["passed"] is False
    assert "the server ended with code 1: " in str(report), report
    assert "parallel_workers" in str(report)


@pytest.mark.parametrize("gaps", [("x",), ("x", "flag", "town")], ids=["in the first column", "in every column"])
def test_a_column_that_may_be_missing_is_not_the_one_that_is_taken_away(tmp_path, gaps):
    x = np.linspace(-2, 2, 120)
    flag, town = [at % 3 == 0 for at in range(120)], ["north" if at % 2 else "south" for at in range(120)]
    table = pd.DataFrame({"x": x, "flag": pd.array(flag, dtype="boolean"), "town": town, "y": x > 0})
    for name in gaps:
        table.loc[7, name] = None
    report = check(pack(tmp_path, table))
    assert report["passed"], report
    (missing,) = [one["detail"] for one in report["checks"] if one["name"] == "schema: a missing field"]
    assert missing == (
        "answered 422, 422 expected" if len(gaps) == 1 else "not tried: every column had gaps, so none is required"
    )


def test_free_text_is_served_with_its_limit(tmp_path, monkeypatch):
    from tests.support.prose import described

    monkeypatch.setitem(COLUMNS, "target", "of")
    monkeypatch.setitem(COLUMNS, "positive", "sklearn")
    monkeypatch.setitem(COLUMNS, "texts", ["text"])
    report = check(pack(tmp_path, described().drop(columns="hidden").sample(400, random_state=0)))
    assert report["passed"], report
    names = {one["name"] for one in report["checks"]}
    assert {"score parity", "schema: a text that is too long"} <= names


def test_several_answers_with_an_interval_and_images_are_served_as_they_were_trained(tmp_path, monkeypatch):
    import base64
    import io

    from PIL import Image

    random, held = np.random.default_rng(1), []
    bright = random.uniform(20, 230, 160)
    for one in bright:
        file = io.BytesIO()
        Image.fromarray(np.full((8, 8), int(one), dtype="uint8")).save(file, "PNG")
        held.append(base64.b64encode(file.getvalue()).decode())
    table = pd.DataFrame({"image": held, "grey": bright, "dark": np.where(bright < 120, "yes", "no")})
    outputs = {"how": {"target": "grey", "task": "regression"}, "dark": {"target": "dark", "positive": "yes"}}
    monkeypatch.setitem(COLUMNS, "outputs", outputs)
    monkeypatch.setitem(COLUMNS, "images", ["image"])
    for name in ("target", "positive"):
        monkeypatch.delitem(COLUMNS, name)
    report = check(pack(tmp_path, table))
    assert report["passed"], report
    names = {one["name"] for one in report["checks"]}
    assert {"score parity", "smoke", "schema: what is no image", "schema: a missing field"} <= names
