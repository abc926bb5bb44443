"""What a report says of a package's ONNX form."""

from __future__ import annotations

from mlstrata_steps.converted.form import METADATA, REASON, Form
from mlstrata_steps.outcome import Check


def form_of(package: str) -> tuple[Form | None, Check]:
    """Read which form of a packaged model answers, and why.

    Args:
        package: The folder that `package` wrote.

    Raises:
        FormError: Its metadata name a form that this code does not know.
    """
    from mlflow.models import Model

    metadata = Model.load(package).metadata or {}
    form = Form.of(metadata)
    if form is None:
        reason = (metadata.get(METADATA) or {}).get(REASON, "it was not converted")
        return None, Check("form", True, f"the pipeline itself answers: {reason}")
    if not form.rows:
        return form, Check("form", True, "ONNX answers: the model is an ONNX file")
    return form, Check("form", True, f"ONNX answers: equal to {form.gap:.0e} on {form.rows} rows")
