"""What a dossier is drafted from; whoever asks the platform passes it in, typed. No clock is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from mlstrata.environments.classification import roles_of
from mlstrata.environments.days import ZONE, day_of
from mlstrata.evidence.answers import Answer
from mlstrata.evidence.language import Language
from mlstrata.policies.core.live import GateOutcome
from mlstrata.policies.core.values import Value


@dataclass(frozen=True)
class Part:
    """A resource of the plan that belongs to the system or to the whole platform.

    Attributes:
        type: Its type.
        name: Its logical name.
        part: What it is to the system; empty where no label says so.
        own: It is the system's own.
    """

    type: str
    name: str
    part: str = ""
    own: bool = False


@dataclass(frozen=True)
class ModelVersion:
    """A registered version.

    Attributes:
        version: Its number.
        released: It answers requests now.
        registered: When it was registered; None where that is not known.
        run: The registry's run.
        pipeline_run: The pipeline's run.
        commit: Commit of the repository that declares the system.
        code_commit: Commit of the code, where it ran from an image.
        data_version: Hash of the data it was trained on.
        origin: Where it is from, with the hash of its files; empty: it was trained here.
        judged_on: Hash of the data that a model from elsewhere was judged on.
        unknown: What nobody knows of a model from elsewhere.
        metrics: What was measured; `x_low` and `x_high` are the bounds of the interval of `x`.
        settings: Parameters of the run.
        signature: What it takes and gives, as the model's file says.
        gates: What the gates found; None where nothing was recorded.
        reports: What its run wrote down, by the report's name: evaluation, quality, tuning, comparison.
    """

    version: str
    released: bool = False
    registered: datetime | None = None
    run: str = ""
    pipeline_run: str = ""
    commit: str = ""
    code_commit: str = ""
    data_version: str = ""
    origin: str = ""
    judged_on: str = ""
    unknown: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    signature: str = ""
    gates: tuple[GateOutcome, ...] | None = None
    reports: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """One entry of the audit log."""

    number: int
    when: datetime
    who: str
    action: str
    version_from: str
    version_to: str
    reason: str
    outcome: str
    hash: str


@dataclass(frozen=True)
class Finding:
    """What one policy says about the system or its environment.

    Attributes:
        policy: Its id.
        title: What it asks.
        outcome: What it says, in words.
        reason: Of whom, and why.
        observed: It was judged by what the running platform knows; else by the plan.
        blocking: It stops a deployment.
        severity: How bad it is: critical, high, medium or low.
    """

    policy: str
    title: str
    outcome: str
    reason: str
    observed: bool = False
    blocking: bool = False
    severity: str = ""


@dataclass(frozen=True)
class DocumentFile:
    """A document that the system names.

    Attributes:
        name: Which one: risk_register, fria and so on.
        path: Where the declaration says it is.
        exists: It is there; None where its text was not read (an address on the web, a PDF).
        reviewed: Day of its last review, as it says itself.
        sections: Numbers of its sections with text.
        sha256: Of its bytes; empty where they were not read.
        empty: It says nothing: placeholders, headings and code at most.
        later: A day to come that it says something was done on; None where it says none.
        lacks: What the law asks of such a paper and it does not speak of.
    """

    name: str
    path: str
    exists: bool | None = None
    reviewed: date | None = None
    sections: frozenset[int] = frozenset()
    sha256: str = ""
    empty: bool = False
    later: date | None = None
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Package:
    """A locked dependency."""

    name: str
    version: str


@dataclass(frozen=True)
class Evidence:
    """Everything known of one system in one environment.

    Attributes:
        environment: Its name.
        target: Kind of target.
        stage: The platform's stage.
        owner: Who answers for the environment.
        system: The declaration, as plain values.
        retention: Kept in days, by what.
        parts: Resources of the plan; None where it could not be planned.
        version: The version that answers, else the newest; None where the registry has none or was not read.
        decisions: The audit log's entries about the system, or a cluster's record; None where it was not read.
        log_whole: The audit log's chain is whole; None where it was not read, or the record is a cluster's.
        findings: What the policies say; None where nothing was planned.
        assessment: The same as OSCAL assessment results; empty where nothing was planned.
        documents: The documents that the system names.
        packages: Locked dependencies of the model's environment.
        unreadable: What could not be read, a sentence each.
        as_of: The day the dossier speaks of; None: the day of the newest fact.
        capabilities: What the platform can do at its stage.
        answers: What people answered, by the question's id.
        since: What an earlier dossier knew, as its facts.json has it; None where none is compared.
        today: The day it is, for what a later day is named in; None where nobody looked.
        timezone: The environment's time zone, whose days those of moments are.
        language: The language in which the dossier speaks; what people wrote stays as they wrote it.
    """

    environment: str
    target: str
    stage: str
    owner: str
    system: Mapping[str, Value]
    retention: Mapping[str, float] = field(default_factory=dict)
    parts: tuple[Part, ...] | None = None
    version: ModelVersion | None = None
    decisions: tuple[Decision, ...] | None = None
    log_whole: bool | None = None
    findings: tuple[Finding, ...] | None = None
    assessment: str = ""
    documents: tuple[DocumentFile, ...] = ()
    packages: tuple[Package, ...] = ()
    unreadable: tuple[str, ...] = ()
    as_of: date | None = None
    capabilities: frozenset[str] = frozenset()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    since: Mapping[str, Value] | None = None
    today: date | None = None
    timezone: str = ZONE
    language: Language = Language.ENGLISH

    @property
    def name(self) -> str:
        """Return the system's name."""
        return str(self.system.get("name", ""))

    @property
    def day(self) -> date | None:
        """Return the day the dossier speaks of; None where no fact has one."""
        if self.as_of:
            return self.as_of
        days = [day_of(one.when, self.timezone) for one in self.decisions or ()]
        days += [one.reviewed for one in self.documents if one.reviewed]
        days += [one.day for one in self.answers.values() if one.day and not one.faults]
        if self.version and self.version.registered:
            days.append(day_of(self.version.registered, self.timezone))
        return max((day for day in days if self.today is None or day <= self.today), default=None)

    @property
    def roles(self) -> frozenset[str]:
        """Return what the organisation is to the system."""
        risk, model = self.get("risk"), self.get("model")
        return roles_of(risk if isinstance(risk, Mapping) else {}, model if isinstance(model, Mapping) else {})

    def get(self, path: str) -> Value:
        """Return a declaration, such as `risk.tier`; None where there is none."""
        value: Value = self.system
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def document(self, name: str) -> DocumentFile | None:
        """Return a document that the system names."""
        return next((one for one in self.documents if one.name == name), None)
