"""Sections 1 and 2 of Annex IV: what the system is, and how it was made."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mlstrata.evidence import measured, words
from mlstrata.evidence.architecture import architecture
from mlstrata.evidence.blocks import Block, Figure, Heading, Needed, Status, Text, facts, plain, table
from mlstrata.evidence.facts import Evidence, ModelVersion
from mlstrata.evidence.figures import behaviour, fairness, performance
from mlstrata.evidence.language import first_upper, heads, say
from mlstrata.evidence.section_parts import (
    NO_VERSION,
    asked,
    by_group,
    document,
    findings,
    gates,
    measured_metrics,
    note,
    source,
    wanted,
)


def general(evidence: Evidence) -> Iterator[Block]:
    """Yield section 1."""
    yield Heading(say("1(a) Purpose, provider and version"))
    owners = [(first_upper(words.label(name)), evidence.get(name)) for name in ("purpose", "owner", "sponsor", "team")
              if evidence.get(name)]  # fmt: skip
    yield facts([(say("Name"), evidence.name), *owners, *words.risk(evidence)], Status.DECLARED,
                wanted("The system."))  # fmt: skip
    version = evidence.version
    if version is None:
        yield Needed(say(NO_VERSION), human=False)
    else:
        yield facts(_lineage(version), Status.OBSERVED, say("The version. {source}", source=source(version)))
    yield from asked(evidence, "provider.identity", "annex-iv.1.a.versions")
    yield Heading(say("1(b) Interaction with hardware, software and other AI systems"))
    called = words.rows(evidence.get("serving"), skip=("replicas", "resources"))
    yield facts(called, Status.DECLARED, wanted("How it is to be called."))
    yield from asked(evidence, "annex-iv.1.b.systems")
    yield Heading(say("1(c) Versions of software and firmware"))
    if evidence.packages:
        yield Text(
            say(
                "{count} locked packages, each with its version, are listed in ml-bom.cdx.json (CycloneDX 1.6).",
                count=len(evidence.packages),
            ),
            Status.OBSERVED if evidence.version else Status.PLANNED,
        )
    else:
        yield Needed(say("the locked packages of the model's environment"), human=False)
    yield Heading(say("1(d) Forms in which it is placed on the market or put into service"))
    mode = (
        say("a service that answers at once") if evidence.get("serving.mode") == "realtime" else say("a scheduled job")
    )
    where = f"{plain(evidence.environment)} ({plain(evidence.target)})"
    yield Text(say("To be put into service in {where} as {mode}.", where=where, mode=mode), Status.DECLARED)
    yield from asked(evidence, "annex-iv.1.d.forms")
    yield Heading(say("1(e) Hardware it runs on"))
    resources = words.rows(evidence.get("serving.resources"))
    yield facts(resources, Status.DECLARED, wanted("To be given to each replica."))
    yield Heading(say("1(f) Product it is a component of"))
    if evidence.get("risk.annex_i") or evidence.get("risk.product"):
        yield from asked(evidence, "annex-iv.1.f.product")
    elif evidence.get("risk.annex_i") is None:
        yield note(say("Whether it is a component of a product under Annex I is not answered (risk.annex_i)."))
    else:
        yield Text(say("Declared as no component of a product under Annex I."), Status.DECLARED)
    yield Heading(say("1(g), 1(h) User interface and instructions for use"))
    yield from asked(evidence, "annex-iv.1.g.interface")
    yield from document(evidence, "instructions", say("Instructions for use (Art. 13)"))


def _read(said: str) -> object:
    """Return a setting as what it was before the registry made a text of it."""
    try:
        return ast.literal_eval(said) if said.startswith(("[", "{", "(")) else said
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return said


def elements(evidence: Evidence) -> Iterator[Block]:
    """Yield section 2."""
    version = evidence.version
    yield Heading(say("2(a) Methods and steps of development"))
    yield facts(
        words.rows(evidence.get("model"), skip=("settings",)),
        Status.DECLARED,
        wanted("The model."),
    )
    if version is not None:
        rows = [
            (name, read) for name, said in sorted(version.settings.items()) if (read := _read(said)) not in ([], {})
        ]
        caption = say("Settings of the run. {source}", source=source(version))
        yield table(heads("setting", "value"), rows, Status.OBSERVED, caption, (0.4, 0.6))
        if count := measured.trials(version):
            tried = say(
                "{count} settings were tried on parts of the training rows before these were chosen.", count=count
            )
            yield Text(tried, Status.OBSERVED)
    yield from asked(evidence, "annex-iv.2.a.development")
    yield Heading(say("2(b) Design: logic, key choices, assumptions, what it is optimised for"))
    yield from _signature(version)
    yield from behaviour(evidence)
    yield from asked(evidence, "annex-iv.2.b.design")
    yield Heading(say("2(c) Architecture and computational resources"))
    yield from _architecture(evidence)
    yield Heading(say("2(d) Data: where from, how chosen, labelled and cleaned"))
    yield from _data(evidence)
    yield Heading(say("2(e) Human oversight by design (Art. 14)"))
    yield facts(words.rows(evidence.get("oversight")), Status.DECLARED, wanted("Oversight."))
    yield from asked(evidence, "annex-iv.2.e.oversight")
    yield Heading(say("2(f) Changes determined beforehand"))
    yield facts(
        words.rows(evidence.get("rollout")),
        Status.DECLARED,
        wanted("How versions are to change."),
    )
    yield from asked(evidence, "annex-iv.2.f.changes")
    yield Heading(say("2(g) Validation and testing: data, metrics, discriminatory impacts, test logs"))
    yield from measured_metrics(evidence)
    yield from performance(evidence)
    yield from by_group(evidence)
    yield from fairness(evidence)
    if version is None or version.gates is None:
        yield Needed(say("reports of the training's gates"), human=False)
    else:
        yield gates(version)
        if line := measured.headline(version, "comparison"):
            yield Text(say("Against the version before it: {line}.", line=line), Status.OBSERVED)
    yield from asked(evidence, "annex-iv.2.g.tests", "annex-iv.2.g.robustness")
    yield Heading(say("2(h) Cybersecurity"))
    secured = [one for one in evidence.findings or ()
               if one.policy.startswith("sec-") and one.outcome != "not applicable"]  # fmt: skip
    if evidence.findings is None:
        yield Needed(say("findings of the security policies"), human=False)
    elif secured:
        yield from findings(secured, say("Security policies on the planned resources"))
    else:
        yield note(say("No security policy applies to the planned resources of this target."))
    yield from asked(evidence, "annex-iv.2.h.security")


def _lineage(version: ModelVersion) -> list[tuple[str, object]]:
    registered = version.registered.isoformat(timespec="seconds") if version.registered else None
    return [
        (say("Model version"), version.version),
        (say("Answers requests"), version.released),
        (say("Registered"), registered),
        (say("Run in the registry"), version.run),
        (say("Run of the pipeline"), version.pipeline_run),
        (say("Commit of the repository"), version.commit),
        *([(say("Commit of the code"), version.code_commit)] if version.code_commit else []),
        *_made_from(version),
    ]


def _made_from(version: ModelVersion) -> list[tuple[str, object]]:
    """Return the data behind a version; of a model from elsewhere where it is from, and what nobody knows of it."""
    if not version.origin:
        return [(say("Version of the data"), version.data_version)]
    return [
        (say("Trained elsewhere"), version.origin),
        (say("Judged on the data"), version.judged_on),
        (say("Not known"), version.unknown),
    ]


def _signature(version: ModelVersion | None) -> Iterator[Block]:
    if version is None:
        yield Needed(say(NO_VERSION), human=False)
    elif not version.signature:
        yield Needed(say("the model's signature"), human=False)
    else:
        yield Text(
            say("What the model takes and gives: {signature}", signature=plain(version.signature)), Status.OBSERVED
        )


def _architecture(evidence: Evidence) -> Iterator[Block]:
    if evidence.parts is None:
        yield Needed(say("the planned resources"), human=False)
    else:
        if drawn := architecture(evidence.parts):
            title = say("Parts that the plan holds, and what flows between them. Source: the plan of the environment")
            yield Figure("architecture", title, drawn[0], Status.PLANNED, f"{title}. {drawn[1]}")
        rows = [(one.type, one.name, one.part or "-") for one in evidence.parts if one.own]
        if rows:
            caption = say("Resources of the system. Source: the plan of the environment")
            yield table(heads("resource", "name", "part"), rows, Status.PLANNED, caption, (0.45, 0.35, 0.2))
        shared: dict[str, int] = {}
        for one in evidence.parts:
            if not one.own:
                shared[one.type] = shared.get(one.type, 0) + 1
        if shared:
            caption = say("Resources it shares with the platform. Source: the plan of the environment")
            yield table(heads("resource", "how many"), sorted(shared.items()), Status.PLANNED, caption, (0.8, 0.2))
    yield from asked(evidence, "annex-iv.2.c.computing")


def _data(evidence: Evidence) -> Iterator[Block]:
    data = evidence.get("data")
    for dataset in data if isinstance(data, list | tuple) else ():
        yield facts(words.rows(dataset), Status.DECLARED, wanted("Dataset."))
    if not data:
        yield Needed(say("the data it was trained and tested on"))
    version = evidence.version
    if version is not None and (columns := measured.profile(version)):
        count = measured.rows_of_data(version)
        over = say("Columns of {count} rows", count=count) if count else say("Columns")
        caption = say(
            "{columns} as trained on, {data}. {source}",
            columns=over,
            data=plain(version.data_version),
            source=source(version),
        )
        headings = heads("column", "kind", "missing", "values (rows)")
        yield table(headings, columns, Status.OBSERVED, caption, (0.2, 0.15, 0.12, 0.53))
    points = ("collection", "labelling", "gaps", "dictionary")
    yield from asked(evidence, *(f"annex-iv.2.d.{point}" for point in points))
