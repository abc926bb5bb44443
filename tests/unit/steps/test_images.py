"""Images from a folder to a package: one representation everywhere, limited by type, bytes and pixels."""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from jsonschema import Draft202012Validator
from PIL import Image
from sklearn.datasets import load_digits

from mlstrata.cli.main import main
from mlstrata.environments import SpecErrors, loads
from mlstrata.services.serving import schema
from mlstrata.services.serving.model import load as served
from mlstrata.services.serving.openapi import document
from mlstrata.services.serving.problem import ProblemError
from mlstrata_steps import pictures
from mlstrata_steps.columns import Columns
from mlstrata_steps.estimator import is_installed_type
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.gates import gate
from mlstrata_steps.ingest import ingest
from mlstrata_steps.leakage import check_leakage
from mlstrata_steps.outcome import require
from mlstrata_steps.package import IMAGES, LENGTHS, package
from mlstrata_steps.pictures import PictureError, picture_of
from mlstrata_steps.plausibility import check_plausibility
from mlstrata_steps.privacy import check_privacy
from mlstrata_steps.quality import check_quality
from mlstrata_steps.scaled import Pictures
from mlstrata_steps.signal import check_signal
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, write_table
from mlstrata_steps.train import train

ROWS = 900
COLUMNS = {"target": "label", "images": ["image"]}


def file_of(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels.astype("uint8")).save(held, kind)
    return held.getvalue()


