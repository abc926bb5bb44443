"""What every component runs in."""
# mypy: disable-error-code="untyped-decorator"
# Kubeflow's decorators have no types.

from kfp import dsl
from mlstrata_steps import __version__

IMAGE = f"mlstrata/steps-python:{__version__}"
"""The image that holds Python, kfp, `mlstrata-steps` of this version and what its steps import."""

component = dsl.component(base_image=IMAGE, install_kfp_package=False)
