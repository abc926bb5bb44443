"""A file of 12 kB costs what 12 kB cost, however it is made: work is counted in calls, not in seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from mlstrata.environments import SpecError, SpecErrors, loads
from mlstrata.environments.spec.base import MOST_PROBLEMS

SIZE = 12_000
MOST_CALLS = 700_000
"""Of functions, Python's and built in; a plain file of that size has about a third."""
HEAD = "name: prod\ntarget: {kind: local}\nstage: scale\n"
SYSTEM = "systems:\n  - name: loans\n    purpose: Help.\n    risk: {tier: minimal}\n    model: {modality: tabular"


def filled(head: str, part: Callable[[int], str], tail: str = "", size: int = SIZE) -> str:
    """Return a text of `size` characters: a head, numbered parts, a tail."""
    count = (size - len(head) - len(tail)) // len(part(0))
    return head + "".join(map(part, range(count))) + tail


KEYS = ", ".join(f"k{number:03}: 1" for number in range(90))
HOSTILE = {
    "keys that nobody knows": filled(HEAD, lambda n: f"k{n:04}:\n"),
    "keys that are nearly right": filled(HEAD, lambda n: f"capabilitie{n:04}:\n"),
    "keys given twice": filled(HEAD, lambda n: f"a{n % 1000:03}: 1\n"),
    "systems that are none": filled(HEAD + "systems: [", lambda _: "{},", "]"),
    "names without an end": filled(HEAD + "teams: [", lambda n: f"{{name: t{n:05}}},", "]\ngpu_pools: [{teams: [x]}]"),
    "references that are nearly right": filled(HEAD + "teams: [", lambda n: f"{{name: team{n:04}}},", "]\n", SIZE // 2)
    + filled("gpu_pools: [{name: aa, accelerator: nvidia-l4, teams: [", lambda n: f"teem{n:04},", "]}]\n", SIZE // 2),
    "the same thing again": filled(HEAD + "teams: [", lambda _: "{name: team},", "]"),
    "capabilities that are none": filled(HEAD + "capabilities: {on: [", lambda n: f"backu{n:04},", "]}"),
    "a list of different things": filled(HEAD + SYSTEM + ", exclude: [", lambda n: f"c{n:04},", "]}"),
    "settings that nobody knows": filled(HEAD + SYSTEM + ", settings: {quality: {", lambda n: f"p{n:04}: 1,", "}}}"),
    "numbers that are texts": filled(HEAD + SYSTEM + ", settings: {parameters: {", lambda n: f"p{n:04}: 1e5,", "}}}"),
    "an alias of an alias": HEAD + "a: &a [" + "x," * 90 + "]\nb: &b [" + "*a," * 90 + "]\nteams: [" + "*b," * 90 + "]",
    "an alias of mistakes": filled(f"{HEAD}a: &a {{{KEYS}}}\nsystems: [", lambda _: "*a,", "]"),
    "a merge of merges": filled(f"{HEAD}a: &a {{{KEYS}}}\nteams: [", lambda _: "{<<: *a},", "]"),
    "a merge of many": filled(f"{HEAD}a: &a {{{KEYS}}}\nteams: [{{<<: [", lambda _: "*a,", "]}]"),
    "lists in lists": HEAD + "teams: " + "[" * SIZE,
    "keys of keys": "? " * (SIZE // 2),
    "a key without an end": HEAD + "k" * SIZE + ": 1",
    "a value without an end": HEAD.replace("scale", "capabilities " * (SIZE // 13)),
    "a number without an end": HEAD + "teams: [{gpu_quota: " + "9" * SIZE + "}]",
    "spaces after a number": HEAD + 'teams: [{gpu_quota: "5' + " " * SIZE + 'x"}]',
    "spaces around a duration": HEAD + 'retention: {logs: "' + " " * SIZE + '5 x"}',
    "slashes": HEAD + 'owner: "' + "//a:" * (SIZE // 4) + '"',
    "an address without an end": HEAD + 'owner: "a@b' + ".b" * (SIZE // 2) + '@"',
    "folders above folders": HEAD + SYSTEM + "}\n    documents: {fria: '" + "../" * (SIZE // 3) + "'}",
    "a schedule without an end": HEAD + SYSTEM + ", schedule: '* * * * " + "0," * (SIZE // 2) + "8'}",
    "letters and digits": HEAD.replace("scale", "a1" * (SIZE // 2)),
    "empty lines": HEAD + "\n" * SIZE + "x",
    "escapes": HEAD + 'owner: "' + "\\x41" * (SIZE // 4) + '"',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_costs_no_more_than_its_size(text: str) -> None:
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    told: tuple[SpecError, ...] = ()
    started = time.process_time()
    sys.setprofile(count)
    try:
        loads(text.encode(), "prod.yaml", "prod")
    except SpecErrors as caught:
        told = caught.errors
    finally:
        sys.setprofile(None)
    assert calls < MOST_CALLS
    # What a single call does, such as a regular expression: of the processor's own time, whoever else it serves.
    assert time.process_time() - started < 3
    assert len(told) <= 2 * MOST_PROBLEMS
    assert len("\n".join(map(str, told))) < 100_000