def text_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The digits of scikit-learn as a person would have them: files in the folders of their classes."""
    root, digits = tmp_path_factory.mktemp("images"), load_digits()
    for at, (pixels, label) in enumerate(zip(digits.images[:ROWS], digits.target, strict=False)):
        place = root / "digits" / f"digit-{label}" / f"{at:04}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file_of(pixels * 15))
    return root


@pytest.fixture(scope="module")
def made(folder):
    table = folder / "digits.jsonl"
    assert main(["data", "images", str(folder / "digits"), "-o", str(table)]) == 0
    read = ingest(str(table), str(folder / "store"))
    rows, test, model = (str(folder / name) for name in ("train", "test", "model"))
    split(read.path, rows, test, COLUMNS)
    return read, rows, test, model, train(rows, model, COLUMNS).answers


def test_a_folder_of_digits_passes_every_gate(made):
    read, rows, test, model, answers = made
    assert (read.rows, set(read.columns)) == (ROWS, {"label", "image"})
    require(check_privacy(read.path, COLUMNS, {}, {}))
    require(check_quality(read.path, COLUMNS, {}))
    evaluation = evaluate(test, model, COLUMNS, answers=answers)
    assert evaluation["metrics"]["accuracy"]["low"] > 0.85
    reports = {
        "leakage": check_leakage(rows, test, COLUMNS, {}),
        "signal": check_signal(rows, test, model, COLUMNS, evaluation=evaluation, rules={"permutations": 1}),
        "plausibility": check_plausibility(test, model, COLUMNS, {}, answers=answers),
    }
    assert gate(evaluation, [{"metric": "accuracy", "at_least": 0.8}], reports)["passed"]
    kinds = skops.io.get_untrusted_types(file=model)
    assert "mlstrata_steps.scaled.Pictures" in kinds
    assert all(is_installed_type(kind) for kind in kinds), "it is served without code of its own"


def test_the_package_takes_images_as_its_document_says_and_nothing_else(made, folder):
    _, rows, test, model, _ = made
    package(model, rows, str(folder / "packed"), COLUMNS, test=test)
    loaded = served("1", folder / "packed")
    asked = [
        {"image": text_of((folder / "digits" / f"digit-{label}" / f"{label:04}.png").read_bytes())}
        for label in range(3)
    ]
    told = loaded.output.predictions(loaded.predict(loaded.schema.parse(json.dumps({"instances": asked}).encode())))
    assert [one["label"] for one in told] == ["digit-0", "digit-1", "digit-2"]
    described = document("digits", "v1", "1", loaded.schema.columns, loaded.output)
    field = described["components"]["schemas"]["Instance"]["properties"]["image"]
    assert (field["contentEncoding"], field["maxLength"]) == ("base64", 4 * -(-(2**18) // 3))
    wanted = {"$ref": "#/components/schemas/Request", "components": described["components"]}
    assert list(Draft202012Validator(wanted).iter_errors({"instances": asked})) == []
    for odd in ("bm8gaW1hZ2U=", "no base64", "A" * 400_000, asked[0]["image"][:40], 5):
        with pytest.raises(ProblemError) as caught:
            loaded.schema.check([{"image": odd}])
        (detail,) = caught.value.details
        assert detail["path"] == "instances[0].image"
        assert detail["expected"] == "a PNG or JPEG image of at most 262144 bytes, in base64"
        assert str(odd)[:30] not in detail["got"] or odd == 5
    assert schema.TYPES == pictures.TYPES
    metadata = (folder / "packed/MLmodel").read_text()
    assert IMAGES in metadata
    assert LENGTHS in metadata
    assert "pillow==" in (folder / "packed/requirements.txt").read_text()


def bomb(width: int) -> bytes:
    """A PNG of some bytes whose head declares pixels without end."""
    head = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


NOISE = file_of(np.random.default_rng(1).integers(0, 255, (20, 20)))
GOOD = file_of(np.arange(64).reshape(8, 8))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (bomb(100_000), "no PNG or JPEG file"),
        (bomb(5_000), "5000 x 5000 pixels large; at most 16,000,000"),
        (bomb(500), "not whole, or damaged"),
        (NOISE[: len(NOISE) // 2], "not whole, or damaged"),
        (file_of(np.zeros((8, 8)), "GIF"), "no PNG or JPEG file"),
        (b"", "no PNG or JPEG file"),
        (b"\x89PNG\r\n\x1a\n", "no PNG or JPEG file"),
        (GOOD + b"x" * 2000, "at most 1,336, 1,000 bytes"),
    ],
)
def test_what_is_no_image_is_refused_before_it_costs_anything(content, says):
    with pytest.raises(PictureError, match=says):
        picture_of(text_of(content), 1000)


def test_an_address_before_it_is_no_base64():
    with pytest.raises(PictureError, match="no address before it"):
        picture_of(f"data:image/png;base64,{text_of(GOOD)}", 10_000)


def test_greys_of_any_size_and_colour_become_one_square():
    colour = np.zeros((30, 50, 3))
    colour[..., 1] = 255
    cells = [text_of(file_of(np.full((8, 8), 255))), text_of(file_of(colour, "JPEG")), None]
    found = Pictures().fit(cells).transform(np.array(cells, dtype=object)[:, None])
    assert found.shape == (3, 256)
    assert found[0] == pytest.approx(1.0)
    assert 0.4 < found[1].min() <= found[1].max() < 0.8
    assert found[2] == pytest.approx(0.0)


def test_quality_names_what_is_no_image_with_its_count(tmp_path):
    rows = [text_of(GOOD)] * 200 + ["bm8gaW1hZ2U="] * 3
    write_table(
        canonical(pd.DataFrame({"image": rows, "label": ["a", "b"] * 101 + ["a"], "at": range(203)})),
        str(tmp_path / "t"),
    )
    checks = check_quality(str(tmp_path / "t"), {**COLUMNS, "exclude": []}, {"max_duplicates": 1})["checks"]
    (found,) = [one for one in checks if one["name"] == "column image images"]
    assert (found["passed"], found["detail"]) == (False, "3 rows: it is no PNG or JPEG file")
    (wrong,) = [
        one
        for one in check_quality(str(tmp_path / "t"), {"target": "label", "images": ["at"]}, {})["checks"]
        if one["name"] == "column at images"
    ]
    assert "holds integer values" in wrong["detail"]


def test_a_folder_that_is_none_of_images_is_refused_by_name(tmp_path, capsys):
    def said(*names: str, output: str = "t.jsonl") -> str:
        place = tmp_path / f"f{len(list(tmp_path.iterdir()))}"
        place.mkdir()
        for name in names:
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_bytes(GOOD)
        assert main(["data", "images", str(place), "-o", str(tmp_path / output)]) == 2
        return capsys.readouterr().err

    assert "holds no image" in said()
    assert "notes.txt: is no image" in said("a/1.png", "a/notes.txt")
    assert "2.png: has no class, and others have" in said("a/1.png", "2.png")
    assert "allowed a file that ends in .jsonl" in said("a/1.png", output="t.csv")
    assert not (tmp_path / "t.jsonl").exists()


FILE = """name: local
target: {{kind: local}}
stage: mature
systems:
  - name: digits
    purpose: Read digits.
    risk: {{tier: minimal}}
    data: [{{name: digits, source: data/digits.jsonl, classification: public}}]
    model: {{modality: {modality}, target: label{more}}}
"""


def test_images_are_declared_and_what_does_not_fit_is_one_line():
    system = loads(FILE.format(modality="image", more=", images: [image]").encode(), "a.yaml").spec.systems[0]
    assert system.untrainable() is None
    bare = loads(FILE.format(modality="image", more="").encode(), "a.yaml").spec.systems[0]
    assert bare.untrainable() == "model.images does not say which columns hold images"
    for modality, more, says in (
        ("tabular", ", images: [image]", "model.images: is given for a model of tabular; write modality: image"),
        ("image", ", image_bytes: 9", "model.image_bytes: is given without images"),
        ("image", ", images: [label]", r"model.images\[0\]: names 'label', which is the target"),
        ("image", ", images: [image], settings: {workers: 2}", "settings.workers: is given for images"),
    ):
        with pytest.raises(SpecErrors, match=says):
            loads(FILE.format(modality=modality, more=more).encode(), "a.yaml")
    assert not {"images", "image_bytes"} & set(Columns.parse({"target": "y"}).document())
