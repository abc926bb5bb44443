"""The custom resource definitions of the operators, as their own files have them, and ours of what cannot be had."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.cluster import Cluster

OURS = Path(__file__).parents[1] / "cluster/definitions"
_NAME = re.compile(r"(?m)^metadata:(?: *\{|\n(?:^  .*\n)*?^  )name: ([a-z0-9.-]+)")
# Kinds that an environment makes; an API server takes seconds for each of the larger definitions.
USED = {
    *("certificates.cert-manager.io", "issuers.cert-manager.io", "clusterissuers.cert-manager.io"),
    *("gatewayclasses.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io"),
    *("httproutes.gateway.networking.k8s.io", "referencegrants.gateway.networking.k8s.io"),
    *("backends.gateway.envoyproxy.io", "backendtrafficpolicies.gateway.envoyproxy.io"),
    "httproutefilters.gateway.envoyproxy.io",
    *("clienttrafficpolicies.gateway.envoyproxy.io", "envoyproxies.gateway.envoyproxy.io"),
    *("securitypolicies.gateway.envoyproxy.io", "databases.postgresql.cnpg.io", "clusters.postgresql.cnpg.io"),
    *("scheduledbackups.postgresql.cnpg.io", "nodepools.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws"),
    *("nodeclaims.karpenter.sh", "nodeoverlays.karpenter.sh", "capacitybuffers.autoscaling.x-k8s.io"),
    "kwoknodeclasses.karpenter.kwok.sh",
    *("podmonitors.monitoring.coreos.com", "servicemonitors.monitoring.coreos.com"),
    *("prometheusrules.monitoring.coreos.com", "prometheuses.monitoring.coreos.com"),
    "probes.monitoring.coreos.com",
    *("alertmanagers.monitoring.coreos.com", "alertmanagerconfigs.monitoring.coreos.com"),
    "seldondeployments.machinelearning.seldon.io",
    *("externalsecrets.external-secrets.io", "clustersecretstores.external-secrets.io", "featurestores.feast.dev"),
}


def definitions(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield every definition's name with its text; as text, since reading all of them takes a minute."""
    for path in sorted(folder.rglob("*.yaml")):
        for text in re.split(r"(?m)^---\s*$", path.read_text(encoding="utf-8")):
            if "\nkind: CustomResourceDefinition\n" in f"\n{text}\n" and (found := _NAME.search(text)):
                yield found[1], text


def started(home: Path) -> Iterator[Cluster]:
    """Start a control plane that knows the kinds of the operators; stop it when the caller is done."""
    made = Cluster(home)
    try:
        made.start()
        folders = [path for name, path in made.programs.items() if name.startswith("definitions/")]
        there = dict(one for folder in [*folders, OURS] for one in definitions(folder))
        assert set(there) >= USED, sorted(USED - set(there))
        text = "\n---\n".join(there[name] for name in sorted(USED))
        done = made.kubectl("create", "-f", "-", stdin=text)
        assert done.code == 0, done.err
        done = made.kubectl("wait", "--for=condition=Established", "--timeout=600s", "crd", "--all")
        assert done.code == 0, done.err
        yield made
    finally:
        made.stop()
