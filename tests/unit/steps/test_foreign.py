"""ONNX files that others made: matched with the declared columns by name or order, and refused with their own names."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mlstrata.services.serving import model as serving
from mlstrata.services.serving.admission import RefusedError, look
from mlstrata.services.serving.converted import ConvertedModel
from mlstrata_steps import StepError
from mlstrata_steps.brought import bring
from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import load
from mlstrata_steps.package import file_hash, package
from mlstrata_steps.tables import canonical, read_table, write_table
from mlstrata_steps.tasks import task_of
from mlstrata_steps.tasks.output import Probability

MADE = Path(__file__).with_name("made_elsewhere")
FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
NUMBERS = ["a", "b", "c"]
BINARY = {"target": "paid", "positive": "yes", "protected": ["sex"], "exclude": ["kind", "place", "worth"]}
KINDS = {"target": "kind", "protected": ["sex"], "exclude": ["paid", "place", "worth"]}
WORTH = {"target": "worth", "task": "regression", "protected": ["sex"], "exclude": ["kind", "place", "paid"]}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A table with a column of each kind, as the steps have it."""
    random, count = np.random.default_rng(0), 300
    a, b, c = (random.normal(size=count).astype("float32").astype("float64") for _ in range(3))
    frame = pd.DataFrame(
        {
            "a": a, "b": b, "c": c, "place": random.choice(["north", "south"], count),
            "sex": random.choice(["f", "m"], count), "paid": np.where(a + b > 0.3, "yes", "no"),
            "kind": np.select([a > 0.4, b > 0], ["x", "y"], "z"), "worth": 10 + 3 * a - b,
        }
    )  # fmt: skip
    path = str(tmp_path_factory.mktemp("rows") / "rows")
    write_table(canonical(frame), path)
    return path


def features(rows, names=NUMBERS):
    return feature_frame(read_table(rows), names)


def brought(rows, folder, content, columns=None):
    """Take a file as a system's model; return it as the steps read it, and what it is asked as."""
    columns = columns or BINARY
    file, target = folder / "theirs.onnx", str(folder / "model")
    file.write_bytes(content)
    found = bring(str(file), file_hash(str(file)), rows, target, columns)
    table = read_table(rows)
    return found, load(target), task_of(Columns.parse(columns), table), table


def asked(rows, folder, content, columns=None):
    found, model, task, table = brought(rows, folder, content, columns)
    return task.ask(model, feature_frame(table, list(found.features)))


def graph(nodes, inputs, outputs, constants=(), *, opset=21, ir=10):
    """A graph made by hand; inputs and outputs are (name, type, shape)."""
    made = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(constants).items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    return model.SerializeToString()


def scored(inputs=(("given", FLOAT, ["n", 3]),), outputs=(("chance", FLOAT, ["n", 1]),), last="Sigmoid", **others):
    """A linear model by hand."""
    weights = {"w": np.array([[1.0], [1.0], [0.0]], dtype="float32")}
    nodes = [helper.make_node("MatMul", ["given", "w"], ["s"]), helper.make_node(last, ["s"], ["chance"])]
    return graph(nodes, inputs, outputs, weights, **others)


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("labels", [("no", "yes"), (0, 1)])
def test_a_tensor_of_floats_is_taken_by_the_order_of_the_columns(rows, tmp_path, zipmap, labels):
    table, given = read_table(rows), features(rows).to_numpy("float32")
    target = np.where(table["paid"] == "yes", labels[1], labels[0])
    theirs = GradientBoostingClassifier(n_estimators=5).fit(given, target)
    content = to_onnx(theirs, given[:1], options={"zipmap": zipmap}).SerializeToString()
    said = asked(rows, tmp_path, content)
    assert said == pytest.approx(theirs.predict_proba(given)[:, 1], abs=1e-6)
    assert load(str(tmp_path / "model")).content == content, "what is judged is what was fetched"


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_what_other_libraries_wrote_says_what_they_said(rows, tmp_path, library):
    """`said.json` has the versions that wrote the files, some rows, and what each library said of them itself."""
    told = json.loads((MADE / "said.json").read_text())
    _, model, task, _ = brought(rows, tmp_path, (MADE / f"{library}.onnx").read_bytes())
    said = task.ask(model, pd.DataFrame(told["rows"], columns=NUMBERS))
    assert said == pytest.approx(told["said"][library], abs=1e-6)


