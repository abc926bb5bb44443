"""OSCAL assessment results (NIST, version 1.1), which tools for audits read: a result an environment.

Each verdict is an observation, each duty of a framework that policies serve a finding, and each exemption that lets
something pass a risk whose deviation somebody approved. Nothing else is called a risk: how bad a violation is, people
judge. The format knows no third state, so what is exempt or not known is not satisfied, for another reason than a
failure. Identifiers follow from names, and times from the day of the check: equal inputs give equal bytes.
"""

from __future__ import annotations

import json
import uuid
import zoneinfo
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any

from mlstrata.policies.core.evaluate import Report, Result
from mlstrata.policies.core.exemptions import Exemption
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.frameworks import State
from mlstrata.policies.reports.oscal_controls import Control, controls_of, definition, frameworks_of, judged, reviewed
from mlstrata.policies.reports.places import Places
from mlstrata.policies.reports.sarif import HELP, SITE, fingerprint
from mlstrata.policies.reports.text import heading, summary

VERSION = "1.1.3"
"""Of the format."""
_OURS = uuid.uuid5(uuid.NAMESPACE_URL, SITE)
_STATUS = {
    State.SERVED: ("satisfied", "pass"),
    State.FAILS: ("not-satisfied", "fail"),
    State.EXEMPT: ("not-satisfied", "other"),
    State.UNKNOWN: ("not-satisfied", "other"),
}
_DECIDES = {
    State.SERVED: Outcome.PASS,
    State.FAILS: Outcome.FAIL,
    State.EXEMPT: Outcome.EXEMPT,
    State.UNKNOWN: Outcome.UNKNOWN,
}
_LIMITS = (
    "A policy proves that something is there, consistent and recent, never that it is legally adequate: a satisfied "
    "objective is what policies can show of a duty, and no duty is called fulfilled."
)
_NO_PLAN = (
    "Nobody wrote an assessment plan. What was asked are the policies, each of every planned resource and system that "
    "it is about; the resource that this points to lists them."
)


def render(reports: list[tuple[Report, Places]]) -> str:
    """Return one document of assessment results with a result for each environment."""
    reports = [(_ordered(report), places) for report, places in reports]
    titles = {result.rule.id: result.rule.title for report, _ in reports for result in report.results}
    known = {one.id: one for report, _ in reports for pack in frameworks_of(report) for one in controls_of(pack)}
    names = "+".join(dict.fromkeys(report.environment.name for report, _ in reports))
    plan = _id("policies")
    document: dict[str, Any] = {
        "metadata": {
            "title": f"mlstrata check of {names}",
            "last-modified": max(_moment(report, report.calendar.today) for report, _ in reports),
            "version": max(report.calendar.today for report, _ in reports).isoformat(),
            "oscal-version": VERSION,
            "remarks": _LIMITS,
        },
        "import-ap": {"href": f"#{plan}", "remarks": _NO_PLAN},
        "local-definitions": {
            "objectives-and-methods": [definition(one, titles) for one in known.values()],
            "activities": [_activity(name, title) for name, title in titles.items()],
        },
        "results": [_Result(report, places).written() for report, places in reports],
        "back-matter": {"resources": [{"uuid": plan, "title": "Policies of mlstrata", "rlinks": [{"href": HELP}]}]},
    }
    # A document with other content is another document.
    own = _id("document", json.dumps(document, sort_keys=True))
    return json.dumps({"assessment-results": {"uuid": own, **document}}, indent=2) + "\n"


def _ordered(report: Report) -> Report:
    """Return the report in one order: a plan goes over resources side by side, never twice in the same."""
    return replace(report, results=tuple(sorted(report.results, key=_place)))


def _place(result: Result) -> tuple[object, ...]:
    return (*result.rule.order, result.subject, result.urn, result.file, result.line, result.reason)


