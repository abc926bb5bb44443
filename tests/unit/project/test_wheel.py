"""The wheels hold our packages with their data and nothing else, and ask for all that they import."""

import ast
import sys
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.wheels import build

ROOT = Path(__file__).parents[3]
OWN = {"mlstrata", "mlstrata_steps", "pulumi_embedded"}
# Imported by what runs in an environment of its own only.
ELSEWHERE = {"seldon_core"}
TEMPLATE = "/repository/template/"
"""A repository of somebody else's, which has its own."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, zipfile.ZipFile]:
    found = build(tmp_path_factory.mktemp("wheels"))
    return {path.name.partition("-")[0]: zipfile.ZipFile(path) for path in found}


def files(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def asked(wheel: zipfile.ZipFile) -> dict[str, Requirement]:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    wanted = Parser().parsestr(wheel.read(name).decode()).get_all("Requires-Dist") or []
    return {canonicalize_name(one.name): one for one in map(Requirement, wanted) if one.marker is None}


def test_each_has_one_top_level_name(wheels: dict[str, zipfile.ZipFile]) -> None:
    assert set(wheels) == OWN
    for name, wheel in wheels.items():
        assert {file.partition("/")[0] for file in files(wheel)} == {name}


def test_no_environment_and_no_file_of_a_user_is_inside(wheels: dict[str, zipfile.ZipFile]) -> None:
    held = files(wheels["mlstrata"])
    ours = "mlstrata/environments/assessment/questions.yaml"
    assert {name for name in held if name.startswith("mlstrata/environments/") and name.endswith(".yaml")} == {ours}
    assert "mlstrata/policies/exemptions.yaml" not in held
    assert not [name for name in held if name.startswith("mlstrata/pipelines/steps")]


def test_every_module_and_its_data_are_inside(wheels: dict[str, zipfile.ZipFile]) -> None:
    held = files(wheels["mlstrata"])
    for room in ("components", "environments", "pipelines/kfp_components", "policies", "stacks"):
        assert {f"mlstrata/{path.relative_to(ROOT)}" for path in (ROOT / room).rglob("*.py")} <= held
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "mlstrata").rglob("*.py")} <= held
    assert {
        "mlstrata/py.typed",
        "mlstrata/components/upstream/bill.yaml",
        "mlstrata/environments/environment.schema.json",
        "mlstrata/locks/services.txt",
        "mlstrata/policies/PulumiPolicy.yaml",
        "mlstrata/services/catalog/templates/base.html",
        "mlstrata/services/catalog/templates/style.css",
        "mlstrata/stacks/__main__.py",
    } <= held
    # Whatever lies beside the code and is no code, apart from what belongs to a checkout.
    data = {str(path.relative_to(ROOT)) for path in (ROOT / "mlstrata").rglob("*") if path.is_file()}
    assert {name for name in data if "__pycache__" not in name} <= held


def test_they_ask_for_all_that_they_import(wheels: dict[str, zipfile.ZipFile]) -> None:
    providers = packages_distributions()
    for own, wheel in wheels.items():
        wanted = asked(wheel)
        for name, requirement in wanted.items():
            assert requirement.specifier.contains(version(name)), f"{own}: {requirement}: {version(name)} is here"
        # What mlstrata imports of a distribution of ours, that one asks for.
        reach = set(wanted) | {name for one in OWN if canonicalize_name(one) in wanted for name in asked(wheels[one])}
        sources = [file for file in files(wheel) if file.endswith(".py") and TEMPLATE not in file]
        imported = {top for file in sources for top in imports(wheel.read(file))}
        for top in imported - set(sys.stdlib_module_names) - OWN - ELSEWHERE:
            provided = {canonicalize_name(name) for name in providers[top]}
            assert provided & reach, f"{own} imports {top} and asks for none of {provided}"


def imports(source: bytes) -> set[str]:
    """Return the top-level names that a module imports; what is imported relatively is its own."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_the_versions_of_ours_that_mlstrata_asks_for_are_those_here(wheels: dict[str, zipfile.ZipFile]) -> None:
    wanted = asked(wheels["mlstrata"])
    for folder in ("packages/pulumi-embedded", "pipelines/steps"):
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert wanted[project["name"]].specifier.contains(project["version"])