def test_a_column_is_told_by_its_label_where_the_graph_has_another_order(rows, tmp_path):
    table, given = read_table(rows), features(rows).to_numpy("float32")
    # To them "good" payers come first: the positive class of the file is their first one.
    theirs = LogisticRegression().fit(given, np.where(table["paid"] == "yes", "good", "late"))
    content = to_onnx(theirs, given[:1], options={"zipmap": False}).SerializeToString()
    with pytest.raises(StepError, match="classes are good, late; the target's are no, yes; which column"):
        brought(rows, tmp_path, content)
    swapped = LogisticRegression().fit(given, table["paid"] == "no")
    content = to_onnx(swapped, given[:1], options={"zipmap": True}).SerializeToString()
    said = asked(rows, tmp_path, content, BINARY | {"positive": "no"})
    assert said == pytest.approx(swapped.predict_proba(given)[:, 1], abs=1e-6)


def test_several_classes_by_name_whatever_their_order(rows, tmp_path):
    table, given = read_table(rows), features(rows).to_numpy("float32")
    theirs = RandomForestClassifier(10, random_state=0).fit(given, table["kind"].astype(object))
    content = to_onnx(theirs, given[:1], options={"zipmap": False}).SerializeToString()
    assert asked(rows, tmp_path, content, KINDS) == pytest.approx(theirs.predict_proba(given), abs=1e-6)
    # Two columns the other way round, with the label that goes with them.
    rule = {"w": np.eye(3, dtype="float32") * 9, "names": np.array([b"z", b"y", b"x"], dtype=object)}
    nodes = [
        helper.make_node("MatMul", ["given", "w"], ["s"]),
        helper.make_node("Softmax", ["s"], ["each"], axis=1),
        helper.make_node("ArgMax", ["s"], ["place"], axis=1, keepdims=0),
        helper.make_node("Gather", ["names", "place"], ["label"]),
    ]
    outputs = [("label", STRING, ["n"]), ("each", FLOAT, ["n", 3])]
    found, _, _, _ = brought(rows, tmp_path, graph(nodes, [("given", FLOAT, [None, 3])], outputs, rule), KINDS)
    assert found.matched.endswith("in the order 2, 1, 0")


def test_an_input_a_column_is_taken_by_its_name(rows, tmp_path):
    names = ["place", "b", "a"]
    table, given = read_table(rows), features(rows, names)
    prepare = make_column_transformer((OneHotEncoder(), ["place"]), ("passthrough", ["b", "a"]))
    theirs = make_pipeline(prepare, LogisticRegression()).fit(given, table["paid"] == "yes")
    types = [("place", StringTensorType([None, 1])), *((one, FloatTensorType([None, 1])) for one in names[1:])]
    content = convert_sklearn(theirs, initial_types=types, target_opset=15).SerializeToString()
    found, model, task, _ = brought(rows, tmp_path, content, BINARY | {"exclude": ["kind", "worth"]})
    assert found.features == ("place", "b", "a")
    assert task.ask(model, given) == pytest.approx(theirs.predict_proba(given)[:, 1], abs=1e-5)


def test_lists_and_a_number(rows, tmp_path):
    nodes = [helper.make_node("Sub", ["a", "b"], ["d"]), helper.make_node("Add", ["d", "one"], ["value"])]
    content = graph(
        nodes, [("a", FLOAT, ["n"]), ("b", FLOAT, ["n"])], [("value", FLOAT, ["n"])], {"one": np.float32(1)}
    )
    said, table = asked(rows, tmp_path, content, WORTH), features(rows)
    assert said == pytest.approx(table["a"] - table["b"] + 1, abs=1e-5)
    given = table.to_numpy("float32")
    theirs = LinearRegression().fit(given, read_table(rows)["worth"])
    assert asked(rows, tmp_path, to_onnx(theirs, given[:1]).SerializeToString(), WORTH) == pytest.approx(
        theirs.predict(given), abs=1e-4
    )


def test_a_probability_alone_is_that_of_the_positive_class(rows, tmp_path):
    table = features(rows)
    said = asked(rows, tmp_path, scored())
    assert said == pytest.approx(1 / (1 + np.exp(-table["a"] - table["b"])), abs=1e-6)


WIDE = [("given", FLOAT, ["n", 3])]


