"""Whatever a slip does to an environment's file, a secret that was typed into it is in no message about it.

`MLSTRATA_MUTATIONS` sets how many files are tried, and a failure shows its file.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlstrata.cli.main import main

COUNT = int(os.environ.get("MLSTRATA_MUTATIONS", "150"))
SHIPPED = [path.read_text("utf-8") for path in sorted((Path(__file__).parents[2] / "environments").glob("*.yaml"))]
# Passwords, passphrases, words, one that YAML takes for an alias, tokens.
WORDS = (
    "hunter2hunter2",
    "Tr0ub4dor&3",
    "correct-horse-battery-staple",
    "zitronenfalter",
    "PLANTED-SECRET",
    "my_secret_word",
    "*sesamstrasse",
    "q8Zr2LmX0vT5cYp9Kd7WbN3s",
    "tok_4eC39HqLyjWD",
)
TELLING = ("password", "token", "api_key", "secret", "credentials", "passwd", "Authorization", "env", "aws_secret_key")
COMMANDS = (
    ["plan", "it"],
    ["plan", "it", "--json"],
    ["check", "it"],
    ["check", "it", "--format", "sarif"],
    ["check", "it", "--format", "junit"],
    ["render", "it", "--output", "rendered"],
    ["up", "it"],
    ["status", "it", "--json"],
    ["dossier", "it", "mortgage-approval", "--output", "dossier"],
)

# A secret in the document


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from _holders(item)


def _forms(word: str, old: object, rng: random.Random) -> Any:
    """Return a value with the word in it, as a person could have typed it in the place of another."""
    return rng.choice(
        (
            word,
            [word],
            [old, word],
            {"value": word},
            {word: old},
            f"https://admin:{word}@db.example.com/x",
            f"postgresql://{word}@db.example.com",
            f"s3://key:{word}@bucket/data.csv",
            f"Bearer {word}",
            f"password={word}",
            f"{old} {word}",
            f"line\n{word}\n",
            f"models:/{word}",
            f"{word}:fit",
            f"data/{word}.csv",
            f"{word}@sha256:{'0' * 64}",
            f"0 3 * * {word}",
            f"{word}d",
            f"{word}@example.com",
            {"kind": word},
            {rng.choice(TELLING): word},
        )
    )


def _planted(document: Any, word: str, rng: random.Random) -> None:
    holder = rng.choice(list(_holders(document)))
    if isinstance(holder, list):
        holder.insert(rng.randint(0, len(holder)), _forms(word, None, rng))
    elif rng.random() < 0.4 or not holder:
        key = rng.choice((*TELLING, "note", "valeu", word))
        holder[key] = _forms(word, "x", rng)
    else:
        key = rng.choice(list(holder))
        if rng.random() < 0.2:
            holder[word] = holder.pop(key)
        else:
            holder[key] = _forms(word, holder[key], rng)


def _moved(document: Any, rng: random.Random) -> None:
    """Swap two values, duplicate a part, or take one away, wherever they are."""
    one, other = rng.choice(list(_holders(document))), rng.choice(list(_holders(document)))
    places = [list(part) if isinstance(part, dict) else list(range(len(part))) for part in (one, other)]
    if not all(places):
        return
    at, to = (rng.choice(keys) for keys in places)
    what = rng.random()
    if what < 0.4:
        # Through YAML, as a part that holds itself is none.
        first, second = yaml.safe_load(yaml.safe_dump([one[at], other[to]]))
        one[at], other[to] = second, first
    elif what < 0.7:
        other[to] = yaml.safe_load(yaml.safe_dump(one[at]))
    elif isinstance(one, dict) and isinstance(other, dict):
        one[to] = one.pop(at)
    else:
        del one[at]


# Slips in the text


def _slip(text: str, word: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    indent = len(lines[at]) - len(lines[at].lstrip(" "))
    sign = rng.choice(("\t", ": ", "- ", "&a ", *"\"'[]{}*!%@`|>#?"))
    spot = rng.randrange(len(text))
    slips: tuple[Callable[[], str], ...] = (
        lambda: text[:spot],
        lambda: text[:spot] + sign + text[spot:],
        lambda: text[:spot] + text[spot + rng.randint(1, 9) :],
        lambda: text[:spot] + word + text[spot:],
        lambda: "".join([*lines[:at], " " * rng.randint(0, 7) + lines[at].lstrip(" "), *lines[at + 1 :]]),
        lambda: "".join([*lines[:at], "\t" + lines[at], *lines[at + 1 :]]),
        lambda: "".join([*lines[:at], lines[at], *lines[at:]]),
        lambda: "".join([*lines[:at], *lines[at + 1 :], lines[at]]),
        lambda: "".join([*lines[:at], " " * indent + f"{rng.choice(TELLING)}: {word}\n", *lines[at:]]),
        lambda: "".join([*lines[:at], " " * indent + f"{rng.choice(TELLING)} {word}\n", *lines[at:]]),
        lambda: "".join([*lines[:at], " " * indent + f"note: {rng.choice('*&!|@%`')}{word}\n", *lines[at:]]),
        lambda: "".join([*lines[:at], " " * indent + f"note: |\n{' ' * indent}  {word}\n", *lines[at:]]),
        lambda: "".join([*lines[:at], " " * indent + f"<<: {word}\n", *lines[at:]]),
        lambda: "".join([*lines[:at], " " * indent + f"? {word}\n", *lines[at:]]),
        lambda: "".join([*lines[:at], lines[at].rstrip("\n") + f": {word}\n", *lines[at + 1 :]]),
    )
    return rng.choice(slips)()


def mutated(seed: int) -> tuple[bytes, str]:
    """Return a file with slips and the secret that is in it."""
    rng = random.Random(seed)  # noqa: S311 - which mistakes are made is no secret
    word, text = rng.choice(WORDS), re.sub(r"(?m)^name: .*", "name: it", rng.choice(SHIPPED), count=1)
    if rng.random() < 0.75:
        document = yaml.safe_load(text)
        _planted(document, word, rng)
        for _ in range(rng.choice((0, 0, 1, 2))):
            _moved(document, rng)
        text = yaml.safe_dump(document, sort_keys=False, default_flow_style=rng.choice((None, False)))
    for _ in range(rng.choice((0, 1, 1, 2)) if word in text else 1):
        text = _slip(text or "\n", word, rng)
    content = text.encode()
    if rng.random() < 0.05:
        spot = rng.randrange(len(content) + 1)
        content = content[:spot] + rng.choice((b"\xff", b"\x00", b"\xef\xbb\xbf", b"\xe4")) + content[spot:]
    return content, word


@pytest.mark.parametrize("block", range(5))
def test_no_message_repeats_a_secret(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "environments" / "it.yaml"
    file.parent.mkdir()
    monkeypatch.chdir(tmp_path)
    refused = 0
    for seed in range(block, COUNT, 5):
        content, word = mutated(seed)
        file.write_bytes(content)
        code = main(["validate", "it", "--json"])
        told = capfd.readouterr()
        shown = f"seed {seed}\n{content.decode('utf-8', 'replace')}\n---\n"
        assert code in {0, 2}, shown + told.err
        errors = json.loads(told.out)[0]["errors"]
        assert (code == 2) == bool(errors)
        if not errors:
            continue
        refused += 1
        command = COMMANDS[seed % len(COMMANDS)]
        again = main(["validate", "it"]), main(command)
        text = capfd.readouterr()
        # What only a plan refuses, such as a learner that is not there, is no reason not to tell of the rest.
        assert again[0] == 2, (shown, text)
        assert again[1] == 2 or command[0] in {"status", "dossier"}, (shown, command, text)
        said = (json.dumps(errors) + text.err + text.out).lower()
        assert "traceback" not in said
        assert "unexpectedly" not in said
        for form in (word, word.strip("*")):
            repeating = [one for one in errors if form.lower() in json.dumps(one).lower()]
            assert form.lower() not in said, f"{shown}{repeating or text}"
    assert refused >= COUNT // 5 // 2, "most slips are refused"
