"""YAML with a place for every node, read from events without recursion and within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from mlstrata.environments.loading.scalars import Scalar, resolve
from mlstrata.environments.redaction import is_public

Key = str | int
MOST_NODES = 100_000
MOST_UNFOLDED = 10_000
"""Nodes that aliases stand for: each is validated like a written one, and a short file can hold very many."""
DEEPEST = 40
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Mark(NamedTuple):
    """A place in a file; both count from 1."""

    line: int
    column: int


class Malformed(Exception):
    """The text is no document we read: what is wrong, where, and the fix."""

    def __init__(self, what: str, mark: Mark, fix: str) -> None:
        """Take what the loader shows."""
        super().__init__(what)
        self.what, self.mark, self.fix = what, mark, fix


class Finding(NamedTuple):
    """Something wrong that does not keep the rest from being read."""

    path: tuple[Key, ...]
    what: str
    mark: Mark
    fix: str


@dataclass
class Node:
    """A node of the document.

    Attributes:
        mark: where the value starts.
        value: of a scalar.
        items: of a list.
        entries: of a mapping: key to the key's place and the value.
        kind: scalar, list or mapping.
        size: nodes in it, itself included, with aliases counted as often as they are used.
        depth: levels in it, itself included.
    """

    mark: Mark
    kind: str
    value: Scalar = None
    items: list[Node] = field(default_factory=list)
    entries: dict[str, tuple[Mark, Node]] = field(default_factory=dict)
    merged: set[str] = field(default_factory=set)
    repeated: list[tuple[str, Mark, Mark]] = field(default_factory=list)
    size: int = 1
    depth: int = 1
    open: bool = False
    pending: tuple[str, Mark] | None = None

    def child(self, key: Key) -> tuple[Mark, Node] | None:
        """Return the place and the node under `key`; the place of an entry is its key's."""
        if self.kind == "mapping":
            return self.entries.get(str(key)) if isinstance(key, str) else None
        if self.kind == "list" and isinstance(key, int) and 0 <= key < len(self.items):
            return self.items[key].mark, self.items[key]
        return None


def parse(text: str) -> Node:
    """Read one YAML document.

    Raises:
        Malformed: it is no YAML, holds several documents, is too deep or too large once aliases are followed, or
            uses tags or keys that are not plain texts.
    """
    builder = _Builder()
    event: Any = None
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _translated(error, text) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise Malformed(
            "a character that YAML does not allow", mark, "remove it; control characters have no place here"
        ) from None
    if builder.too_much is not None:
        raise Malformed(_TOO_MUCH, builder.too_much, "write the values out")
    if builder.root is None:
        raise Malformed("the file is empty", Mark(1, 1), "describe the environment: name, target, stage and systems")
    return builder.root