@pytest.mark.parametrize(
    ("made", "columns", "words"),
    [
        (lambda: b"no model at all", BINARY, "the file is no ONNX model"),
        (lambda: scored(ir=99), BINARY, "does not take the graph: .*IR version"),
        (lambda: scored(opset=99), BINARY, "does not take the graph: .*pset"),
        (lambda: scored([("given", FLOAT, [1, 3])]), BINARY, r"takes given: tensor\(float\) \(1, 3\); .*1 rows at a"),
        (lambda: scored([("given", TensorProto.FLOAT16, ["n", 3])], last="Sigmoid"), BINARY, "does not take the graph"),
        (scored, BINARY | {"exclude": ["kind", "worth", "place", "c"]}, "lets the model see 2: a, b"),
        (scored, BINARY | {"exclude": ["kind", "worth"]}, "none of it is place, which .*model.exclude"),
        (lambda: scored(last="Identity"), BINARY, "needed probabilities: let it end in Sigmoid"),
        (scored, KINDS, "gives 1 numbers a row; the target has 3 classes: x, y, z"),
        (
            lambda: graph(
                [helper.make_node("Identity", ["a"], ["p"]), helper.make_node("Identity", ["incom"], ["q"])],
                [("a", FLOAT, ["n", 1]), ("incom", FLOAT, ["n", 1])],
                [("p", FLOAT, ["n", 1])],
            ),
            BINARY,
            "takes a: tensor.float. .n, 1., incom: .*; incom is no column",
        ),
        (
            lambda: graph(
                [helper.make_node("Identity", ["sex"], ["p"])], [("sex", FLOAT, ["n", 1])], [("p", FLOAT, ["n", 1])]
            ),
            BINARY,
            "sex is the target, protected or excluded",
        ),
        (
            lambda: graph(
                [helper.make_node("Cast", ["a"], ["p"], to=FLOAT)], [("a", INT64, ["n", 1])], [("p", FLOAT, ["n", 1])]
            ),
            BINARY,
            "a takes a, which holds decimals, and is taken as int64",
        ),
        (
            lambda: graph(
                [helper.make_node("Identity", ["place"], ["p"])], [("place", FLOAT, ["n", 1])], [("p", FLOAT, ["n", 1])]
            ),
            BINARY | {"exclude": ["kind", "worth"]},
            "holds texts, and is taken as a number",
        ),
        (
            lambda: graph([helper.make_node("ArgMax", ["given"], ["label"], axis=1)], WIDE, [("label", INT64, None)]),
            BINARY,
            r"gives label: tensor\(int64\) .*; needed one output of probabilities",
        ),
        (
            lambda: graph(
                [helper.make_node("Identity", ["given"], ["u"]), helper.make_node("Neg", ["given"], ["v"])],
                WIDE,
                [("u", FLOAT, ["n", 3]), ("v", FLOAT, ["n", 3])],
            ),
            WORTH,
            "gives u: .*, v: .*; needed one output of numbers",
        ),
    ],
)
def test_what_does_not_match_is_refused_with_the_graphs_names_and_shapes(rows, tmp_path, made, columns, words):
    with pytest.raises(StepError, match=words) as refused:
        brought(rows, tmp_path, made(), columns)
    assert "\n" not in str(refused.value)


def test_a_text_or_whole_number_with_gaps_is_refused(rows, tmp_path):
    table = read_table(rows).assign(place=None, whole=pd.array([1, None] * 150, dtype="Int64"))
    table.loc[3, "place"] = "north"
    gappy = str(tmp_path / "gappy")
    write_table(table.astype({"place": "string"}), gappy)
    columns = BINARY | {"exclude": ["kind", "worth"]}
    for name, kind in (("place", STRING), ("whole", INT64)):
        nodes = [helper.make_node("Cast", [name], ["p"], to=FLOAT)]
        content = graph(nodes, [(name, kind, ["n", 1])], [("p", FLOAT, ["n", 1])])
        with pytest.raises(StepError, match=f"{name} takes {name}, which is missing in .* rows"):
            brought(gappy, tmp_path, content, columns)


def test_it_is_packed_as_it_is_and_served_by_onnx_alone(rows, tmp_path):
    _, model, task, table = brought(rows, tmp_path, scored())
    packed = tmp_path / "models/1"
    found = package(str(tmp_path / "model"), rows, str(packed), BINARY)
    assert found["onnx"]["rows"] == 0
    assert (packed / "model.onnx").read_bytes() == scored()
    look(packed)
    served, pipeline = serving.load("1", packed), serving.LoadedModel("1", packed)
    assert isinstance(served, ConvertedModel)
    asked = [{name: float(value) for name, value in row.items()} for row in features(rows).to_dict("records")[:9]]
    wanted = task.ask(model, features(rows))[:9]
    assert served.predict(asked) == pytest.approx(wanted, abs=1e-9)
    assert pipeline.predict(asked) == pytest.approx(wanted, abs=1e-9)
    text = (packed / "MLmodel").read_text()
    (packed / "MLmodel").write_text(text.replace("python_version", "data: other.onnx\n    python_version"))
    with pytest.raises(RefusedError, match=r"got data 'other\.onnx'"):
        look(packed)
    assert len(table) == len(features(rows))


def test_what_rounding_leaves_beyond_one_is_a_probability():
    said = Probability().read(np.array([1.0000001, -1e-7, 1.1]), 3)
    assert said.tolist() == [1.0, 0.0, 1.1]
