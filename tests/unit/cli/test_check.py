"""`mlstrata check` over what is really planned: exit codes, formats, days, manifests."""

import json
import shutil
from pathlib import Path

import pytest
import typer

from mlstrata.cli.check import check
from mlstrata.operations.errors import UsageError
from tests.support.command import copy_exemptions
from tests.support.company_policy import COST_CENTRE

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    shutil.copytree(
        ROOT / "environments", tmp_path / "environments", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    copy_exemptions(tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return tmp_path


def run(capsys, *names, as_of=None, output="json", manifests=None):
    try:
        check(list(names), as_of=as_of, output=output, manifests=manifests)
        code = 0
    except typer.Exit as stop:
        code = stop.exit_code
    return code, capsys.readouterr().out


def test_the_local_environment_passes_with_its_exemptions(workspace, capsys):
    code, out = run(capsys, "local")
    (report,) = json.loads(out)
    assert code == 0
    assert report["passed"]
    assert report["systems"] == [{"name": name, "tier": "high"} for name in ("consumer-credit", "mortgage-approval")]
    assert report["resources"] > 40
    exempt = {one["policy"] for one in report["results"] if one["outcome"] == "exempt"}
    assert "life-substantial-change-review" in exempt
    assert all(one["exemption"]["expires"] for one in report["results"] if one["outcome"] == "exempt")
    assert not list(workspace.glob(".pulumi*")), "a check leaves no state behind"


@pytest.mark.parametrize("name", ["dev", "staging"])
def test_the_kubernetes_environments_pass_with_theirs(workspace, capsys, name):
    code, out = run(capsys, name)
    (report,) = json.loads(out)
    assert code == 0, [one["policy"] for one in report["results"] if one["blocking"]]
    assert report["resources"] > 100
    exempt = {one["policy"] for one in report["results"] if one["outcome"] == "exempt"}
    assert {"sec-image-digest-pinned", "data-pii-encrypted-cmk"} <= exempt
    assert report["not_inspected"], "charts are counted, and never pass"


def test_an_environment_with_a_mirror_passes_as_it_does_without(workspace, capsys):
    """Its images come from a registry that the list of upstream accounts does not hold."""
    file = workspace / "environments/dev.yaml"
    mirror = "mirror: {registry: registry.example.com/mirror, files: https://files.example.com/mirror}\n"
    file.write_text(file.read_text() + mirror)
    code, out = run(capsys, "dev")
    (report,) = json.loads(out)
    assert code == 0, [(one["policy"], one["subject"]) for one in report["results"] if one["blocking"]]
    assert any("registry.example.com/mirror/" in one["reason"] for one in report["results"]), "it is used"


def test_an_exemption_that_ends_before_lets_nothing_pass_on_a_later_day(workspace, capsys):
    code, out = run(capsys, "prod", as_of="2027-12-02")
    blocking = {one["policy"] for one in json.loads(out)[0]["results"] if one["blocking"]}
    assert code == 1
    assert "sec-image-digest-pinned" in blocking


def test_production_passes_today(workspace, capsys):
    """It enforces every duty today, so that no day changes what blocks but the one on which an exemption ends."""
    code, out = run(capsys, "prod")
    (report,) = json.loads(out)
    assert code == 0, [(one["policy"], one["subject"]) for one in report["results"] if one["blocking"]]
    assert report["enforce"] == "now"
    assert {one["tier"] for one in report["systems"]} == {"high", "limited"}
    exempt = {one["policy"] for one in report["results"] if one["outcome"] == "exempt"}
    assert "sec-image-digest-pinned" in exempt
    assert not {"aia-prohibited-practice", "sec-no-plaintext-secret", "sec-no-wildcard-rbac"} & exempt


def test_the_day_the_duties_apply_blocks_what_only_warned(workspace, capsys):
    code, out = run(capsys, "local", as_of="2027-12-02")
    blocking = {one["policy"]: one for one in json.loads(out)[0]["results"] if one["blocking"]}
    assert code == 1
    assert {"aia-right-to-explanation", "aia-docs-retention-10y", "aia-fria-present"} <= set(blocking)
    lines = (ROOT / "environments/local.yaml").read_text().splitlines()
    assert lines[blocking["aia-docs-retention-10y"]["line"] - 1].strip().startswith("retention:")
    # What the learning loop brought is deployed, so the day changes nothing of it.
    assert not {"aia-request-logging", "aia-kill-switch", "aia-stage-supports-tier", "obs-drift-alert"} & set(blocking)


def test_text_names_the_file_and_line(workspace, capsys):
    _, out = run(capsys, "local", output="text")
    assert "2 systems at high risk" in out
    assert "local.yaml:" in out
    assert "0 fail" in out


def test_a_changed_file_fails_at_once(workspace, capsys):
    file = workspace / "environments/local.yaml"
    file.write_text(file.read_text().replace("stage: mature", "enforce: now\nstage: mature").replace("400d", "90d"))
    code, out = run(capsys, "local", output="text")
    assert code == 1
    assert "FAIL aia-log-retention-6m" in out
    assert "predictions are kept 90 days" in out


def test_a_prohibited_practice_is_refused_by_the_program_itself(workspace, capsys):
    import pulumi_embedded

    file = workspace / "environments/prod.yaml"
    file.write_text(file.read_text().replace("tier: high", "tier: unacceptable", 1))
    line = next(at for at, text in enumerate(file.read_text().splitlines(), 1) if "unacceptable" in text)
    where = rf"RunError: environments/prod\.yaml:{line}: systems\[0\]\.risk\.tier: mortgage-approval .*Article 5"
    with pytest.raises(pulumi_embedded.ProgramFailed, match=where):
        run(capsys, "prod")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"output": "yaml"}, "--format: got 'yaml'; allowed text"),
        ({"as_of": "soon"}, "--as-of: got 'soon'"),
        ({"manifests": "charts"}, "one of the two"),
    ],
)
def test_wrong_use_is_told(workspace, capsys, arguments, words):
    with pytest.raises(UsageError, match=words):
        run(capsys, "local", **arguments)


