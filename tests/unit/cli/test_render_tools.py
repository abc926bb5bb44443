"""`mlstrata render --for`: Applications in waves, Kustomizations by what they depend on, and both as they are asked."""

import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from mlstrata.cli.main import main
from mlstrata.components.upstream.bill import BILL
from mlstrata.environments import Workspace, load_with_places
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed
from mlstrata.operations.policy_check import planned
from mlstrata.operations.render.argocd import ROOT as ARGOCD_ROOT
from mlstrata.operations.render.argocd import WAVE, ArgoCD
from mlstrata.operations.render.files import kustomizations, text_of, write
from mlstrata.operations.render.flux import ROOT as FLUX_ROOT
from mlstrata.operations.render.flux import Flux
from mlstrata.operations.render.manifests import Rendered, manifests
from mlstrata.operations.render.units import LABEL, Unit, named, waves

ROOT = Path(__file__).parents[3]
REPO = "https://git.example.com/ml/environments.git"
RELEASES = "/metadata/annotations/mlstrata.io~1releases"


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return manifests(planned(Deployment(Workspace(ROOT), load_with_places(ROOT / "environments/dev.yaml"))))


@pytest.fixture(scope="module")
def applications(rendered):
    files = ArgoCD(REPO, "main", "clusters/dev").files("dev", rendered.units)
    return {name: document for name, (document,) in files.items()}


@pytest.fixture(scope="module")
def flux(rendered):
    return Flux("", "main", "clusters/dev").files("dev", rendered.units)


def needs(rendered: Rendered) -> list[tuple[str, str, str]]:
    """Unit, a unit that must be there before it, and why: read in the objects, not in the order that is judged."""
    objects = [
        (name.split("/")[0], yaml.safe_load(text))
        for name, text in rendered.files.items()
        if "/" in name and not name.endswith("kustomization.yaml")
    ]
    spaces = {one["metadata"]["name"]: unit for unit, one in objects if one["kind"] == "Namespace"}
    units = {one.name: one for one in rendered.units}
    brings = {
        group: [f"{piece.name}-crds"] if piece.crd_source else [one for one in units if one.startswith(piece.name)]
        for piece in BILL
        for group in {name.partition(".")[2] for name in piece.crds}
    }
    operators = {
        group: [name for name in units if re.fullmatch(rf"{piece.name}(-\d)?", name)]
        for piece in BILL
        for group in {name.partition(".")[2] for name in piece.crds}
    }
    found = []
    for unit, one in objects:
        group = one["apiVersion"].rpartition("/")[0]
        space = one["metadata"].get("namespace")
        if space in spaces and spaces[space] != unit:
            found.append((unit, spaces[space], f"its namespace {space}"))
        found += [(unit, other, f"the definitions of {group}") for other in brings.get(group, []) if other in units]
        found += [(unit, other, f"the operator of {group}") for other in operators.get(group, [])]
    for unit in units.values():
        space = (unit.chart or {}).get("namespace")
        if space in spaces:
            found.append((unit.name, spaces[space], f"the namespace {space} of its chart"))
    return found


def test_the_walk_sees_what_it_judges(rendered):
    found = needs(rendered)
    assert ("database", "cloudnative-pg", "the operator of postgresql.cnpg.io") in found
    assert ("database", "cloudnative-pg-crds", "the definitions of postgresql.cnpg.io") in found
    assert ("cert-manager", "cert-manager-namespace", "the namespace cert-manager of its chart") in found
    assert ("registry", "platform", "its namespace mlstrata-dev") in found


def test_no_application_is_in_a_wave_before_what_it_needs(rendered, applications):
    wave = {
        path.removeprefix("argocd/").removesuffix(".yaml"): int(one["metadata"]["annotations"][WAVE])
        for path, one in applications.items()
        if path != ARGOCD_ROOT
    }
    assert set(wave) == {one.name for one in rendered.units}
    assert not [(one, why) for one, other, why in needs(rendered) if not wave[other] < wave[one]]
    assert len(set(wave.values())) > 4


def test_each_kustomization_depends_on_what_it_needs(rendered, flux):
    made = {
        path.removeprefix("flux/").removesuffix(".yaml"): one["spec"]
        for path, (one,) in flux.items()
        if path.startswith("flux/")
    }
    assert set(made) == {one.name for one in rendered.units}
    after = {name: {one["name"] for one in spec.get("dependsOn", [])} for name, spec in made.items()}
    assert set().union(*after.values()) <= {named("dev", name) for name in made}, "nothing depends on what is not there"
    whole = {name: set(others) for name, others in after.items()}
    for _ in made:  # as long as the longest way at most
        for name, others in whole.items():
            whole[name] = others.union(*(whole[one] for one in made if named("dev", one) in others))
    assert not [(one, why) for one, other, why in needs(rendered) if named("dev", other) not in whole[one]]
    assert not [name for name in made if named("dev", name) in whole[name]], "something waits for itself"
    assert all(spec["wait"] for spec in made.values()), "what is not ready is not there"


@pytest.mark.parametrize("tool", ["argocd", "flux"])
def test_each_document_is_what_the_tools_own_definitions_take(rendered, applications, flux, tool):
    closed = yaml.safe_load((Path(__file__).parent / "deployers.yaml").read_text(encoding="utf-8"))
    judges = {key: jsonschema.Draft202012Validator(schema) for key, schema in closed.items()}
    own = Flux(REPO, "main", "clusters/dev").files("dev", rendered.units)
    of_flux = [one for found in (flux, own) for documents in found.values() for one in documents]
    documents = list(applications.values()) if tool == "argocd" else of_flux
    # A kustomization is the one of a folder of charts, which the test of folders builds.
    judged = [one for one in documents if "metadata" in one]
    assert len(judged) > len(rendered.units)
    for one in judged:
        judge = judges[f"{one['apiVersion']} {one['kind']}"]
        assert not [error.message for error in judge.iter_errors(one)]
        assert list(judge.iter_errors({**one, "spec": {**one["spec"], "mistyped": 1}})), "the definition is open"


