"""What holds for the whole environment: retention, licences, enforcement, capabilities switched."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import Problem, Spec, refuse, wrong
from mlstrata.environments.spec.quantities import Duration, format_duration, parse_duration
from mlstrata.environments.spec.text import Licence, Unique
from mlstrata.environments.stages import ENTRIES, TABLE, named


class Enforce(StrEnum):
    """Axis: when duties of the AI Act block a deployment."""

    NOW = "now"
    BY_DATE = "by_date"


class RetentionSpec(Spec):
    """How long things are kept."""

    predictions: Duration = Field(
        default=parse_duration("400d"),
        description="Recorded predictions; 400d, a year and a month, so the same month of last year can be compared.",
    )
    logs: Duration = Field(
        default=parse_duration("200d"),
        description="Logs and metrics; 200d, the six months the Act asks for (184d) and some days.",
    )
    documents: Duration = Field(
        default=parse_duration("10y"), description="Documents and evidence; 10y, what Art. 18 of the Act asks for."
    )
    features: Duration = Field(
        default=parse_duration("7d"),
        description="Values in the feature store, after they were computed; 7d, so that what a failed batch left "
        "behind is not taken for today's. The store's label mlstrata.io/ttl says it; a team's views are to keep to it.",
    )
    runs: Duration = Field(
        default=parse_duration("90d"),
        description="On this machine, what training and scoring leave that no released version needs, after the last "
        "use: files of runs, data snapshots, unfinished scores; 90d, a quarter, so that a failed run can be examined. "
        "At least 1d.",
    )
    caches: Duration = Field(
        default=parse_duration("30d"),
        description="On this machine, what is made again when it is needed, after the last use: results of steps, "
        "compiled pipelines, fetched models, environments of a system's own; 30d, so that what is used monthly stays. "
        "At least 1d.",
    )
    history: Duration = Field(
        default=parse_duration("400d"),
        description="Records of updates with a copy of the state each; 400d, as long as predictions. The newest ten "
        "stay, whatever their age. At least 1d.",
    )

    @model_validator(mode="after")
    def _outlasts_a_day(self) -> RetentionSpec:
        # A job that began today must find what it began with.
        refuse(
            Problem((name,), f"got '{format_duration(value)}'", "1d at least: a job may take that long")
            for name in ("runs", "caches", "history")
            if (value := getattr(self, name)) < timedelta(days=1)
        )
        return self


_LIMITING = ("BUSL-1.1", "SSPL-1.0", "Elastic-2.0")


class LicencesSpec(Spec):
    """Terms under which software may be part of the platform, as SPDX identifiers."""

    accept: Annotated[tuple[Licence, ...], Unique] = Field(
        default=("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0", "PostgreSQL"),
        description="Licences that are fine; the permissive ones and MPL-2.0, whose duties end at its own files.",
    )
    deny: Annotated[tuple[Licence, ...], Unique] = Field(
        default=_LIMITING,
        description="Licences that are refused; those that limit what one may do in production, but for accepted ones.",
    )

    @model_validator(mode="before")
    @classmethod
    def _accepted(cls, given: Any) -> Any:
        """Leave what is accepted out of the default: nobody has to say twice that somebody agreed."""
        if not isinstance(given, dict) or "deny" in given or not isinstance(accept := given.get("accept"), list):
            return given
        left = [one for one in _LIMITING if one not in accept]
        return given if len(left) == len(_LIMITING) else {**given, "deny": left}

    @model_validator(mode="after")
    def _decided(self) -> LicencesSpec:
        refuse(
            Problem(("deny", index), f"got {shown(licence)}, which accept names too", "remove it from one of the two")
            for index, licence in enumerate(self.deny)
            if licence in self.accept
        )
        return self


def _known(value: object) -> str:
    if isinstance(value, str) and value in ENTRIES:
        return named(value)
    raise wrong(", ".join(ENTRIES), among=ENTRIES)


CapabilityName = Annotated[
    str,
    PlainValidator(_known),
    # Those of extensions are known only where they are installed.
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": [str(entry.capability) for entry in TABLE]},
                {"type": "string", "pattern": "^[a-z][a-z0-9_]{1,39}$"},
            ]
        }
    ),
]


class Switches(Spec):
    """Capabilities switched on beyond the stage's own, or off."""

    on: Annotated[tuple[CapabilityName, ...], Unique] = Field(
        default=(), description="Capabilities added to the stage's own; none, as the stage is the plan."
    )
    off: Annotated[tuple[CapabilityName, ...], Unique] = Field(
        default=(), description="Capabilities of the stage that are left out; none, as the stage is the plan."
    )
