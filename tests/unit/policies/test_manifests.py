"""Plain Kubernetes YAML goes through the same rules."""

import json

import pytest

from mlstrata.policies.adapters.kubernetes_yaml import ManifestError, read
from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.core.facts import Environment
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.fixtures.compliant_world import TODAY
from mlstrata.policies.reports.text import summary
from mlstrata.policies.rules import RULES

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - {name: web, image: "nginx:latest"}
---
# a template that renders to nothing
---
apiVersion: v1
kind: List
items:
  - apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata: {name: all}
    rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
"""


def checked(folder):
    environment = Environment(name="manifests", target="kubernetes", production=False)
    return evaluate(read(folder), environment, Calendar.on(TODAY), rules=RULES)


def test_what_is_wrong_is_found_and_named_by_its_file(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "web.yaml").write_text(DEPLOYMENT)
    (tmp_path / "readme.txt").write_text("not: [yaml")
    report = checked(tmp_path)
    failing = {rule for rule, outcome in report.worst.items() if outcome is Outcome.FAIL}
    assert failing == {
        "sec-image-digest-pinned",
        "sec-image-registry-allowed",
        "sec-pod-restricted",
        "sec-default-deny-network",
        "sec-no-wildcard-rbac",
        "rel-probes",
    }
    pinned = next(r for r in report.results if r.rule.id == "sec-image-digest-pinned")
    assert pinned.file == str(tmp_path / "deep" / "web.yaml")
    assert report.worst["aia-fria-present"] is Outcome.NOT_APPLICABLE
    assert not report.passed


def test_json_is_yaml_too(tmp_path):
    (tmp_path / "ns.json").write_text('{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}')
    (record,) = read(tmp_path)
    assert (record.type, record.name) == ("kubernetes:core/v1:Namespace", "a")


def test_words_are_read_as_kubernetes_reads_them(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {reviewed: 2026-05-01}}\n"
        "data: {operators: [=, '!='], at: 2026-05-01T10:00:00Z}\n"
    )
    (record,) = read(tmp_path)
    assert record.inputs["metadata"]["labels"] == {"reviewed": "2026-05-01"}
    assert record.inputs["data"] == {"operators": ["=", "!="], "at": "2026-05-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no Kubernetes objects"),
        ({"values.yaml": "a: 1"}, "holds no Kubernetes objects"),
        ({"a.yaml": "a: {{ .Values.b }}\nb: ["}, "not valid YAML"),
        ({"a.yaml": b"\xff\xfe\x00"}, "cannot be read"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, files, words):
    for name, text in files.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ManifestError, match=words):
        read(tmp_path)


def test_a_folder_must_be_one(tmp_path):
    with pytest.raises(ManifestError, match="is no folder"):
        read(tmp_path / "none")


SERVING = """
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {{name: approval, namespace: lending{labels}}}
spec: {{predictors: []}}
"""


@pytest.mark.parametrize(
    ("labels", "outcome"), [(", labels: {mlstrata.io/system: approval}", Outcome.PASS), ("", Outcome.FAIL)]
)
def test_a_system_is_declared_elsewhere_and_its_label_says_which(tmp_path, labels, outcome):
    (tmp_path / "approval.yaml").write_text(SERVING.format(labels=labels))
    assert checked(tmp_path).worst["aia-system-declared"] is outcome


@pytest.mark.parametrize(
    ("annotations", "outcome"),
    [
        ("{}", Outcome.NOT_APPLICABLE),
        ("{helm.sh/resource-policy: keep}", Outcome.PASS),
        ("{kustomize.toolkit.fluxcd.io/prune: disabled}", Outcome.PASS),
        ("{argocd.argoproj.io/sync-options: 'Delete=false,Prune=false'}", Outcome.PASS),
        ("{argocd.argoproj.io/sync-options: Prune=false}", Outcome.NOT_APPLICABLE),
    ],
)
def test_what_applies_a_manifest_is_not_pulumi(tmp_path, annotations, outcome):
    """Whether a store is protected is an option of Pulumi's, which no manifest can have."""
    claim = f"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: a, annotations: {annotations}}}\n"
    (tmp_path / "claim.yaml").write_text(claim)
    assert checked(tmp_path).worst["rel-protect-stateful"] is outcome


