"""A request for predictions, and what became of it: the same whichever way it came."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata.services.recording.record import MODEL
from mlstrata.services.serving.observing import SUBJECT_HEADER
from mlstrata.services.serving.settings import SHADOW_HEADER

if TYPE_CHECKING:
    from mlstrata.services.serving.model import ServedModel
    from mlstrata.services.serving.schema import RequestSchema

REQUEST_ID = "x-request-id"
VERSION = "x-mlstrata-version"
CONSUMER = "x-mlstrata-consumer"
_LONGEST_ID, _LONGEST_NAME = 128, 256
V2 = "v2-protocol"
"""The interface, of a request that came by the V2 protocol."""
Read = Callable[["RequestSchema"], list[dict[str, Any]]]


@dataclass(frozen=True)
class Asked:
    """Who asks what, before it is read.

    Attributes:
        id: The request's id.
        at: When it came, in seconds since 1970.
        begun: The same on the clock of `time.perf_counter`.
        api: The interface, such as v1.
        version: The version that a route names; None: the champion.
        consumer: Who asked; empty: not through the gateway.
        subject: Whom it is about, as the request says; empty: it does not.
        shadow: Whether nobody is given the answer.
    """

    id: str
    at: float
    begun: float
    api: str
    version: str | None = None
    consumer: str = ""
    subject: str = ""
    shadow: bool = False

    @classmethod
    def of(cls, headers: Mapping[str, str], api: str, given: str = "") -> Asked:
        """Read it from a request's headers; `given` is its id where they name none."""
        named = headers.get(REQUEST_ID, "") or given
        return cls(
            id=named if 0 < len(named) <= _LONGEST_ID else str(uuid.uuid4()),
            at=time.time(),
            begun=time.perf_counter(),
            api=api,
            version=headers.get(VERSION),
            consumer=headers.get(CONSUMER, "")[:_LONGEST_NAME],
            subject=headers.get(SUBJECT_HEADER, "").strip(),
            shadow=bool(headers.get(SHADOW_HEADER)),
        )

    @property
    def ms(self) -> float:
        """Return the milliseconds since it came."""
        return (time.perf_counter() - self.begun) * 1000


@dataclass(frozen=True)
class Explanation:
    """Why an answer is what it is: contributions that add up from the mean.

    Attributes:
        base: What the model says on average.
        contributions: Column to what it adds; `base` and they add up to the output.
        unit: Of all of them: `log_odds`, `probability` or `value`.
        method: `exact`, or `approximate`.
        of: The class that it is about, where there are several.
    """

    base: float
    contributions: Mapping[str, float]
    unit: str
    method: str
    of: str = ""

    def document(self) -> dict[str, Any]:
        """Give it as it is served."""
        about = {"of": self.of} if self.of else {}
        numbers = {"base": self.base, "contributions": dict(self.contributions)}
        return {**about, **numbers, "unit": self.unit, "method": self.method}


@dataclass(frozen=True)
class Row:
    """One instance of a request, and what became of it.

    Attributes:
        inputs: What the model was given.
        output: What it said, as its output contract has it; None: nothing that could be given out.
        source: Who answers: `model`, or what the fallback hands it to.
        flags: What was noticed of it.
        reasons: Why the model's answer does not stand; none: it does.
        explanation: Why it is what it is; None: none was made.
    """

    inputs: Mapping[str, Any]
    output: Mapping[str, Any] | None = None
    source: str = MODEL
    flags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    explanation: Explanation | None = None


@dataclass(frozen=True)
class Prediction:
    """What a version says of a request.

    Attributes:
        model: The version.
        values: What it gave, as its output contract reads it; None: it failed, or not all of it may be given out.
        rows: One an instance.
    """

    model: ServedModel
    values: Any
    rows: tuple[Row, ...]

    def answer(self, system: str, *, explained: bool, sourced: bool) -> dict[str, Any]:
        """Write the answer, without its request id.

        Args:
            system: The system.
            explained: Whether its file declares explanations.
            sourced: Whether it declares a fallback.
        """
        predictions = []
        for row in self.rows:
            if row.reasons:
                predictions.append({"source": row.source, "reasons": list(row.reasons)})
                continue
            told = dict(row.output or {})
            if sourced:
                told["source"] = row.source
            if explained:
                told["explanation"] = row.explanation.document() if row.explanation else None
            predictions.append(told)
        return {"predictions": predictions, "model": {"system": system, "version": self.model.version}}
