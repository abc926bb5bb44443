"""The locks hold what pyproject asks for, with hashes and without addresses."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["dependency-groups"]
# Each lock and the groups that `tools/lock` resolves into it.
LOCKED = {
    "mlstrata": ("check", "services", "build"),
    "check": ("check", "build"),
    "services": ("services", "build"),
    "serving": ("serving", "build"),
    "test": ("check", "services", "build", "test"),
    "seldon": ("seldon", "build", "pytest"),
    "lint": ("lint",),
}


def requirements(group: str) -> list[str]:
    """What a group asks for, with the groups that it includes."""
    found: list[str] = []
    for entry in GROUPS[group]:
        found += requirements(entry["include-group"]) if isinstance(entry, dict) else [entry]
    return found


WANTED = {lock: [one for group in groups for one in requirements(group)] for lock, groups in LOCKED.items()}
WANTED["uv"] = ["uv"]


def entries(lock: str) -> dict[str, tuple[str, int]]:
    """Read a lock: name -> (version, number of hashes)."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)", line):
            found[canonicalize_name(match[1])] = (match[2], line.count("--hash=sha256:"))
    return found


@pytest.mark.parametrize("lock", WANTED)
def test_every_requirement_is_locked_to_a_version_it_allows(lock):
    locked = entries(lock)
    for text in WANTED[lock]:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name in locked, f"locks/{lock}.txt lacks {text}: run `make lock`"
        assert requirement.specifier.contains(Version(locked[name][0]), prereleases=True), (
            f"locks/{lock}.txt has {name} {locked[name][0]}, pyproject asks for {text}: run `make lock`"
        )


@pytest.mark.parametrize("lock", WANTED)
def test_every_locked_package_has_hashes_and_no_lock_has_an_address(lock):
    assert all(hashes for _, hashes in entries(lock).values())
    text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


def test_every_lock_and_every_group_is_known():
    assert {path.stem for path in (ROOT / "locks").glob("*.txt")} == set(WANTED)
    included = {one["include-group"] for group in GROUPS.values() for one in group if isinstance(one, dict)}
    assert included | {group for groups in LOCKED.values() for group in groups} == set(GROUPS)


@pytest.mark.parametrize("lock", ["check", "services", "serving", "test"])
def test_what_shares_the_environment_takes_its_versions(lock):
    whole, part = entries("mlstrata"), entries(lock)
    assert {name: version for name, (version, _) in part.items() if name in whole and whole[name][0] != version} == {}


def test_the_steps_have_a_version_of_their_own():
    steps = tomllib.loads((ROOT / "pipelines/steps/pyproject.toml").read_text(encoding="utf-8"))
    assert steps["project"]["name"] == "mlstrata-steps"
    assert Version(steps["project"]["version"])
