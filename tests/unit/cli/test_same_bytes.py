"""Equal inputs give equal bytes, times aside: another process, with another seed for hashes, tells everything alike."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SEEDS = ("0", "1", "4711")
_TOLD = """
import sys
from mlstrata.cli.main import main
for arguments in (
    ["plan", "prod", "--json"], ["plan", "prod"],
    *(["check", "prod", "--format", one] for one in ("text", "json", "sarif", "junit", "markdown", "codequality")),
    ["check", "prod", "--format", "oscal"],
    ["images", "prod", "--json"], ["validate", "--json"], ["catalog", "local", "--json"],
    ["render", "staging", "--output", "rendered"],
    ["dossier", "prod", "mortgage-approval", "--output", "dossier", "--as-of", "2026-11-01"],
):
    print("\\n>>>", *arguments, flush=True)
    print("=", main(arguments), flush=True)
"""
_TIMES = re.compile(r'"seconds": [0-9.]+|\b[0-9]+\.[0-9] s\b')


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """What each process printed and wrote, by command and by file; at the same time, so that threads meet others."""
    homes = [tmp_path_factory.mktemp(f"seed{seed}") for seed in SEEDS]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _TOLD],
            cwd=home,
            env=os.environ | {"PYTHONHASHSEED": seed, "MLSTRATA_WORKSPACE": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for home, seed in zip(homes, SEEDS, strict=True)
    ]
    found = []
    for home, process in zip(homes, started, strict=True):
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        told = dict(part.partition("\n")[::2] for part in _TIMES.sub("TIME", out).split("\n>>> ")[1:])
        files = {str(one.relative_to(home)): one for one in sorted(home.rglob("*")) if one.is_file()}
        found.append({**told, **{name: file.read_bytes().decode("latin-1") for name, file in files.items()}})
    return found


def test_every_process_tells_the_same(runs: list[dict[str, str]]) -> None:
    first, *others = runs
    assert len(first) > 50
    assessed = json.loads(first["dossier/assessment-results.json"])["assessment-results"]["results"][0]
    systems = {one["title"] for one in assessed["local-definitions"]["components"]}
    assert systems == {"prod", "mortgage-approval"}, "the dossier's are of its own system"
    assert all(told.endswith("= 0\n") for command, told in first.items() if " " in command), first
    for other in others:
        assert list(other) == list(first)
        assert [name for name in first if other[name] != first[name]] == []