def test_what_hides_its_objects_is_counted_and_never_passes(tmp_path):
    hiding = {
        "application": ("argoproj.io/v1alpha1", "Application"),
        "release": ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        "overlay": ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    }
    for name, (version, kind) in hiding.items():
        (tmp_path / f"{name}.yaml").write_text(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\n")
    (tmp_path / "charts.yaml").write_text("- {component: gateway, name: envoy, kind: chart, version: v1}\n")
    assert sorted(checked(tmp_path).not_inspected) == ["application", "envoy", "overlay", "release"]


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_a_kustomization_need_not_say_what_it_is(tmp_path, name):
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    (tmp_path / name).write_text("resources: [web.yaml]\nhelmCharts: [{name: mlflow}]\n")
    report = checked(tmp_path)
    assert len(report.not_inspected) == 1
    assert "1 charts and bundles not inspected" in summary(report)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("resources: [web.yaml, more]", 0),
        ("resources: [web.yaml]\nnamePrefix: other-", 1),
        ("resources: [https://example.com/all.yaml]", 1),
        ("resources: [../elsewhere]", 1),
        ("resources: [absent.yaml]", 1),
        ("resources: [notes.txt]", 1),
    ],
    ids=["what is read anyway", "changed", "fetched", "above", "absent", "not read"],
)
def test_a_kustomization_of_what_is_read_anyway_hides_nothing(tmp_path, text, hidden):
    folder = tmp_path / "all"
    (folder / "more").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (folder / "web.yaml").write_text(DEPLOYMENT)
    (folder / "notes.txt").write_text(DEPLOYMENT)
    (folder / "kustomization.yaml").write_text(f"{text}\n")
    assert len(checked(folder).not_inspected) == hidden


FLEET = """
apiVersion: fleet.example.com/v1
kind: Fleet
metadata: {name: fleet, namespace: shop}
spec: {parts: [{template: {spec: {containers: [{name: a, image: "nginx:latest"}]}}}]}
"""
PATTERN = """
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: pattern}
spec: {rules: [{validate: {pattern: {spec: {containers: [{image: "registry.k8s.io/*"}]}}}}]}
"""


def test_a_kind_with_containers_that_nobody_knows_is_counted_and_never_passes(tmp_path):
    for name, text in {"fleet": FLEET, "pattern": PATTERN, "web": DEPLOYMENT}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    report = checked(tmp_path)
    assert report.unread == ("fleet",)
    assert "1 objects of unknown kinds not inspected" in summary(report)


