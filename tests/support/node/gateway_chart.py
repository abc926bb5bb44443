"""Envoy Gateway's own chart, from the Go module that its program is built from."""

import json
import subprocess
from pathlib import Path

from mlstrata.components.upstream.bill import piece

_TOOLS = Path(__file__).parents[3] / "tools/control-plane/envoy-gateway"
_MODULE = "github.com/envoyproxy/gateway"
NAME = "gateway-helm"
# What its release fills in; the environment's own values name the copies of the images.
_FILLED = {"${GatewayImage}": "", "${GatewayImagePullPolicy}": "IfNotPresent"}


def files() -> dict[str, str]:
    """Return the chart's files, as its release has them; its definitions come from elsewhere, as the bill says."""
    command = ["go", "mod", "download", "-json", f"{_MODULE}@{piece('envoy-gateway').version}"]
    done = subprocess.run(command, cwd=_TOOLS, capture_output=True, text=True, check=True)
    folder = Path(json.loads(done.stdout)["Dir"]) / "charts" / NAME
    found = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "/crds/crds/" not in str(path)
    }
    values = found.pop("values.tmpl.yaml")
    for name, value in _FILLED.items():
        assert name in values
        values = values.replace(name, value)
    assert "${" not in values
    return {**found, "values.yaml": values}
