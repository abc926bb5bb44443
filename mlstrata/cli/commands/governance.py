"""Commands for rules, evidence and decisions."""

from __future__ import annotations

from typing import Annotated

import typer

from mlstrata.cli.commands.options import AsJson, Env, Layer, System, Yes

app = typer.Typer()
PANEL = "Governance and evidence"


@app.command(rich_help_panel=PANEL)
def check(
    environments: Annotated[list[str] | None, typer.Argument(metavar="[ENV]...", help="Environments.")] = None,
    as_of: Annotated[
        str,
        typer.Option("--as-of", metavar="DATE", help="Check another day: duties, exemptions, freshness of documents."),
    ] = "",
    duties_on: Annotated[
        str,
        typer.Option("--duties-on", metavar="DATE", help="Check which duties apply on another day, all else today."),
    ] = "",
    output: Annotated[
        str,
        typer.Option("--format", help="text, json, sarif, junit, markdown, codequality or oscal (assessment results)."),
    ] = "text",
    manifests: Annotated[
        str, typer.Option("--manifests", metavar="DIR", help="Check plain Kubernetes YAML instead of an environment.")
    ] = "",
    registries: Annotated[
        list[str] | None,
        typer.Option("--registry", metavar="PREFIX", help="With --manifests: a registry of yours (ghcr.io/acme)."),
    ] = None,
    settings: Annotated[
        str,
        typer.Option(
            "--settings",
            metavar="FILE",
            help="With --manifests: registries, the pods' standard, exemptions, known findings.",
        ),
    ] = "",
    accept: Annotated[
        bool, typer.Option("--accept", help="With --settings: write what blocks now as known; only new findings block.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Query the running environment too: gates, bias, rollback.")
    ] = False,
    layer: Layer = "",
    full: Annotated[bool, typer.Option("--full", help="Print every finding, not the ten worst of a policy.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the planned resources against governance and the EU AI Act. Changes nothing."""
    from mlstrata.cli.check import check as run

    output = "json" if as_json else output
    folder, own = manifests or None, registries or []
    run(
        environments or [],
        as_of=as_of or None,
        duties_on=duties_on or None,
        output=output,
        manifests=folder,
        registries=own,
        settings=settings or None,
        accept=accept,
        live=live,
        layer=layer,
        full=full,
    )


@app.command(rich_help_panel=PANEL)
def assess(
    answers: Annotated[
        str, typer.Option("--answers", metavar="FILE", help="Read the answers from a file instead of asking.")
    ] = "",
    template: Annotated[bool, typer.Option("--template", help="Write a file of answers to fill in.")] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Write the environment's file, such as NAME.yaml.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Determine risk tier and stage by questions, and write an environment file. Exits 1 on Article 5."""
    from mlstrata.cli.assess import assess as run

    run(answers=answers or None, template=template, output=output or None, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def dossier(
    env: Env,
    system: System,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="An empty folder, or an earlier dossier.")
    ] = "",
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="DATE", help="Reference day. Default: the day of the newest fact.")
    ] = "",
    since: Annotated[
        str, typer.Option("--since", metavar="DIR", help="An earlier dossier: say what changed since.")
    ] = "",
    language: Annotated[
        str,
        typer.Option(
            "--language",
            metavar="en|de",
            help="Language of documents and questions. Answers stay as they were written.",
        ),
    ] = "en",
    questions: Annotated[
        bool, typer.Option("--questions", help="Write the answer files that people fill in, and nothing else.")
    ] = False,
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Exit 1 if anything is missing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write SYSTEM's evidence: summary, Annex IV file, FRIA, instructions, drafts, ML-BOM, decisions, hashes.

    Each document is an HTML page and a PDF for archives and screen readers (PDF/A-2a, PDF/UA-1).
    """
    from mlstrata.cli import dossier as run

    if questions:
        run.questions(env, system, language=language, as_json=as_json)
    else:
        day, earlier = as_of or None, since or None
        run.dossier(
            env,
            system,
            output,
            as_of=day,
            since=earlier,
            language=language,
            require_complete=require_complete,
            as_json=as_json,
        )


@app.command(rich_help_panel=PANEL)
def audit(
    env: Env,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check that nothing in the log was changed, removed or moved.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show releases and rollbacks with person, time and reason. With --verify, exits 1 if the log was altered."""
    from mlstrata.cli.audit import audit as run

    run(env, check=verify, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def erase(
    env: Env,
    system: Annotated[
        str, typer.Argument(metavar="SYSTEM", help="A system that the file declares no more; any, with --subject.")
    ],
    subject: Annotated[
        str, typer.Option("--subject", metavar="ID", help="Only what SYSTEM recorded of this person.")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Reason; recorded in the audit log.")] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Erase a removed system's data, or what is recorded of a person. The audit log keeps who did so, and decisions."""
    if subject:
        from mlstrata.cli.recorded import erase_person

        erase_person(env, system, subject, reason=reason or "the person asked for it", yes=yes, as_json=as_json)
        return
    from mlstrata.cli.erase import erase as run

    run(env, system, reason=reason or "it was removed", yes=yes, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def catalog(
    env: Env,
    system: Annotated[str, typer.Argument(metavar="[SYSTEM]", help="Only this system.", show_default=False)] = "",
    link: Annotated[
        bool, typer.Option("--link", help="Print an address that opens the catalog's pages, once, within 5 minutes.")
    ] = False,
    operator: Annotated[
        bool,
        typer.Option("--operator", help="With --link: may decide reviews, stop a system and approve a rollout."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show data, models and systems with their owners and lineage. Changes nothing."""
    from mlstrata.cli.catalog import catalog as run

    run(env, system or None, link=link, operator=operator, as_json=as_json)
