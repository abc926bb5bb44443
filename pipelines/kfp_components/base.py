"""What every component runs in."""
# mypy: disable-error-code="untyped-decorator"
# Kubeflow's decorators have no types.

from importlib.metadata import version

from kfp import dsl

IMAGE = f"ghcr.io/mlstrata/runtime:{version('mlstrata')}"
"""Our own image of this version, with Python, kfp, `mlstrata-steps` and what its steps import.

A cluster's environment may pin it by digest or take it from a mirror: the environment
names the one it deploys.
"""

component = dsl.component(base_image=IMAGE, install_kfp_package=False)