@pytest.mark.parametrize(
    "text",
    [
        "kind: Pod\nspec: {containers: [{name: c, image: x}]}",
        "apiVersion: v1\nkind: 7\nspec: {containers: [{name: c, image: x}]}",
        "apiVersion: v1\nkind: pod\nspec: {containers: [{name: c, command: [sh]}]}",
        "apiVersion: apps/v2\nkind: Deployment\nspec: {template: {spec: {containers: [{name: c, image: x}]}}}",
        "- {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: x}]}}",
        "apiVersion: v1\nkind: PodList\nitems: {apiVersion: v1, kind: Pod, spec: {containers: [{name: c, image: x}]}}",
        "apiVersion: apps/v1\nkind: DaemonSet\nspec: {template: x}",
    ],
    ids=[
        "no version",
        "a number as kind",
        "small letters",
        "no such version",
        "a bare list",
        "a list of one",
        "no pod",
    ],
)
def test_what_may_run_passes_in_no_odd_dress(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    found = checked(tmp_path)
    assert any(one.blocking and one.rule.id == "sec-pod-restricted" for one in found.results)


def test_a_list_whose_items_are_none_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: List\nitems: {apiVersion: v1, kind: Pod}\n")
    with pytest.raises(ManifestError, match=r"a\.yaml:1: a List whose items are none"):
        read(tmp_path)


def test_a_deployment_of_openshift_may_leave_its_image_to_a_trigger(tmp_path):
    spec = "{triggers: [{type: ImageChange}], template: {spec: {containers: [{name: c, image: ' '}]}}}"
    (tmp_path / "a.yaml").write_text(f"apiVersion: apps.openshift.io/v1\nkind: DeploymentConfig\nspec: {spec}\n")
    assert not [one for one in checked(tmp_path).results if "nobody knows what runs" in one.reason]


def test_charts_alone_are_no_manifests(tmp_path):
    (tmp_path / "charts.yaml").write_text("- {component: gateway, name: envoy, kind: chart, version: v1}\n")
    with pytest.raises(ManifestError, match="holds no Kubernetes objects"):
        read(tmp_path)


HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
LAUGHS = "\n".join(f"  a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 9))


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}data:\n  a0: &a0 [x, x]\n{LAUGHS}\n",
        f"{HEAD}data: &x {{a: *x}}\n",
        f"{HEAD}data: {'[' * 100_000}{']' * 100_000}\n",
        f"{HEAD}data: {'{a: ' * 100_000}1{'}' * 100_000}\n",
    ],
    ids=["a billion", "itself", "lists", "mappings"],
)
def test_what_unfolds_without_end_is_refused_at_once(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ManifestError, match=r"a\.yaml: nested deeper than 200 levels, or more than 1,000,000 values"):
        read(tmp_path)


def test_aliases_and_numbers_of_any_length_are_read_or_refused(tmp_path):
    (tmp_path / "a.yaml").write_text(f"{HEAD}data: {{a: &a [x], b: *a}}\n---\n{HEAD}data: {{a: &a z}}\n")
    (tmp_path / "b.yaml").write_text(f"{HEAD}data: {{a: {'9' * 5000}}}\n")
    with pytest.raises(ManifestError, match="not valid YAML"):
        read(tmp_path)
    (tmp_path / "b.yaml").unlink()
    first, second = read(tmp_path)
    assert first.inputs["data"] == {"a": ["x"], "b": ["x"]}
    assert second.inputs["data"] == {"a": "z"}


@pytest.mark.parametrize(
    "spec",
    [[{"containers": []}], "containers", {"containers": "c"}, {"containers": ["c"]}, {"containers": {"name": "c"}}],
)
def test_a_pod_that_is_not_understood_never_passes(tmp_path, spec):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "a"}, "spec": spec}
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    found = checked(tmp_path)
    assert not found.passed
    assert any(one.blocking and one.rule.id == "sec-pod-restricted" for one in found.results)


SOUND = "{name: web, image: nginx}"


@pytest.mark.parametrize(
    "containers",
    [
        *("null", "[]", "nginx", "{name: web}", "[null]", "[nginx]", "[{name: web, image: null}]", "[{name: web}]"),
        *("[{name: web, image: ''}]", "[{name: web, image: ' '}]", "[{name: web, image: [nginx]}]"),
        *(f"[{SOUND}], initContainers: {odd}" for odd in ("[{name: web}]", "[nginx]", "nginx", SOUND)),
        f"[{SOUND}], ephemeralContainers: [{{name: look}}]",
        "[{name: web, image: nginx, securityContext: []}], securityContext: {}",
        f"[{SOUND}], securityContext: [runAsNonRoot]",
    ],
)
def test_a_pod_whose_containers_are_none_never_passes(tmp_path, containers):
    pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{containers: {containers}}}\n"
    (tmp_path / "pod.yaml").write_text(pod)
    found = [one for one in checked(tmp_path).results if one.rule.id == "sec-pod-restricted" and one.blocking]
    assert any("nobody knows what runs" in one.reason for one in found)
