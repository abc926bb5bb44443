"""What a folder of manifests is judged by: a standard, registries, exemptions that end, and what is known already.

Three sets have the shape of real installs (tests/data/manifests); each passes by its settings, and a fault is found.
"""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from mlstrata.operations.errors import UsageError
from mlstrata.operations.policy_check import check_manifests
from mlstrata.policies.core import manifest_settings
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.reports import render

DATA = Path(__file__).parents[2] / "data"
SETS = ("ingress-controller", "cert-manager", "kserve")
DAY = date(2026, 11, 30)
FAULTS = {
    "ingress-controller": (
        "            capabilities: {drop: [ALL]",
        "            privileged: true\n{0}",
        "is privileged",
    ),
    "cert-manager": ("      serviceAccountName: cert-manager\n", "      hostPID: true\n{0}", "hostPID is on"),
    "kserve": ('  - apiGroups: [""]\n', '  - {{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}}\n{0}', "'*'"),
}
"""What a fault is written at, how, and a word of its reason."""


@pytest.fixture(autouse=True)
def today(monkeypatch):
    monkeypatch.setattr("mlstrata.environments.days.today", lambda *_: DAY)


def blocking(folder, settings=None, **given):
    report = check_manifests(folder, settings=settings, **given).report
    return [(one.rule.id, one.subject, one.reason) for one in report.results if one.blocking]


@pytest.fixture(params=SETS)
def installed(request, tmp_path):
    """A set's folder, its settings, and what it blocks without them."""
    folder = Path(shutil.copytree(DATA / "manifests" / request.param, tmp_path / request.param))
    settings = tmp_path / f"{request.param}.yaml"
    shutil.copy(DATA / "manifest_settings" / settings.name, settings)
    return folder, settings, blocking(folder)


def test_a_set_passes_by_its_settings_and_a_planted_fault_is_found(installed):
    folder, settings, before = installed
    assert before, "without settings nobody's manifests pass"
    told = check_manifests(folder, settings=settings, accept=True).report
    assert told.passed
    assert check_manifests(folder, settings=settings).report == told, "what is known goes on passing"
    place, fault, word = FAULTS[folder.name]
    text = (folder / "install.yaml").read_text()
    assert text.count(place) >= 1
    (folder / "install.yaml").write_text(text.replace(place, fault.format(place), 1))
    (found,) = {one[0] for one in blocking(folder, settings)}
    assert found in {"sec-pod-restricted", "sec-no-wildcard-rbac"}
    assert any(word in reason for *_, reason in blocking(folder, settings))


def test_the_shapes_of_real_installs_raise_no_false_alarm(installed):
    """A class of ingresses is no ingress, names of secrets are no secrets, templates answer nobody."""
    _, _, before = installed
    assert not {one for one, *_ in before} & {"sec-tls-ingress", "sec-no-plaintext-secret", "aia-system-declared"}


POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop}}
spec:
  containers: [{{name: a, image: "acme/app@sha256:%s", securityContext: {context}}}]
""" % ("a" * 64)
CLOSED = """---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
"""


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    settings = tmp_path / "settings.yaml"

    def judged(context="{}", text="pods: baseline\nregistries: [docker.io/acme]\n", name="web", **given):
        (folder / "pod.yaml").write_text(POD.format(name=name, context=context) + CLOSED)
        settings.write_text(text)
        return blocking(folder, settings, **given)

    judged.folder, judged.settings = folder, settings
    return judged


@pytest.mark.parametrize(
    "context",
    [
        "{}",
        "{runAsUser: 0, runAsNonRoot: false, allowPrivilegeEscalation: true}",
        "{capabilities: {add: [CHOWN, NET_BIND_SERVICE, SYS_CHROOT]}}",
        "{seccompProfile: {type: RuntimeDefault}, procMount: Default}",
    ],
)
def test_baseline_asks_less_than_restricted(shop, context):
    assert shop(context) == []
    assert {one for one, *_ in shop(context, "registries: [docker.io/acme]\n")} == {"sec-pod-restricted"}


@pytest.mark.parametrize(
    "context",
    [
        "{privileged: true}",
        "{capabilities: {add: [SYS_ADMIN]}}",
        "{capabilities: {add: [NET_RAW]}}",
        "{procMount: Unmasked}",
        "{seccompProfile: {type: Unconfined}}",
        "{appArmorProfile: {type: Unconfined}}",
        "{seLinuxOptions: {type: spc_t}}",
        "{seLinuxOptions: {role: sysadm_r}}",
        "{windowsOptions: {hostProcess: true}}",
    ],
)
def test_baseline_is_asked(shop, context):
    ((policy, subject, _),) = shop(context)
    assert (policy, subject) == ("sec-pod-restricted", "web")


def test_an_image_without_a_registry_is_of_the_one_it_is_fetched_from(shop):
    assert {one for one, *_ in shop(text="pods: baseline\n")} == {"sec-image-registry-allowed"}
    assert shop(text="pods: baseline\nregistries: [docker.io/other]\n") != []


EXEMPTION = """exemptions:
  - {{policy: sec-pod-restricted, match: web, reason: legacy, approver: ann, ticket: T-1, expires: {day}}}
