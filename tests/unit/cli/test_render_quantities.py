"""Quantities in a render: what the API server would write of them, so that nothing differs after it was applied."""

import pytest

from mlstrata.operations.render.quantities import canonical, normal


# Each pair as `resource.Quantity` of k8s.io/apimachinery has it: a text, and what becomes of it.
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        ("1.0", "1"),
        ("100m", "100m"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("320Mi", "320Mi"),
        ("1048576Ki", "1Gi"),
        ("0.5Ki", "512"),
        ("1023Mi", "1023Mi"),
        ("0", "0"),
        ("0Gi", "0"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("1000k", "1M"),
        ("128974848", "128974848"),
        ("200", "200"),
        ("16Ei", "16Ei"),
        ("100E", "100E"),
        ("0.0000000001", "1n"),
        ("1e3", "1e3"),
        ("unlimited", "unlimited"),
    ],
)
def test_a_quantity_is_written_as_kubernetes_writes_it(written, read):
    assert canonical(written) == read
    assert canonical(read) == read, "what is canonical stays"


def test_only_quantities_of_kubernetes_own_kinds_are_rewritten():
    container = {"name": "one", "args": ["1000m"], "resources": {"requests": {"cpu": "1000m"}, "limits": {"cpu": 2}}}
    spec = {"template": {"spec": {"containers": [container], "volumes": [{"emptyDir": {"sizeLimit": "1024Mi"}}]}}}
    made = normal({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "1000m"}, "spec": spec})
    pod = made["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"] == {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}
    assert pod["volumes"][0]["emptyDir"]["sizeLimit"] == "1Gi"
    assert pod["containers"][0]["args"] == ["1000m"]
    assert made["metadata"]["name"] == "1000m"
    of_an_operator = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "spec": {"requests": {"a": "1.0"}},
    }
    assert normal(of_an_operator) == of_an_operator
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": "1000", "requests.cpu": "0"}}}
    assert normal(quota)["spec"]["hard"] == {"pods": "1k", "requests.cpu": "0"}
    text = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"limits": {"cpu": "1000m"}}}
    assert normal(text) == text
