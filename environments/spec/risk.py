"""What the EU AI Act asks about a system."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from mlstrata.environments.spec.base import Spec
from mlstrata.environments.spec.text import Document, Flag


class Tier(StrEnum):
    """Axis: how much the Act asks of the system (Art. 5, 6 and 50)."""

    UNACCEPTABLE = "unacceptable"
    HIGH = "high"
    LIMITED = "limited"
    MINIMAL = "minimal"


class Role(StrEnum):
    """Axis: what the organisation is to the system in the Act's sense (Art. 3 and 25)."""

    PROVIDER = "provider"
    DEPLOYER = "deployer"
    IMPORTER = "importer"
    DISTRIBUTOR = "distributor"


class AnnexIII(StrEnum):
    """Axis: the point of Annex III that the system's purpose falls under."""

    REMOTE_IDENTIFICATION = "1a"
    BIOMETRIC_CATEGORISATION = "1b"
    EMOTION_RECOGNITION = "1c"
    CRITICAL_INFRASTRUCTURE = "2"
    EDUCATION_ADMISSION = "3a"
    EDUCATION_OUTCOMES = "3b"
    EDUCATION_LEVEL = "3c"
    EXAM_MONITORING = "3d"
    RECRUITMENT = "4a"
    WORK_DECISIONS = "4b"
    PUBLIC_BENEFITS = "5a"
    CREDITWORTHINESS = "5b"
    INSURANCE_PRICING = "5c"
    EMERGENCY_DISPATCH = "5d"
    VICTIM_RISK = "6a"
    LAW_ENFORCEMENT_POLYGRAPH = "6b"
    EVIDENCE_RELIABILITY = "6c"
    OFFENDING_RISK = "6d"
    INVESTIGATION_PROFILING = "6e"
    MIGRATION_POLYGRAPH = "7a"
    ENTRY_RISK = "7b"
    ASYLUM_EXAMINATION = "7c"
    MIGRATION_IDENTIFICATION = "7d"
    JUDICIAL_ASSISTANCE = "8a"
    ELECTION_INFLUENCE = "8b"


class Condition(StrEnum):
    """Axis: the condition of Art. 6(3) that takes an Annex III system out of the high tier."""

    NARROW_TASK = "a"
    IMPROVES_HUMAN_RESULT = "b"
    DETECTS_PATTERNS = "c"
    PREPARATORY_TASK = "d"


def _point(value: object) -> object:
    # Point 2 has no letter, so YAML reads it as a number.
    return str(value) if type(value) is int else value


# Editors hold the file against the schema before the loader turns the number into a text.
_POINTS = WithJsonSchema({"enum": [*(point.value for point in AnnexIII), 2]})


class Exemption(Spec):
    """Why a system under Annex III is not high risk; void as soon as it profiles people."""

    condition: Condition = Field(description="The condition of Art. 6(3) that is met: a, b, c or d.")
    memo: Document = Field(description="The documented assessment that Art. 6(4) asks for.")


class RiskSpec(Spec):
    """The system's place in the Act, as its owner declares it; policies check it against what is deployed."""

    tier: Tier = Field(description="Risk tier; required, since only its owner can declare it.")
    annex_iii: Annotated[AnnexIII, BeforeValidator(_point), _POINTS] | None = Field(
        default=None, description="Point of Annex III, 1a to 8b (point 2 has no letter); none: no point applies."
    )
    role: Role = Field(
        default=Role.DEPLOYER,
        description="What the organisation is to the system; deployer, as an organisation that runs a system is one.",
    )
    profiling: Flag = Field(
        default=False, description="It evaluates aspects of natural persons; off, and on voids any exemption."
    )
    annex_i: Flag = Field(
        default=False, description="It is a safety component of a product under Annex I; off, as few systems are."
    )
    public_body: Flag = Field(
        default=False,
        description="The organisation is a public body or acts for one; off, and on asks a deployer for a FRIA "
        "(Art. 27) and an entry in the EU database (Art. 49).",
    )
    public_service: Flag = Field(
        default=False,
        description="A private body provides a public service with it, such as health, schools or housing; off, and on "
        "asks a deployer for a FRIA (Art. 27).",
    )
    exemption: Exemption | None = Field(
        default=None,
        description="Art. 6(3): why a system under Annex III is not high risk; none is claimed by default.",
    )
