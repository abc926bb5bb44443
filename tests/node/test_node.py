"""What a cluster has, on the node of the tests: pods, names, services, volumes, enforced policies, the API for pods."""

import pytest

from tests.support.node.node import Node
from tests.support.node.pods import namespace, pod
from tests.support.patience import eventually

pytestmark = pytest.mark.usefixtures("machine")  # its images are the tests' node's
SPACE = "parts"
LISTEN = ("sh", "-c", "while true; do echo answer | nc -l -p 8080; done")


def ready(node: Node, *names: str) -> None:
    """Wait until pods are ready."""
    waits = ("wait", "-n", SPACE, "--for=condition=Ready", "--timeout=900s")
    answer = node.kubectl(*waits, *(f"pod/{name}" for name in names))
    assert answer.code == 0, answer.err + node.kubectl("describe", "pods", "-n", SPACE).out


def asks(node: Node, of: str, host: str) -> bool:
    """Say whether a pod gets an answer from a host."""
    answer = node.kubectl("exec", "-n", SPACE, of, "--", "sh", "-c", f"nc -w 3 {host} 8080 </dev/null")
    return answer.code == 0 and answer.out.strip() == "answer"


def test_pods_reach_each_other_by_name_until_a_policy_says_otherwise_and_keep_files_on_a_volume(node):
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept", "namespace": SPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server", "namespace": SPACE},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 8080}]},
    }
    kept = {"volumes": [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}]}
    kept |= {"mounts": [{"name": "kept", "mountPath": "/kept"}]}
    writes = pod("writer", SPACE, "sh", "-c", "echo whole >/kept/file && exec sleep 100000", **kept)
    node.must([namespace(SPACE), claim, service, pod("server", SPACE, *LISTEN), pod("client", SPACE), writes])
    ready(node, "server", "client", "writer")
    assert node.kubectl("logs", "-n", SPACE, "server").code == 0
    eventually(lambda: asks(node, "client", f"server.{SPACE}.svc.cluster.local"))
    eventually(lambda: node.kubectl("exec", "-n", SPACE, "writer", "--", "cat", "/kept/file").out == "whole\n")

    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": SPACE},
        "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"]},
    }
    node.must([policy])
    eventually(lambda: not asks(node, "client", "server"))
    allowed = {"from": [{"podSelector": {"matchLabels": {"app": "client"}}}], "ports": [{"port": 8080}]}
    node.must([policy | {"spec": {**policy["spec"], "ingress": [allowed]}}])
    eventually(lambda: asks(node, "client", "server"))
    assert not asks(node, "writer", "server"), "only the one that is allowed"

    assert node.kubectl("delete", "pod", "writer", "-n", SPACE, "--wait").code == 0
    node.must([pod("writer", SPACE, "sleep", "100000", **kept)])
    ready(node, "writer")
    assert node.kubectl("exec", "-n", SPACE, "writer", "--", "cat", "/kept/file").out == "whole\n"
    assert node.kubectl("delete", "namespace", SPACE, "--wait").code == 0


def test_a_pod_that_would_run_as_root_is_refused(node):
    node.must([namespace("closed")])
    asked = pod("root", "closed")
    asked["spec"]["securityContext"]["runAsUser"] = 0
    asked["spec"]["securityContext"]["runAsNonRoot"] = False
    answer = node.apply([asked])
    assert answer.code != 0
    assert "violates PodSecurity" in answer.err
