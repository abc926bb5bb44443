"""An ONNX file is looked at as data: nothing outside of it is opened, no operator of another library is used."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from mlstrata_steps.converted.file import NotPlain, require_plain


def outside(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def model(*, tensor=None, domain="", opset="", nested=None, function=None):
    """A file with one node, and what a test puts into it."""
    node = helper.make_node("Identity", ["x"], ["y"], domain=domain)
    if nested is not None:
        node.attribute.append(helper.make_attribute("body", nested))
    taken, given_ = (helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in "xy")
    graph = helper.make_graph([node], "g", [taken], [given_], [] if tensor is None else [tensor])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid(opset, 1)])
    if function is not None:
        made.functions.append(function)
    return made


def plain():
    return numpy_helper.from_array(np.arange(50, dtype="float64"), "w")


def test_a_file_of_onnx_alone_passes():
    require_plain(model(tensor=plain(), opset="ai.onnx.ml", nested=model(tensor=plain()).graph).SerializeToString())


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: model(tensor=outside(plain())), "data in another file"),
        (lambda: model(nested=outside(plain())), "data in another file"),
        (lambda: model(nested=model(tensor=outside(plain())).graph), "data in another file"),
        (lambda: model(domain="com.example"), "'com.example'"),
        (lambda: model(opset="com.microsoft"), "'com.microsoft'"),
        (lambda: model(nested=model(domain="com.example").graph), "'com.example'"),
        (lambda: model(function=helper.make_function("d", "f", [], [], [], [])), "functions of its own"),
    ],
)
def test_what_needs_anything_outside_is_refused(made, says):
    with pytest.raises(NotPlain, match=says):
        require_plain(made().SerializeToString())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content):
    with suppress(NotPlain):
        require_plain(content)


@given(st.integers(0, 300))
def test_a_file_that_is_cut_off_never_hides_what_it_names(at):
    content = model(tensor=outside(plain())).SerializeToString()
    with pytest.raises(NotPlain):
        require_plain(content[: min(at, len(content) - 1)])
