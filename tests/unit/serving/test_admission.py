"""What a model's files may make the prediction process run: nothing that was not released to it."""

import json
import shutil
import sys

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

from mlstrata.services.serving.admission import Admission, RefusedError, admit, digest_of, look, place
from mlstrata.services.serving.model import LoadedModel

FRAME = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A model as the platform packs it."""
    model = LogisticRegression().fit(FRAME, [0, 0, 1, 1])
    folder = tmp_path_factory.mktemp("packed") / "model"
    mlflow.sklearn.save_model(
        model,
        folder,
        signature=infer_signature(FRAME, model.predict_proba(FRAME)),
        input_example=FRAME.head(2),
        pyfunc_predict_fn="predict_proba",
        serialization_format="skops",
    )
    return folder


@pytest.fixture
def folder(packed, tmp_path):
    made = tmp_path / "models" / "3"
    shutil.copytree(packed, made)
    return made


@pytest.fixture
def ran(tmp_path):
    """A file that hostile code writes when it runs."""
    yield tmp_path / "ran"
    sys.path[:] = [one for one in sys.path if str(tmp_path) not in one]


def rewrite(folder, **changes):
    path = folder / "MLmodel"
    document = yaml.safe_load(path.read_text())
    flavor = {"python_function": {}, "sklearn": {}} | changes
    for name, fields in flavor.items():
        document["flavors"][name] |= fields
    path.write_text(yaml.safe_dump(document))


def bring(folder, ran, name="evilloader"):
    (folder / "code").mkdir(exist_ok=True)
    text = f"open({str(ran)!r}, 'w').close()\ndef _load_pyfunc(path): return None\n"
    (folder / "code" / f"{name}.py").write_text(text)


def admission(folder, **said):
    place(folder).parent.mkdir(exist_ok=True)
    place(folder).write_text(Admission(**said).model_dump_json())


HOSTILE = {
    "a loader of its own": {"python_function": {"loader_module": "evilloader", "code": "code"}},
    "a loader that unpickles": {"python_function": {"loader_module": "mlflow.pyfunc.model"}},
    "a loader that is no word": {"python_function": {"loader_module": ["mlflow.sklearn"]}},
    "a pickle": {"sklearn": {"serialization_format": "cloudpickle"}},
    "no format, which is a pickle": {"sklearn": {"serialization_format": None}},
    "types of its own": {"sklearn": {"skops_trusted_types": ["evilloader.Evil"]}},
    "a function as a type": {"sklearn": {"skops_trusted_types": ["sklearn.utils.shuffle"]}},
    "the system's shell": {"sklearn": {"skops_trusted_types": ["os.system"]}},
    "another thing to call": {"python_function": {"predict_fn": "get_raw_model"}},
    "a file elsewhere": {"python_function": {"data": "../../../elsewhere"}},
    "an absolute file": {"python_function": {"model_path": "/srv/model.pkl"}},
    "a field that nobody knows": {"python_function": {"model_code_path": "evilloader.py"}},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_would_run_its_own_code_is_refused_before_any_of_it_runs(folder, ran, what):
    bring(folder, ran)
    rewrite(folder, **HOSTILE[what])
    with pytest.raises(RefusedError):
        LoadedModel("3", folder)
    assert not ran.exists()
    assert "evilloader" not in sys.modules


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "flavors: 3",
        "flavors: {python_function: 3}",
        "a: [",
        "x: &a [*a]",
        "!!python/object/apply:os.system [ls]",
    ],
)
def test_what_is_no_description_of_a_model_is_refused(folder, text):
    (folder / "MLmodel").write_text(text)
    with pytest.raises(RefusedError):
        look(folder)


def test_what_the_platform_packs_is_loaded(folder):
    assert LoadedModel("3", folder).predict([{"a": 3.0, "b": 0.0}])[0] > 0.5
    admission(folder, digest=digest_of(folder))
    assert LoadedModel("3", folder).version == "3"


def test_code_is_for_systems_whose_file_says_that_they_bring_it(folder, ran):
    bring(folder, ran, "helper")
    rewrite(folder, python_function={"code": "code"})
    admission(folder)
    with pytest.raises(RefusedError, match=r"code of its own \(helper\.py\).*model\.algorithm"):
        admit(folder)
    admission(folder, own_code=True, digest=digest_of(folder))
    admit(folder)
    # One that was released before anything was said of it was judged by who released it.
    place(folder).unlink()
    admit(folder)


CHANGES = {
    "a byte": lambda folder: (folder / "model.skops").write_bytes((folder / "model.skops").read_bytes() + b"\0"),
    "a file more": lambda folder: (folder / "more.py").write_text("1"),
    "a file less": lambda folder: (folder / "requirements.txt").unlink(),
    "another name": lambda folder: (folder / "requirements.txt").rename(folder / "needs.txt"),
    "a link": lambda folder: (folder / "link").symlink_to("/etc/passwd"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_files_that_are_not_those_that_were_released_are_never_loaded(folder, change):
    admission(folder, digest=digest_of(folder), own_code=True)
    CHANGES[change](folder)
    with pytest.raises(RefusedError):
        admit(folder)


def test_what_is_said_of_a_version_must_be_readable(folder):
    place(folder).parent.mkdir()
    place(folder).write_text(json.dumps({"digest": 3}))
    with pytest.raises(RefusedError, match="not what a release writes"):
        admit(folder)