def test_definitions_are_never_pruned(applications, flux):
    assert applications["argocd/cert-manager-crds.yaml"]["spec"]["syncPolicy"]["automated"]["prune"] is False
    assert applications["argocd/cert-manager.yaml"]["spec"]["syncPolicy"]["automated"]["prune"] is True
    assert flux["flux/cert-manager-crds.yaml"][0]["spec"]["prune"] is False


def test_charts_are_sources(rendered, applications, flux):
    source = applications["argocd/cert-manager.yaml"]["spec"]["source"]
    assert (source["repoURL"], source["chart"]) == ("quay.io/jetstack/charts", "cert-manager")
    assert source["helm"]["skipCrds"] is True
    named_by_index = applications["argocd/cloudnative-pg.yaml"]["spec"]["source"]
    assert named_by_index["repoURL"] == "https://cloudnative-pg.github.io/charts"
    (repository,), (release,) = (flux[f"charts/cert-manager/{one}.yaml"] for one in ("repository", "release"))
    assert repository["spec"] == {"type": "oci", "url": "oci://quay.io/jetstack/charts", "interval": "1h"}
    assert release["spec"]["install"]["crds"] == "Skip"
    charts = [one.name for one in rendered.units if one.chart and one.chart["kind"] == "chart"]
    assert {path.split("/")[1] for path in flux if path.startswith("charts/")} == set(charts)


@pytest.mark.parametrize(
    ("unit", "which", "pointers"),
    [
        (
            "system-mortgage-approval",
            ("SeldonDeployment", "mortgage-approval"),
            [RELEASES, "/spec/annotations/mlstrata.io~1version", "/spec/annotations/mlstrata.io~1model-digest"],
        ),
        ("system-mortgage-approval", ("HTTPRoute", "mortgage-approval-stop"), ["/spec/rules"]),
        ("system-mortgage-forest", ("CronJob", "scoring-mortgage-forest"), [RELEASES]),
    ],
    ids=["a release", "a stop", "a release of what scores"],
)
def test_what_others_write_is_no_difference(applications, flux, unit, which, pointers):
    rules = applications[f"argocd/{unit}.yaml"]["spec"]["ignoreDifferences"]
    (rule,) = (one for one in rules if (one["kind"], one["name"]) == which)
    assert rule["jsonPointers"] == pointers
    rules = flux[f"flux/{unit}.yaml"][0]["spec"]["ignore"]
    (rule,) = (one for one in rules if (one["target"]["kind"], one["target"]["name"]) == which)
    assert rule["paths"] == pointers


def test_every_folder_builds_as_it_is(rendered, tmp_path):
    write(tmp_path / "out", {**rendered.files, **kustomizations(rendered.files)})
    built = subprocess.run(
        ["kubectl", "kustomize", tmp_path / "out"], capture_output=True, text=True, check=True, timeout=300
    )
    objects = [one for one in yaml.safe_load_all(built.stdout) if one]
    assert len(objects) == rendered.objects
    there = {path.parent.name for path in (tmp_path / "out").glob("*/*.yaml")}
    assert all((tmp_path / "out" / folder / "kustomization.yaml").is_file() for folder in there)


def test_each_tool_has_what_it_applies_first(rendered, applications):
    assert applications[ARGOCD_ROOT]["spec"]["source"] == {
        "repoURL": REPO,
        "targetRevision": "main",
        "path": "clusters/dev/argocd",
    }
    (root,) = Flux("", "main", "").files("dev", rendered.units)[FLUX_ROOT]
    assert root["spec"]["path"] == "./flux"
    assert root["spec"]["sourceRef"]["name"] == "flux-system"
    source, root = Flux(REPO, "main", "clusters/dev").files("dev", rendered.units)[FLUX_ROOT]
    assert source["spec"] == {"url": REPO, "ref": {"branch": "main"}, "interval": "10m"}
    assert root["spec"]["sourceRef"] == {"kind": "GitRepository", "name": "dev"}


def test_a_long_name_is_a_label_and_nobody_elses():
    names = {named("e" * 40, f"namespace-{letter}" + "s" * 39) for letter in "ab"}
    assert len(names) == 2
    assert all(len(one) <= LABEL for one in names)
    assert named("dev", "registry") == "dev-registry"


def test_units_that_need_each_other_are_refused_by_name():
    with pytest.raises(Failed, match="no order of a, b: "):
        waves([Unit("a", ("b",)), Unit("b", ("a",)), Unit("c", ())])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--for", "argo"], "--for: got 'argo'; allowed argocd, flux; did you mean 'argocd'?"),
        (["--for", "argocd", "--path", "dev"], "--repo: is missing"),
        (["--for", "flux", "--path", "../dev"], "--path: got '../dev'; allowed a folder inside the repository"),
        (["--for", "flux"], "is in no git repository"),
        (["--for", "flux", "--path", "dev", "--charts"], "--charts: does not go with --for"),
        (["--repo", REPO], "name it with --for"),
    ],
)
def test_what_a_tool_cannot_use_is_refused_before_anything_is_written(given, said, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(ROOT))
    assert main(["render", "dev", "-o", str(tmp_path / "out"), *given]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_same_documents_are_the_same_text(rendered):
    tool = Flux(REPO, "main", "clusters/dev")
    once, again = (tool.files("dev", rendered.units) for _ in range(2))
    assert {name: text_of(one) for name, one in once.items()} == {name: text_of(one) for name, one in again.items()}