_TOO_MUCH = "aliases that unfold to more than an environment needs"


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self.stack: list[Node] = []
        self.anchors: dict[str, Node] = {}
        self.documents = 0
        self.unfolded = 0
        self.too_much: Mark | None = None

    def take(self, event: yaml.Event) -> None:
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise Malformed("a second document starts here", mark, "keep one environment a file; remove '---'")
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event, mark)
            plain = event.implicit[0] and event.style in {None, ""}
            self._anchor(event, node := Node(mark, "scalar", resolve(event.value) if plain else event.value))
            self._place(node, event.value)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._refuse_tag(event, mark)
            if len(self.stack) >= DEEPEST:
                raise Malformed(f"nested deeper than {DEEPEST} levels", mark, "flatten it; no environment needs that")
            kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
            self._anchor(event, node := Node(mark, kind, open=True))
            self.stack.append(node)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            node = self.stack.pop()
            node.open = False
            self._place(node, None)
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._aliased(event.anchor, mark), None, mark)

    def _refuse_tag(self, event: yaml.Event, mark: Mark) -> None:
        if event.tag is not None and event.tag != "!":
            raise Malformed("a YAML tag (!…)", mark, "remove it; quotes make a text, plain digits a number")

    def _anchor(self, event: yaml.Event, node: Node) -> None:
        if event.anchor is not None:
            self.anchors[event.anchor] = node

    def _aliased(self, anchor: str, mark: Mark) -> Node:
        node = self.anchors.get(anchor)
        # A password that starts with '*' and has no quotes is an alias to YAML.
        name = anchor if is_public(anchor) else "…"
        if node is None:
            raise Malformed(f"an alias (*{name}) without an anchor", mark, f"write &{name} before it, or the value")
        if node.open:
            raise Malformed(f"an alias (*{name}) inside its own anchor", mark, "write the value out")
        self.unfolded += node.size
        if self.unfolded > MOST_UNFOLDED:
            self.too_much = self.too_much or mark
        return node

    def _place(self, node: Node, text: str | None, at: Mark | None = None) -> None:
        """Put a finished node where it belongs: root, list item, key or value."""
        mark = at or node.mark
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if parent.kind == "list":
            parent.items.append(node)
        elif parent.pending is None:
            if text is None:
                raise Malformed("a key that is not a plain text", mark, "write the key as a word")
            parent.pending = (text, mark)
            return
        else:
            self._enter(parent, *parent.pending, node)
            parent.pending = None
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.size > MOST_NODES or len(self.stack) + node.depth > DEEPEST:
            raise Malformed(_TOO_MUCH, mark, "write the values out")

    def _enter(self, parent: Node, key: str, mark: Mark, node: Node) -> None:
        if key == "<<":
            self._merge(parent, mark, node)
        elif key in parent.entries and key not in parent.merged:
            parent.repeated.append((key, mark, parent.entries[key][0]))
        else:
            parent.entries[key] = (mark, node)
            parent.merged.discard(key)

    def _merge(self, parent: Node, mark: Mark, node: Node) -> None:
        """Take over the entries of another mapping; the mapping's own win, and earlier sources win over later."""
        sources = node.items if node.kind == "list" else [node]
        if any(source.kind != "mapping" for source in sources):
            raise Malformed("a merge (<<) of something that is no mapping", mark, "merge an anchor of a mapping")
        for source in sources:
            for key, entry in source.entries.items():
                if key not in parent.entries:
                    parent.entries[key] = entry
                    parent.merged.add(key)


def place(root: Node, path: tuple[Key, ...]) -> Mark:
    """Return where `path` is, or its nearest parent that the file writes."""
    mark, node = root.mark, root
    for key in path:
        step = node.child(key)
        if step is None:
            break
        mark, node = step
    return mark


def to_data(root: Node) -> object:
    """Return the document as dicts, lists and scalars; its depth is bounded, so recursion is too."""
    if root.kind == "mapping":
        return {key: to_data(node) for key, (_, node) in root.entries.items()}
    if root.kind == "list":
        return [to_data(node) for node in root.items]
    return root.value


def repetitions(root: Node, path: tuple[Key, ...] = ()) -> Iterator[Finding]:
    """Yield the keys that a mapping has twice."""
    for key, mark, first in root.repeated:
        yield Finding((*path, key), f"the key is given twice, first in line {first.line}", mark, "remove one of them")
    for key, (_, node) in root.entries.items():
        yield from repetitions(node, (*path, key))
    for index, node in enumerate(root.items):
        yield from repetitions(node, (*path, index))


_SYMPTOMS = (
    ("undefined alias", "an alias (*…) without an anchor", "write the anchor (&…) before it, or the value"),
    ("mapping values are not allowed", "not valid YAML: a second ': '", "put a text that holds ': ' in quotes"),
    ("quoted scalar", "not valid YAML: a quote is not closed", "close the quote"),
    (
        "expected",
        "not valid YAML: something else is expected here",
        "look at the indentation, and for a bracket, brace or quote that is not closed, here or above",
    ),
    ("cannot start any token", "not valid YAML: a character that starts no value", "put the text in quotes"),
)


def _translated(error: yaml.MarkedYAMLError, text: str) -> Malformed:
    place = error.problem_mark or error.context_mark
    mark = Mark(place.line + 1, place.column + 1) if place else Mark(1, 1)
    lines = text.splitlines()
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    problem = f"{error.context} {error.problem}"
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Malformed("a tab indents the line", Mark(mark.line, line.index("\t") + 1), "indent with spaces")
    for symptom, what, fix in _SYMPTOMS:
        if symptom in problem:
            return Malformed(what, mark, fix)
    return Malformed("not valid YAML", mark, "look at the indentation, quotes and brackets, here and above")