"""


def test_an_exemption_ends(shop):
    text = "registries: [docker.io/acme]\n" + EXEMPTION.format(day="2027-01-15")
    assert shop(text=text) == []
    assert {one for one, *_ in shop(text=text, name="other")} == {"sec-pod-restricted"}
    report = check_manifests(shop.folder, settings=shop.settings).report
    assert report.warnings == (f"{shop.settings}:3: exemption of sec-pod-restricted for 'web' (T-1) covers nothing in"
                               " shop: delete it",)  # fmt: skip
    shop(text=text)
    report = check_manifests(shop.folder, settings=shop.settings, as_of=date(2027, 1, 16)).report
    assert not report.passed
    assert "expired on 2027-01-15" in report.errors[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pods: strict\n", "pods: got 'strict'; allowed baseline, restricted"),
        ("registries: [ghcr.io]\n", r"settings\.yaml:1: .*got 'ghcr.io'; allowed a registry's host with the path"),
        ("regestries: []\n", "allowed registries, pods, exemptions, known; did you mean 'registries'"),
        (EXEMPTION.format(day="2029-01-01"), "over a year away"),
        (
            EXEMPTION.format(day="2027-01-01").replace("sec-pod-restricted", "aia-prohibited-practice"),
            "nobody can exempt",
        ),
        (EXEMPTION.format(day="2027-01-01").replace("{policy", "{environments: [prod], policy"), "environments"),
        ("known: none.json\n", "none.json: there is no such file; write it with --accept"),
        ("pods: [\n", "YAML"),
    ],
)
def test_a_malformed_file_stops_the_check_with_its_line(shop, text, words):
    with pytest.raises(UsageError, match=words):
        shop(text=text)


@pytest.mark.parametrize(
    "text", ["[", "{}", '{"form": 2, "known": []}', '{"form": 1, "known": [{"policy": 1}]}', "[" * 9999]
)
def test_a_file_of_known_findings_that_is_none_stops_the_check(shop, text):
    (shop.settings.parent / "known.json").write_text(text)
    with pytest.raises(UsageError, match=r"known\.json: is no file of known findings .*; write it with --accept anew"):
        shop(text="known: known.json\n")


def test_settings_that_are_not_there_are_told(shop):
    shop()
    with pytest.raises(UsageError, match=r"none\.yaml: there is no such file"):
        check_manifests(shop.folder, settings=shop.settings.with_name("none.yaml"))
    with pytest.raises(UsageError, match="names no file of known findings for --accept; add `known: FILE`"):
        check_manifests(shop.folder, settings=shop.settings, accept=True)


def test_what_is_known_is_shown_and_what_is_mended_is_told(shop):
    text = "registries: [docker.io/acme]\nknown: known.json\n"
    assert shop("{privileged: true}", text, accept=True) == []
    checked = check_manifests(shop.folder, settings=shop.settings)
    shown = render([(checked.report, checked.places)], "text")
    assert "WARN sec-pod-restricted" in shown
    assert "is privileged (known already)" in shown
    known = json.loads((shop.settings.parent / "known.json").read_text())["known"]
    assert shop("{}", text) == []
    (gone,) = check_manifests(shop.folder, settings=shop.settings).report.warnings
    assert gone.endswith("known.json: 1 of its findings are there no more; write it with --accept anew")
    new = shop("{privileged: true, procMount: Unmasked}", text)
    assert [reason for *_, reason in new] == ["'web': container a sees all of /proc"]
    assert len(known) > 1


def test_of_two_alike_one_entry_covers_one(shop):
    text = "registries: [docker.io/acme]\npods: baseline\nknown: known.json\n"
    assert shop("{privileged: true}", text, accept=True) == []
    shutil.copy(shop.folder / "pod.yaml", shop.folder / "twin.yaml")
    assert len(blocking(shop.folder, shop.settings)) == 1


FLEET = """
apiVersion: fleet.example.com/v1
kind: Fleet
metadata: {name: fleet, namespace: shop}
spec: {parts: [{template: {spec: {containers: [{name: a, image: "nginx:latest"}]}}}]}
"""


def test_a_kind_with_containers_that_nobody_knows_fails_until_somebody_looked(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "fleet.yaml").write_text(FLEET)
    ((policy, subject, reason),) = blocking(folder)
    assert (policy, subject) == ("sec-pod-restricted", "fleet")
    assert "no policy reads its kind" in reason
    settings = tmp_path / "settings.yaml"
    settings.write_text(EXEMPTION.format(day="2027-01-01").replace("match: web", "match: fleet"))
    report = check_manifests(folder, settings=settings).report
    assert report.passed
    assert report.worst["sec-pod-restricted"] is Outcome.EXEMPT


def test_the_shared_registries_are_none_of_ones_own():
    assert manifest_settings.registry("ghcr.io/acme/") == "ghcr.io/acme"
    assert manifest_settings.registry("registry.example.com:5000") == "registry.example.com:5000"
    for odd in ("ghcr.io", "docker.io/", "acme", "https://ghcr.io/acme", ""):
        assert manifest_settings.registry(odd) is None, odd
