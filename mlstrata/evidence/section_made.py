"""Sections 1 and 2 of Annex IV: what the system is, and how it was made."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.evidence import measured, words
from mlstrata.evidence.blocks import Block, Heading, Needed, Status, Text, facts, plain, table
from mlstrata.evidence.facts import Evidence, ModelVersion
from mlstrata.evidence.figures import behaviour, fairness, performance
from mlstrata.evidence.section_parts import (
    DECLARED,
    NO_VERSION,
    asked,
    by_group,
    document,
    findings,
    gates,
    measured_metrics,
    note,
    source,
)


def general(evidence: Evidence) -> Iterator[Block]:
    """Yield section 1."""
    yield Heading("1(a) Purpose, provider and version")
    owners = [(name.capitalize(), evidence.get(name)) for name in ("purpose", "owner", "sponsor", "team")
              if evidence.get(name)]  # fmt: skip
    yield facts([("Name", evidence.name), *owners, *words.risk(evidence)], Status.DECLARED,
                f"The system. {DECLARED}")  # fmt: skip
    version = evidence.version
    if version is None:
        yield Needed(NO_VERSION, human=False)
    else:
        yield facts(_lineage(version), Status.OBSERVED, f"The version. {source(version)}")
    yield from asked(evidence, "provider.identity", "annex-iv.1.a.versions")
    yield Heading("1(b) Interaction with hardware, software and other AI systems")
    called = words.rows(evidence.get("serving"), skip=("replicas", "resources"))
    yield facts(called, Status.DECLARED, f"How it is to be called. {DECLARED}")
    yield from asked(evidence, "annex-iv.1.b.systems")
    yield Heading("1(c) Versions of software and firmware")
    if evidence.packages:
        yield Text(
            f"{len(evidence.packages)} locked packages, each with its version, are listed in ml-bom.cdx.json "
            f"(CycloneDX 1.6).",
            Status.OBSERVED if evidence.version else Status.PLANNED,
        )
    else:
        yield Needed("the locked packages of the model's environment", human=False)
    yield Heading("1(d) Forms in which it is placed on the market or put into service")
    mode = "a service that answers at once" if evidence.get("serving.mode") == "realtime" else "a scheduled job"
    where = f"{plain(evidence.environment)} ({plain(evidence.target)})"
    yield Text(f"To be put into service in {where} as {mode}.", Status.DECLARED)
    yield from asked(evidence, "annex-iv.1.d.forms")
    yield Heading("1(e) Hardware it runs on")
    resources = words.rows(evidence.get("serving.resources"))
    yield facts(resources, Status.DECLARED, f"To be given to each replica. {DECLARED}")
    yield Heading("1(f) Product it is a component of")
    if evidence.get("risk.annex_i") or evidence.get("risk.product"):
        yield from asked(evidence, "annex-iv.1.f.product")
    else:
        yield Text("Declared as no component of a product under Annex I.", Status.DECLARED)
    yield Heading("1(g), 1(h) User interface and instructions for use")
    yield from asked(evidence, "annex-iv.1.g.interface")
    yield from document(evidence, "instructions", "Instructions for use (Art. 13)")


def elements(evidence: Evidence) -> Iterator[Block]:
    """Yield section 2."""
    version = evidence.version
    yield Heading("2(a) Methods and steps of development")
    yield facts(words.rows(evidence.get("model"), skip=("settings",)), Status.DECLARED, f"The model. {DECLARED}")
    if version is not None:
        rows = sorted(version.settings.items())
        caption = f"Settings of the run. {source(version)}"
        yield table(("setting", "value"), rows, Status.OBSERVED, caption, (0.4, 0.6))
        if count := measured.trials(version):
            tried = f"{count} settings were tried on parts of the training rows before these were chosen."
            yield Text(tried, Status.OBSERVED)
    yield from asked(evidence, "annex-iv.2.a.development")
    yield Heading("2(b) Design: logic, key choices, assumptions, what it is optimised for")
    yield from _signature(version)
    yield from behaviour(evidence)
    yield from asked(evidence, "annex-iv.2.b.design")
    yield Heading("2(c) Architecture and computational resources")
    yield from _architecture(evidence)
    yield Heading("2(d) Data: where from, how chosen, labelled and cleaned")
    yield from _data(evidence)
    yield Heading("2(e) Human oversight by design (Art. 14)")
    yield facts(words.rows(evidence.get("oversight")), Status.DECLARED, f"Oversight. {DECLARED}")
    yield from asked(evidence, "annex-iv.2.e.oversight")
    yield Heading("2(f) Changes determined beforehand")
    yield facts(words.rows(evidence.get("rollout")), Status.DECLARED, f"How versions are to change. {DECLARED}")
    yield from asked(evidence, "annex-iv.2.f.changes")
    yield Heading("2(g) Validation and testing: data, metrics, discriminatory impacts, test logs")
    yield from measured_metrics(evidence)
    yield from performance(evidence)
    yield from by_group(evidence)
    yield from fairness(evidence)
    if version is None or version.gates is None:
        yield Needed("reports of the training's gates", human=False)
    else:
        yield gates(version)
        if line := measured.headline(version, "comparison"):
            yield Text(f"Against the version before it: {line}.", Status.OBSERVED)
    yield from asked(evidence, "annex-iv.2.g.tests", "annex-iv.2.g.robustness")
    yield Heading("2(h) Cybersecurity")
    secured = [one for one in evidence.findings or ()
               if one.policy.startswith("sec-") and one.outcome != "not applicable"]  # fmt: skip
    if evidence.findings is None:
        yield Needed("findings of the security policies", human=False)
    elif secured:
        yield from findings(secured, "Security policies on the planned resources")
    else:
        yield note("No security policy applies to the planned resources of this target.")
    yield from asked(evidence, "annex-iv.2.h.security")


def _lineage(version: ModelVersion) -> list[tuple[str, object]]:
    registered = version.registered.isoformat(timespec="seconds") if version.registered else None
    return [
        ("Model version", version.version),
        ("Answers requests", version.released),
        ("Registered", registered),
        ("Run in the registry", version.run),
        ("Run of the pipeline", version.pipeline_run),
        ("Commit of the repository", version.commit),
        *([("Commit of the code", version.code_commit)] if version.code_commit else []),
        *_made_from(version),
    ]


def _made_from(version: ModelVersion) -> list[tuple[str, object]]:
    """Return the data behind a version; of a model from elsewhere where it is from, and what nobody knows of it."""
    if not version.origin:
        return [("Version of the data", version.data_version)]
    return [
        ("Trained elsewhere", version.origin),
        ("Judged on the data", version.judged_on),
        ("Not known", version.unknown),
    ]


def _signature(version: ModelVersion | None) -> Iterator[Block]:
    if version is None:
        yield Needed(NO_VERSION, human=False)
    elif not version.signature:
        yield Needed("the model's signature", human=False)
    else:
        yield Text(f"What the model takes and gives: {plain(version.signature)}", Status.OBSERVED)


def _architecture(evidence: Evidence) -> Iterator[Block]:
    if evidence.parts is None:
        yield Needed("the planned resources", human=False)
    else:
        rows = [(one.type, one.name, one.part or "-") for one in evidence.parts if one.own]
        if rows:
            caption = "Resources of the system. Source: the plan of the environment"
            yield table(("resource", "name", "part"), rows, Status.PLANNED, caption, (0.45, 0.35, 0.2))
        shared: dict[str, int] = {}
        for one in evidence.parts:
            if not one.own:
                shared[one.type] = shared.get(one.type, 0) + 1
        if shared:
            caption = "Resources it shares with the platform. Source: the plan of the environment"
            yield table(("resource", "how many"), sorted(shared.items()), Status.PLANNED, caption, (0.8, 0.2))
    yield from asked(evidence, "annex-iv.2.c.computing")


def _data(evidence: Evidence) -> Iterator[Block]:
    data = evidence.get("data")
    for dataset in data if isinstance(data, list | tuple) else ():
        yield facts(words.rows(dataset), Status.DECLARED, f"Dataset. {DECLARED}")
    if not data:
        yield Needed("the data it was trained and tested on")
    version = evidence.version
    if version is not None and (columns := measured.profile(version)):
        count = measured.rows_of_data(version)
        caption = f"Columns{f' of {count} rows' if count else ''} as trained on, {plain(version.data_version)}. "
        headings = ("column", "kind", "missing", "values (rows)")
        yield table(headings, columns, Status.OBSERVED, caption + source(version), (0.2, 0.15, 0.12, 0.53))
    points = ("collection", "labelling", "gaps", "dictionary")
    yield from asked(evidence, *(f"annex-iv.2.d.{point}" for point in points))