def test_no_names_and_no_folder_is_wrong_use(workspace, capsys):
    with pytest.raises(UsageError, match="one of the two"):
        run(capsys)


def test_malformed_exemptions_stop_the_check(workspace, capsys):
    (workspace / "policies/exemptions.yaml").write_text("exemptions:\n  - {policy: aia-prohibited-practice}\n")
    with pytest.raises(UsageError, match="exemptions"):
        run(capsys, "local")


OWN = """name: local
target: {kind: local}
stage: foundation
systems:
  - name: desk-router
    purpose: Suggest which desk a message belongs to.
    risk: {tier: minimal, role: deployer, practice: none, profiling: false, annex_i: false, contact: false}
    owner: desk@example.com
    model: {task: classification, modality: tabular, algorithm: logistic_regression, target: desk, data: messages}
    kpis: [{metric: auc, at_least: 0.6}]
    data: [{name: messages, source: data/messages.csv, classification: internal}]
"""


def test_a_system_of_ones_own_is_not_refused_for_exemptions_of_the_demo(workspace, capsys):
    """The shipped exemptions for local name systems that are gone: each is one warning, with the line to delete."""
    (workspace / "environments/local.yaml").write_text(OWN)
    (workspace / "data").mkdir()
    (workspace / "data/messages.csv").write_text("desk,length\n1,2\n0,4\n")
    code, out = run(capsys, "local")
    (report,) = json.loads(out)
    assert code == 0, [one for one in report["results"] if one["blocking"]]
    assert report["errors"] == []
    lines = (workspace / "policies/exemptions.yaml").read_text().splitlines()
    assert len(report["warnings"]) == sum(line.strip() == "environments: [local]" for line in lines) > 1
    for warning in report["warnings"]:
        place, _, said = warning.partition(": ")
        assert "covers nothing in local: delete it" in said
        assert lines[int(place.rpartition(":")[2]) - 1].startswith("  - policy: ")


def test_a_policy_of_the_workspace_blocks_like_ours(workspace, capsys):
    (workspace / "policies/cost.py").write_text(COST_CENTRE)
    code, out = run(capsys, "local")
    (report,) = json.loads(out)
    assert code == 1
    found = [one for one in report["results"] if one["policy"] == "org-cost-centre"]
    assert [(one["subject"], one["blocking"]) for one in found] == [
        ("consumer-credit", True),
        ("mortgage-approval", True),
    ]
    lines = (workspace / "environments/local.yaml").read_text().splitlines()
    assert [lines[one["line"] - 1].split()[-1] for one in found] == ["consumer-credit", "mortgage-approval"]
    assert found[0]["number"] is None
    text = (workspace / "environments/local.yaml").read_text()
    declared = text.replace("  - name: mortgage-approval\n", "  - name: mortgage-approval\n    cost_centre: '4711'\n")
    (workspace / "environments/local.yaml").write_text(declared)
    (report,) = json.loads(run(capsys, "local")[1])
    assert [one["subject"] for one in report["results"] if one["blocking"]] == ["consumer-credit"]
    raised = "levels:\n  org-cost-centre: advisory\n  life-retirement-date: mandatory\n"
    (workspace / "policies/levels.yaml").write_text(raised)
    (report,) = json.loads(run(capsys, "local")[1])
    assert {one["policy"] for one in report["results"] if one["blocking"]} == {"life-retirement-date"}


