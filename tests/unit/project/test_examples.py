"""What the documentation shows is what the code takes: its examples are run."""

import re
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from mlstrata import components
from mlstrata.cli.application import app
from mlstrata.components import capability
from mlstrata.environments import Workspace, stages
from mlstrata.environments.loading.loader import loads
from mlstrata.pipelines.compile import compile_pipeline
from mlstrata.policies.core import manifest_settings
from mlstrata.policies.core.exemptions import of_workspace
from mlstrata.policies.core.rule import Level
from mlstrata.policies.frameworks import packs
from mlstrata.policies.judge import rules_of
from mlstrata.stacks.program import plan
from tests.support.recorded import record

ROOT = Path(__file__).parents[3]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def blocks(page: Path, language: str) -> list[str]:
    """Return a page's blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def written(page: Path, folder: Path) -> list[str]:
    """Write each block that begins with the name of its file into a folder; return the names."""
    found = {}
    for text in (*blocks(page, "python"), *blocks(page, "yaml")):
        if name := re.match(r"# ([\w./-]+\.(?:py|ya?ml))\n", text):
            found[name[1]] = text
    for name, text in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return list(found)


def test_the_policies_shown_are_loaded_with_their_levels_and_exemptions(tmp_path):
    names = written(ROOT / "docs/your-policies.md", tmp_path)
    ours = ("cost.py", "levels.yaml", "exemptions.yaml", "frameworks/house.yaml")
    assert set(names) == {f"policies/{name}" for name in ours} | {"shop.yaml"}
    workspace = Workspace(tmp_path)
    rules = {rule.id: rule for rule in rules_of(workspace)}
    assert rules["org-cost-centre"].number is None
    assert rules["life-retirement-date"].level is Level.MANDATORY
    (exemption,) = of_workspace(workspace, frozenset(rules), date(2026, 12, 1))
    assert exemption.policy == "org-cost-centre"
    (house,) = packs(tmp_path, ["house"], rules)
    assert [duty.rules for duty in house.duties] == [("org-cost-centre",), ()]
    shop = manifest_settings.read(tmp_path / "shop.yaml", "shop", frozenset(rules), date(2026, 12, 1))
    assert (shop.registries, shop.pods.value, shop.known) == (
        ("ghcr.io/acme",),
        "baseline",
        tmp_path / "shop-known.json",
    )
    assert [waiver.policy for waiver in shop.exemptions] == ["sec-no-wildcard-rbac"]


def test_the_pipeline_shown_compiles_with_its_step(tmp_path):
    assert set(written(ROOT / "docs/your-model.md", tmp_path)) >= {"pipelines/rounding.py", "pipelines/churn.py"}
    (declared,) = re.findall(r'pipeline: "(\S+)"', (ROOT / "docs/your-model.md").read_text(encoding="utf-8"))
    made = compile_pipeline(declared, tmp_path / "pipeline.yaml", workspace=Workspace(tmp_path))
    tasks = yaml.safe_load(made.read_text(encoding="utf-8"))["root"]["dag"]["tasks"]
    assert tasks["quality"]["inputs"]["artifacts"]["data"]["taskOutputArtifact"]["producerTask"] == "rounded"


@pytest.fixture
def contributed(tmp_path, monkeypatch):
    """Put the capability of CONTRIBUTING where the product's own are."""
    written(ROOT / "CONTRIBUTING.md", tmp_path)
    folder = tmp_path / "components/notices"
    (folder / "__init__.py").touch()
    monkeypatch.setattr(components, "__path__", [*components.__path__, str(folder.parent)])
    capability._own.cache_clear()
    row = eval((tmp_path / "environments/stages.py").read_text(), {"Entry": stages.Entry})  # noqa: S307 - our own page
    stages.register(row)
    yield
    stages.withdraw("notices")
    for name in [name for name in sys.modules if name.startswith("mlstrata.components.notices")]:
        del sys.modules[name]
    capability._own.cache_clear()


@pytest.mark.usefixtures("contributed")
def test_the_capability_shown_is_built_and_refused_where_it_is_not(tmp_path):
    text = "name: {0}\ntarget: {1}\nstage: prerequisites\ncapabilities: {{on: [notices]}}\n"
    local = loads(text.format("local", "{kind: local}").encode(), "local.yaml", "local").spec
    graph = record(lambda: plan(local, Workspace(tmp_path)) and None, stack="local")
    service = graph.one("Service", "notices")
    assert service.inputs["command"][1:3] == ["-m", "http.server"]
    assert graph.one("Ready", "notices-ready").inputs["checks"].keys() == {"notices"}
    cluster = loads(text.format("dev", "{kind: kubernetes, context: dev}").encode(), "dev.yaml", "dev").spec
    (refused,) = [one for one in capability.unbuilt(cluster) if "notices" in one]
    assert refused.startswith("capabilities.on[0]: capability 'notices' is not built for target 'kubernetes' yet")


# Whole files; what a page shows of a file, such as a cluster's own fields, its own test loads.
FILES = [
    (page, text)
    for page in PAGES
    for text in blocks(page, "yaml")
    if re.search(r"^target:", text, re.MULTILINE) and re.search(r"^name:", text, re.MULTILINE)
]


@pytest.mark.parametrize(("page", "text"), FILES, ids=[page.name for page, _ in FILES])
def test_every_environment_shown_is_valid(page, text):
    name = re.search(r"^name: (\S+)", text, re.MULTILINE)[1]
    assert loads(text.encode(), f"{name}.yaml", name).spec.name == name


def test_every_command_shown_is_one_and_has_the_options_shown():
    commands = get_command(app).commands
    shown = [
        (page.name, found[1], re.findall(r"(?<![\w-])--[a-z-]+", found[2]))
        for page in PAGES
        for text in [page.read_text(encoding="utf-8").replace("\\\n", " ")]
        for found in re.finditer(r"(?:^|[`$(/ ])mlstrata ([a-z]+)([^`|#&\n]*)", text, re.MULTILINE)
        if found[1] in commands or found[0].startswith("`")
    ]
    assert len(shown) > len(commands)
    for page, name, options in shown:
        assert name in commands, (page, name)
        known = {option for one in commands[name].params for option in (*one.opts, *one.secondary_opts)}
        assert set(options) <= known | {"--help"}, (page, name)
