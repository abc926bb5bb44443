"""How a version gets to the pods of a system on a cluster: names that what deploys and what releases share."""

from __future__ import annotations

VERSION = "mlstrata.io/version"
"""Annotation of a SeldonDeployment's spec, and so of its pods: the version they serve. Set by a release only."""

DIGEST = "mlstrata.io/model-digest"
"""Beside it: what the files of that version come to; a pod loads no others. Empty: nobody recorded it."""

RECORD = "mlstrata.io/releases"
"""Annotation of a SeldonDeployment, or of the CronJob that scores: releases and rollbacks, JSON. Set by a release."""

PREDICTOR, UNIT = "champion", "model"
"""Names of the predictor and of its one unit."""


def job_of(system: str) -> str:
    """Return the name of the CronJob that scores for a system."""
    return f"scoring-{system}"


def deployment_of(system: str) -> str:
    """Return the name of the Deployment that Seldon makes for a system.

    A system's name has 40 characters at most, so it stays below the 63 above which Seldon would use a hash.
    """
    return f"{system}-{PREDICTOR}-0-{UNIT}"
