"""JUnit XML, for CI servers: a suite an environment, a case a policy and subject."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree as ET

from mlstrata.policies.core.evaluate import Report, Result
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.reports.places import Places

_ILLEGAL = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


def render(reports: list[tuple[Report, Places]]) -> str:
    """Return the reports as one `testsuites` element."""
    top = ET.Element("testsuites", name="mlstrata check")
    for report, places in reports:
        failures = sum(result.blocking for result in report.results)
        skipped = sum(_skipped(result) for result in report.results)
        suite = ET.SubElement(
            top,
            "testsuite",
            name=report.environment.name,
            tests=str(len(report.results) + len(report.errors)),
            failures=str(failures),
            errors=str(len(report.errors)),
            skipped=str(skipped),
        )
        names: Counter[tuple[str, str]] = Counter()
        for result in report.results:
            _case(suite, result, places, names)
        for error in report.errors:
            case = ET.SubElement(suite, "testcase", classname="exemptions", name=_legal(error))
            ET.SubElement(case, "error", message=_legal(error))
        if report.warnings:
            ET.SubElement(suite, "system-out").text = _legal("\n".join(report.warnings))
    ET.indent(top)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(top, encoding="unicode") + "\n"


def _skipped(result: Result) -> bool:
    return result.outcome in (Outcome.UNKNOWN, Outcome.NOT_APPLICABLE, Outcome.EXEMPT)


def _case(suite: ET.Element, result: Result, places: Places, names: Counter[tuple[str, str]]) -> None:
    case = ET.SubElement(suite, "testcase", classname=result.rule.id, name=_name(result, names))
    place = places.of(result)
    if place.file:
        case.set("file", place.file)
    if place.line:
        case.set("line", str(place.line))
    reason = _legal(f"{result.reason} ({result.when})" if result.when else result.reason)
    if result.blocking:
        ET.SubElement(case, "failure", message=reason, type=result.rule.severity.value).text = _legal(result.fix)
    elif result.warning:
        ET.SubElement(case, "system-out").text = f"warning: {reason}; {_legal(result.fix)}"
    elif _skipped(result):
        why = str(result.exemption) if result.exemption else f"{result.outcome.value}: {reason}"
        ET.SubElement(case, "skipped", message=_legal(why))


def _name(result: Result, names: Counter[tuple[str, str]]) -> str:
    """Return a name that no other case of its policy has: CI servers keep one case of a name."""
    name = _legal(result.subject)
    for told in (name, f"{name}: {_legal(result.reason)}"):
        names[result.rule.id, told] += 1
        if names[result.rule.id, told] == 1:
            return told
    return f"{told} ({names[result.rule.id, told]})"


def _legal(text: str) -> str:
    """Leave out the characters that XML cannot hold."""
    return _ILLEGAL.sub("", text)
