"""An ONNX file looked at as data: what it names outside of itself is refused before anything computes it.

The file is a protobuf message (onnx.proto, ONNX's own specification). It may keep tensors in other files, which a
runtime would open by any path, and use operators of libraries that a runtime would have to load. Its fields are walked
here without a library for it: serving has none, and must look, too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
"""Sets of operators that ONNX itself specifies."""
LARGEST = 512 * 2**20
"""Bytes of a file; what is larger has its tensors outside, as protobuf ends at 2 GiB."""

# Numbers of fields in onnx.proto.
_MODEL_GRAPH, _MODEL_OPSETS, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 8, 20, 25
_OPSET_DOMAIN = 1
_GRAPH_NODES, _GRAPH_TENSORS, _GRAPH_SPARSE = 1, 5, 15
_NODE_ATTRIBUTES, _NODE_DOMAIN = 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES = 22, 23
_TENSOR_ELSEWHERE, _TENSOR_LOCATION = 13, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_SPARSE_PARTS = (1, 2)
_VARINT, _EIGHT, _TEXT, _FOUR = 0, 1, 2, 5
_ELSEWHERE = "the ONNX file keeps data in {}; export it as one file (onnx.save, save_as_external_data: false)"
_DEEPEST = 32
_MORE, _LONGEST = 0x80, 64
# Runs of numbers, of which a forest has millions, each a field: passed over at once.
_RUN = re.compile(
    b"(?:[%b][\x80-\xff]{0,9}[\x00-\x7f]|[%b].{4})+"
    % tuple(b"".join(re.escape(bytes([at << 3 | kind])) for at in range(1, 16)) for kind in (_VARINT, _FOUR)),
    re.DOTALL,
)


class NotPlain(ValueError):
    """A file is no ONNX model, or needs something outside of itself; the message says what."""


def require_plain(content: bytes, beside: Collection[str] = ()) -> None:
    """Refuse a file that needs anything but ONNX's own operators and itself.

    Args:
        content: The file.
        beside: Names of files in its folder, in which its tensors may be.

    Raises:
        NotPlain: It is no ONNX model, is larger than `LARGEST`, keeps data elsewhere, or names other operators.
    """
    if len(content) > LARGEST:
        raise NotPlain(f"the ONNX file has {len(content)} bytes; allowed {LARGEST}")
    try:
        _model(memoryview(content), beside)
    except (IndexError, ValueError) as error:
        if isinstance(error, NotPlain):
            raise
        raise NotPlain("the file is no ONNX model; export the model anew") from error


def _model(model: memoryview, beside: Collection[str]) -> None:
    graphs = 0
    for number, value in _fields(model):
        if number == _MODEL_OPSETS:
            _require_known("".join(_text(one) for at, one in _fields(value) if at == _OPSET_DOMAIN))
        elif number in {_MODEL_FUNCTIONS, _MODEL_TRAINING}:
            what = "functions" if number == _MODEL_FUNCTIONS else "training graphs"
            raise NotPlain(f"the ONNX file brings {what} of its own; export the model with ONNX's operators alone")
        elif number == _MODEL_GRAPH:
            graphs += 1
            _graph(value, 0, beside)
    if not graphs:
        raise NotPlain("the file is no ONNX model: it has no graph; export the model anew")


def _graph(graph: memoryview, depth: int, beside: Collection[str]) -> None:
    if depth > _DEEPEST:
        raise NotPlain(f"the ONNX file nests graphs deeper than {_DEEPEST}")
    for number, value in _fields(graph):
        if number == _GRAPH_TENSORS:
            _tensor(value, beside)
        elif number == _GRAPH_SPARSE:
            _sparse(value, beside)
        elif number == _GRAPH_NODES:
            for at, one in _fields(value):
                if at == _NODE_DOMAIN:
                    _require_known(_text(one))
                elif at == _NODE_ATTRIBUTES:
                    _attribute(one, depth, beside)


def _attribute(attribute: memoryview, depth: int, beside: Collection[str]) -> None:
    for number, value in _fields(attribute):
        if number in {_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS}:
            _tensor(value, beside)
        elif number in {_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS}:
            _graph(value, depth + 1, beside)
        elif number in {_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES}:
            _sparse(value, beside)


def _sparse(tensor: memoryview, beside: Collection[str]) -> None:
    for number, value in _fields(tensor):
        if number in _SPARSE_PARTS:
            _tensor(value, beside)


def _tensor(tensor: memoryview, beside: Collection[str]) -> None:
    for number, value in _fields(tensor, numbers=True):
        if number == _TENSOR_LOCATION and not beside:
            raise NotPlain(_ELSEWHERE.format("another file"))
        if number == _TENSOR_ELSEWHERE:
            key, place = (_text(dict(_fields(value)).get(at, value[:0])) for at in (_ENTRY_KEY, _ENTRY_VALUE))
            if not beside or (key == "location" and place not in beside):
                raise NotPlain(_ELSEWHERE.format(repr(place[:_LONGEST]) if beside else "another file"))


def _require_known(domain: str) -> None:
    if domain not in DOMAINS:
        raise NotPlain(
            f"the ONNX file uses operators of {domain[:_LONGEST]!r}; allowed {', '.join(DOMAINS[1:])}: those of other "
            "libraries are not loaded"
        )


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8")


def _fields(message: memoryview, *, numbers: bool = False) -> Iterator[tuple[int, memoryview]]:
    """Yield the fields of a message that are messages, texts or packed; with `numbers`, all."""
    at, nothing = 0, message[:0]
    while at < len(message):
        if not numbers and (run := _RUN.match(message, at)):
            at = run.end()
            continue
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        value = nothing
        if kind == _VARINT:
            found, at = _varint(message, at)
            # A number that is 0 says what a field that is not there says.
            if numbers and found:
                yield number, nothing
            continue
        if kind == _TEXT:
            size, at = _varint(message, at)
            value = message[at : at + size]
        elif kind in {_EIGHT, _FOUR}:
            size = 8 if kind == _EIGHT else 4
        else:
            raise ValueError("wire type")
        at += size
        if at > len(message):
            raise ValueError("cut off")
        if kind == _TEXT or numbers:
            yield number, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & ~_MORE) << shift
        if byte < _MORE:
            return value, at
    raise ValueError("varint")