def test_a_broken_policy_of_the_workspace_is_told_with_its_line(workspace, capsys):
    (workspace / "policies/cost.py").write_text("import datetime\n\ndatetime.nothing\n")
    with pytest.raises(UsageError, match=r"policies/cost\.py:3: cannot be loaded: AttributeError"):
        run(capsys, "local")


def test_manifests_from_elsewhere(workspace, tmp_path, capsys):
    folder = tmp_path / "rendered"
    folder.mkdir()
    (folder / "role.yaml").write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: all}\n"
        'rules: [{apiGroups: [""], resources: ["*"], verbs: ["get"]}]\n'
    )
    code, out = run(capsys, manifests=str(folder), output="text")
    assert code == 1
    assert "FAIL sec-no-wildcard-rbac" in out
    assert "role.yaml" in out
    with pytest.raises(UsageError, match="is no folder"):
        run(capsys, manifests=str(tmp_path / "none"))


PAID_SETTINGS = """
from mlstrata.policies import Domain, Rule, fails
from mlstrata.policies.fixtures import having, passes, violates

KIND = "kubernetes:core/v1:ConfigMap"


def check(resource, context):
    if not resource.get("data.cost_centre"):
        yield fails("nobody pays for it", "set data.cost_centre")


RULE = Rule(
    id="org-settings-paid",
    title="Settings have a cost centre.",
    holds="somebody pays",
    references=("Finance handbook 4.3",),
    domain=Domain.ORGANISATION,
    types=(KIND,),
    resource=check,
    cases=(
        passes("one", having(KIND, "settings", {"data": {"cost_centre": "4711"}})),
        violates("none", having(KIND, "settings", {"data": {}})),
    ),
)
"""


def test_manifests_are_checked_by_the_policies_of_the_workspace_too(workspace, tmp_path, capsys):
    folder = tmp_path / "rendered"
    folder.mkdir()
    (folder / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n")
    (workspace / "policies/settings.py").write_text(PAID_SETTINGS)
    code, out = run(capsys, manifests=str(folder), output="text")
    assert code == 1
    assert "FAIL org-settings-paid" in out


def test_what_the_whole_of_some_manifests_is_asked_still_names_the_file(workspace, tmp_path, capsys):
    """Code scanning takes no result without a file."""
    folder = tmp_path / "rendered"
    folder.mkdir()
    file = folder / "settings.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {password: hunter2}\n")
    code, out = run(capsys, manifests=str(folder), output="sarif")
    (found,) = json.loads(out)["runs"][0]["results"]
    assert (code, found["ruleId"]) == (1, "sec-no-plaintext-secret")
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == file.as_uri()


def test_a_registry_of_ones_own_may_be_allowed_for_manifests(workspace, tmp_path, capsys):
    (tmp_path / "shop").mkdir()
    pod = {"containers": [{"name": "web", "image": f"ghcr.io/acme/app@sha256:{'0' * 64}"}]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "a"}, "spec": pod}
    (tmp_path / "shop/web.json").write_text(json.dumps(manifest))

    def failing(*registries):
        with pytest.raises(typer.Exit):  # its pod is not restricted
            check([], as_of=None, output="json", manifests=str(tmp_path / "shop"), registries=registries)
        (report,) = json.loads(capsys.readouterr().out)
        return {one["policy"] for one in report["results"] if one["outcome"] == "fail"}

    assert "sec-image-registry-allowed" in failing()
    assert "sec-image-registry-allowed" in failing("ghcr.io/ac"), "a part of a name is another account"
    assert "sec-image-registry-allowed" not in failing("ghcr.io/acme")
    assert "sec-image-registry-allowed" not in failing("example.com/x", "ghcr.io/acme/")
    assert "sec-pod-restricted" in failing("ghcr.io/acme")


@pytest.mark.parametrize("given", ["ghcr.io", "docker.io/", "acme", "https://ghcr.io/acme", ""])
def test_what_is_no_registry_of_ones_own_is_refused(workspace, tmp_path, given):
    (tmp_path / "web.yaml").write_text("{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n")
    with pytest.raises(UsageError, match=r"--registry: got '.*'; allowed a registry's host with the path"):
        check([], as_of=None, output="json", manifests=str(tmp_path), registries=[given])
    with pytest.raises(UsageError, match="--registry is for --manifests"):
        check(["local"], as_of=None, output="json", manifests=None, registries=["ghcr.io/acme"])
