"""What the EU AI Act asks about a system."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from mlstrata.environments.spec.base import Spec
from mlstrata.environments.spec.quantities import Day
from mlstrata.environments.spec.text import Document, Flag, Text, Unique, Word


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
    AUTHORISED_REPRESENTATIVE = "authorised_representative"


class Practice(StrEnum):
    """Axis: the practice of Art. 5(1) that the system is used for."""

    NONE = "none"
    MANIPULATION = "manipulation"
    VULNERABILITY = "vulnerability"
    SOCIAL_SCORING = "social_scoring"
    CRIME_PREDICTION = "crime_prediction"
    FACE_SCRAPING = "face_scraping"
    EMOTIONS_AT_WORK = "emotions_at_work"
    SENSITIVE_CATEGORISATION = "sensitive_categorisation"
    PUBLIC_IDENTIFICATION = "public_identification"
    INTIMATE_IMAGES = "intimate_images"
    CHILD_ABUSE_IMAGES = "child_abuse_images"


class Biometrics(StrEnum):
    """Axis: what the system does with biometric data (Art. 3(34) to (41))."""

    NONE = "none"
    VERIFICATION = "verification"
    IDENTIFICATION = "identification"
    CATEGORISATION = "categorisation"
    EMOTION_RECOGNITION = "emotion_recognition"


class Content(StrEnum):
    """Axis: synthetic content that the system generates (Art. 50(2))."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"


class Affected(StrEnum):
    """Axis: natural persons whom the system's output concerns."""

    APPLICANTS = "applicants"
    WORKERS = "workers"
    STUDENTS = "students"
    CONSUMERS = "consumers"
    PATIENTS = "patients"
    CITIZENS = "citizens"
    CHILDREN = "children"


class Part(StrEnum):
    """Axis: what the system's output does to a decision about a person."""

    DECIDES = "decides"
    EVALUATES = "evaluates"
    PREPARES = "prepares"
    NONE = "none"


class Law(StrEnum):
    """Axis: Union harmonisation law of Annex I that the product is covered by."""

    MACHINERY = "machinery"
    TOYS = "toys"
    RECREATIONAL_CRAFT = "recreational_craft"
    LIFTS = "lifts"
    EXPLOSIVE_ATMOSPHERES = "explosive_atmospheres"
    RADIO_EQUIPMENT = "radio_equipment"
    PRESSURE_EQUIPMENT = "pressure_equipment"
    CABLEWAYS = "cableways"
    PROTECTIVE_EQUIPMENT = "protective_equipment"
    GAS_APPLIANCES = "gas_appliances"
    MEDICAL_DEVICES = "medical_devices"
    IN_VITRO_DEVICES = "in_vitro_devices"
    CIVIL_AVIATION = "civil_aviation"
    VEHICLES = "vehicles"
    AGRICULTURAL_VEHICLES = "agricultural_vehicles"
    MARINE_EQUIPMENT = "marine_equipment"
    RAIL = "rail"


class AnnexIII(StrEnum):
    """Axis: the point of Annex III that the system's purpose falls under."""

    NONE = "none"
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


class ProductSpec(Spec):
    """The product under Annex I that the system is, or that it keeps safe."""

    law: Law = Field(description="Union harmonisation law that covers it; required, as its assessment hangs on it.")
    device_class: Word | None = Field(
        default=None,
        description="Class under that law, such as IIa or C; none: the law has no classes, or third_party says it.",
    )
    third_party: Flag | None = Field(
        default=None,
        description="A third party assesses its conformity; none: its class tells (medical devices from IIa, in vitro "
        "devices from B), and without one a third party is taken to.",
    )


def _several(value: object) -> object:
    # One role is written as one word.
    return [value] if isinstance(value, str) else value


_ROLE_NAMES = [role.value for role in Role]
_ROLES = WithJsonSchema(
    {
        "anyOf": [
            {"enum": _ROLE_NAMES},
            {"type": "array", "items": {"enum": _ROLE_NAMES}, "minItems": 1, "uniqueItems": True},
        ]
    }
)


class RiskSpec(Spec):
    """The system's place in the Act, as its owner declares it; policies check it against what is deployed."""

    tier: Tier = Field(description="Risk tier; required, and compared with the tier that the answers below lead to.")
    practice: Practice | None = Field(
        default=None,
        description="Practice of Art. 5 that it is used for, or none; not answered: `check` and `up` block it.",
    )
    annex_iii: Annotated[AnnexIII, BeforeValidator(_point), _POINTS] | None = Field(
        default=None,
        description="Point of Annex III, 1a to 8b (point 2 has no letter), or none; not answered: `check` asks for it.",
    )
    does: Part | None = Field(
        default=None,
        description="What it does there: decides, evaluates (scores, ranks), prepares, or none; not answered: an "
        "exemption under Art. 6(3) is not let pass.",
    )
    annex_i: Flag | None = Field(
        default=None,
        description="It is, or keeps safe, a product under Annex I that a third party assesses; not answered: `check` "
        "asks for it.",
    )
    product: ProductSpec | None = Field(
        default=None, description="That product, whose law and class answer annex_i; none: annex_i says it."
    )
    profiling: Flag | None = Field(
        default=None,
        description="It evaluates aspects of natural persons; not answered: no exemption is let pass, and `check` asks "
        "where data are personal.",
    )
    biometrics: Biometrics | None = Field(
        default=None,
        description="What it does with biometric data: verification (a person is who they say), identification, "
        "categorisation, emotion_recognition, or none; not answered: `check` asks where it works on images or sound.",
    )
    affects: Annotated[tuple[Affected, ...], Unique] | None = Field(
        default=None, description="Whom its output concerns, [] for nobody; not answered: `check` asks at tier high."
    )
    contact: Flag | None = Field(
        default=None,
        description="People interact with it directly (Art. 50(1)); not answered: `check` and `up` block it.",
    )
    generates: Annotated[tuple[Content, ...], Unique] | None = Field(
        default=None,
        description="Synthetic content it makes (Art. 50(2)): text, image, audio, video, [] for none; not answered: "
        "the model's task tells.",
    )
    disclosure: Text | None = Field(
        default=None,
        description="How people are told that they deal with AI (Art. 50(1), (3)), in a sentence; none: nobody is. "
        "A cluster writes it on what serves.",
    )
    role: Annotated[tuple[Role, ...], BeforeValidator(_several), Unique, _ROLES] = Field(
        default=(),
        description="What the organisation is to the system, one role or a list; none: a deployer, and a provider "
        "beside it where a model is trained here.",
    )
    provider: Text | None = Field(
        default=None,
        description="Name of the provider where that is somebody else although the model is trained here; none: who "
        "trains it is taken for its provider.",
    )
    deployer: Text | None = Field(
        default=None,
        description="Name of the deployer where that is somebody else although the system runs here; none: a provider "
        "that runs it is taken for its deployer too.",
    )
    placed: Day | None = Field(
        default=None,
        description="Day on which it was placed on the market or put into service, YYYY-MM-DD; none: not yet, so no "
        "grace period or Art. 111 applies.",
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

    @property
    def point(self) -> AnnexIII | None:
        """Return the point of Annex III; None where none applies, or nobody said."""
        return None if self.annex_iii is AnnexIII.NONE else self.annex_iii
