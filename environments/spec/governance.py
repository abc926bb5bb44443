"""Who watches over a system, where its documents are, and when it ends."""

from __future__ import annotations

from pydantic import Field, model_validator

from mlstrata.environments.spec.base import Problem, Spec, refuse
from mlstrata.environments.spec.quantities import Day
from mlstrata.environments.spec.text import Document, Email, Flag, Name, Word


class OversightSpec(Spec):
    """Human oversight (AI Act Art. 14)."""

    owner: Email | None = Field(default=None, description="The human overseer; none: not named yet.")
    kill_switch: Flag = Field(
        default=False,
        description="It can be stopped at once by that person; off until it is wanted, policies ask for it.",
    )
    two_person: Flag = Field(
        default=False,
        description="Two people confirm each result (remote identification); off, as few systems need it.",
    )
    review: Word | None = Field(
        default=None, description="Queue or role that reviews single decisions; none: none are reviewed."
    )
    provider_contact: Email | None = Field(
        default=None,
        description="Where a deployer tells the provider of risks and serious incidents (Art. 26(5)); none: not named "
        "yet, and not asked of who is the provider.",
    )


class DocumentsSpec(Spec):
    """Documents the Act or the organisation asks for, a text inside the repository each; an address passes nothing."""

    risk_register: Document | None = Field(default=None, description="Risk management file (Art. 9); none yet.")
    fria: Document | None = Field(default=None, description="Fundamental rights impact assessment (Art. 27); none yet.")
    dpia: Document | None = Field(default=None, description="Data protection impact assessment (GDPR); none yet.")
    instructions: Document | None = Field(default=None, description="Instructions for use (Art. 13); none yet.")
    technical_file: Document | None = Field(default=None, description="Technical documentation (Annex IV); none yet.")
    bias_report: Document | None = Field(default=None, description="Examination for biases (Art. 10); none yet.")
    conformity: Document | None = Field(default=None, description="Conformity assessment (Art. 43); none yet.")
    declaration: Document | None = Field(default=None, description="EU declaration of conformity (Art. 47); none yet.")
    registration: Document | None = Field(default=None, description="Entry in the EU database (Art. 49); none yet.")
    monitoring_plan: Document | None = Field(
        default=None, description="Post-market monitoring plan (Art. 72); none yet."
    )
    incident_runbook: Document | None = Field(
        default=None, description="What to do on a serious incident (Art. 73); none yet."
    )
    notice_workers: Document | None = Field(
        default=None, description="Notice to workers and their representatives (Art. 26(7)); none yet."
    )
    notice_persons: Document | None = Field(
        default=None, description="Notice to persons about whom it decides, or helps to (Art. 26(11)); none yet."
    )
    literacy: Document | None = Field(default=None, description="Record of AI literacy training (Art. 4); none yet.")


class RetireSpec(Spec):
    """When the system is looked at again, and when it ends."""

    review: Day | None = Field(
        default=None, description="Day by which its continuation is decided, YYYY-MM-DD; none is set."
    )
    date: Day | None = Field(default=None, description="Day on which it is retired, YYYY-MM-DD; none: not planned.")
    successor: Name | None = Field(default=None, description="System that takes over; none: it is not replaced.")

    @model_validator(mode="after")
    def _ordered(self) -> RetireSpec:
        late = self.review is not None and self.date is not None and self.review > self.date
        refuse(
            [
                Problem(
                    ("review",), f"got {self.review}, after the retirement ({self.date})", "review before it is retired"
                )
            ]
            if late
            else []
        )
        return self