@dataclass
class _Result:
    """One environment's result while it is written; what observations speak of is collected on the way."""

    report: Report
    places: Places
    _items: dict[str, dict[str, Any]] = field(default_factory=dict)
    _observed: dict[tuple[str, Outcome], list[str]] = field(default_factory=dict)
    _risks: dict[Exemption, dict[str, Any]] = field(default_factory=dict)
    _seen: Counter[str] = field(default_factory=Counter)
    _named: Counter[str] = field(default_factory=Counter)

    def written(self) -> dict[str, Any]:
        report, packs = self.report, frameworks_of(self.report)
        observations = [self._observation(one) for one in report.results if one.outcome is not Outcome.NOT_APPLICABLE]
        findings = [self._finding(control, state) for control, state in judged(report, packs)]
        day, calendar = _moment(report, report.calendar.today), report.calendar
        lists = {"observations": observations, "risks": list(self._risks.values()), "findings": findings}
        told = {
            "passed": _yes(report.passed),
            "duties-asked-on": calendar.as_of.isoformat(),
            "enforce": calendar.enforcement.value,
            "resources": str(report.resources),
            "charts-not-inspected": str(len(report.not_inspected)),
            "objects-not-inspected": str(len(report.unread)),
        }
        return {
            "uuid": self._own("result"),
            "title": report.environment.name,
            "description": f"{heading(report)}. {summary(report)}.",
            "start": day,
            "end": day,
            "props": _props(told),
            "local-definitions": self._definitions(),
            "reviewed-controls": reviewed(report, packs),
            **{key: some for key, some in lists.items() if some},
            "remarks": "\n\n".join(self._remarks()),
        }

    def _definitions(self) -> dict[str, Any]:
        """Return what observations are about, and what made them; nothing is said to run that was only planned."""
        planned = {"state": "other", "remarks": "planned; what runs was not looked at"}
        if self.report.environment.live is not None:
            planned = {"state": "other", "remarks": "planned, and asked while it ran"}
        name = self.report.environment.name
        components = [_component(self._own("environment"), "this-system", name, "The environment.", planned)]
        for system, tier in self.report.systems:
            about = f"AI system, declared at {tier} risk."
            components.append(_component(self._own("system", system), "software", system, about, planned))
        tool = _component(
            self._own("tool"), "software", "mlstrata", "Checks planned resources.", {"state": "operational"}
        )
        platform = {
            "uuid": self._own("platform"),
            "title": "mlstrata check",
            "uses-components": [{"component-uuid": self._own("tool")}],
        }
        found: dict[str, Any] = {"components": components}
        if self._items:
            found["inventory-items"] = list(self._items.values())
        return {**found, "assessment-assets": {"components": [tool], "assessment-platforms": [platform]}}

    def _remarks(self) -> Iterator[str]:
        yield "Times are the beginning of the day that was asked about, in the environment's time zone."
        yield from self.report.errors
        yield from self.report.warnings
        for what, names in (("Not inspected", self.report.not_inspected), ("Of unknown kinds", self.report.unread)):
            if names:
                yield f"{what}: {', '.join(names)}."

    def _observation(self, result: Result) -> dict[str, Any]:
        own = self._own("observation", fingerprint(result, self.report, self._seen))
        self._observed.setdefault((result.rule.id, result.outcome), []).append(own)
        when = f" ({result.when})" if result.when else ""
        subject, kind = self._subject(result)
        place = self.places.of(result)
        if result.exemption is not None:
            self._risk(result.exemption, result)["related-observations"].append({"observation-uuid": own})
        told = {"policy": result.rule.id, "outcome": result.outcome.value, "severity": result.rule.severity.value}
        found: dict[str, Any] = {
            "uuid": own,
            "title": f"{result.rule.id}: {result.subject}",
            "description": f"{result.reason}{when}",
            "props": _props({**told, "blocking": _yes(result.blocking)}),
            "methods": ["TEST"],
            "types": ["control-objective"],
            "origins": [self._origin],
            "subjects": [{"subject-uuid": subject, "type": kind, "title": result.subject}],
        }
        if place.file:
            found["relevant-evidence"] = [{"description": f"Declared in {place}"}]
        found["collected"] = _moment(self.report, self.report.calendar.today)
        if result.fix:
            found["remarks"] = f"Fix: {result.fix}"
        return found

    def _subject(self, result: Result) -> tuple[str, str]:
        """Return the identifier of what a result is about, and its kind; a resource is listed as it is first met."""
        if result.rule.system is not None and result.subject in dict(self.report.systems):
            return self._own("system", result.subject), "component"
        if not result.urn:
            return self._own("environment"), "component"
        if result.urn not in self._items:
            # The number in front of a manifest's name is its place among the others, which is not its own.
            name = "::".join([*result.urn.split("::")[-2:], result.file])
            self._named[name] += 1
            own = self._own("resource", name, str(self._named[name]))
            self._items[result.urn] = {"uuid": own, "description": " ".join(result.urn.split("::")[-2:])}
        return self._items[result.urn]["uuid"], "inventory-item"

    def _finding(self, control: Control, state: State) -> dict[str, Any]:
        status, reason = _STATUS[state]
        decisive = [own for rule in control.duty.rules for own in self._observed.get((rule, _DECIDES[state]), ())]
        since = control.duty.since
        day = f" It applies from {since}." if since > self.report.calendar.as_of else ""
        found: dict[str, Any] = {
            "uuid": self._own("finding", control.id),
            "title": control.title,
            "description": f"By {', '.join(control.duty.rules)}: {state.value}.{day}",
            "origins": [self._origin],
            "target": {
                "type": "objective-id",
                "target-id": control.objective,
                "status": {"state": status, "reason": reason, "remarks": f"{state.value}.{day}"},
            },
        }
        if decisive:
            found["related-observations"] = [{"observation-uuid": own} for own in decisive]
        risks = [one for exemption, one in self._risks.items() if exemption.policy in control.duty.rules]
        if state is State.EXEMPT and risks:
            found["related-risks"] = [{"risk-uuid": one["uuid"]} for one in risks]
        return found

    def _risk(self, exemption: Exemption, result: Result) -> dict[str, Any]:
        """Return the risk that an exemption lets stand: somebody took it, with a reason and until a day."""
        if exemption not in self._risks:
            key = (exemption.policy, *exemption.match, exemption.ticket, exemption.expires.isoformat())
            self._risks[exemption] = {
                "uuid": self._own("risk", *key),
                "title": f"{exemption.policy} is exempt until {exemption.expires}",
                "description": f"Not held: {result.rule.title}",
                "statement": exemption.reason,
                "props": _props({"approver": exemption.approver, "ticket": exemption.ticket}),
                "status": "deviation-approved",
                "deadline": _moment(self.report, exemption.expires),
                "related-observations": [],
            }
        return self._risks[exemption]

    @property
    def _origin(self) -> dict[str, Any]:
        return {"actors": [{"type": "tool", "actor-uuid": self._own("tool")}]}

    def _own(self, *key: str) -> str:
        """Return the identifier of something of this environment."""
        return _id(self.report.environment.name, *key)


def _id(*key: str) -> str:
    """Return the identifier that follows from names: the same in each document, as the format asks."""
    return str(uuid.uuid5(_OURS, "\n".join(key)))


def _moment(report: Report, day: date) -> str:
    return datetime.combine(day, time(), zoneinfo.ZoneInfo(report.environment.timezone)).isoformat()


def _activity(name: str, title: str) -> dict[str, Any]:
    method = [{"name": "method", "value": "TEST"}]
    return {"uuid": _id("activity", name), "title": name, "description": title, "props": method}


def _component(own: str, kind: str, title: str, description: str, status: dict[str, str]) -> dict[str, Any]:
    return {"uuid": own, "type": kind, "title": title, "description": description, "status": status}


def _props(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "ns": SITE, "value": " ".join(value.split())} for name, value in values.items()]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
