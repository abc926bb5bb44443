"""The command line: names, options and help. Each command's work is in the module it imports."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

app = typer.Typer(
    name="mlstrata",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="One file describes an ML platform environment; this command makes it real, keeps it so and checks it.",
    epilog="Start with `mlstrata validate local`, then `mlstrata plan local` and `mlstrata up local`. "
    "Exit codes: 0 fine, 1 a check failed or drift was found, 2 a bad file or usage.",
)

# The commands by what they are about, as --help shows them.
ENVIRONMENT, MODELS, SERVING = "An environment", "Models", "Serving"
GOVERNANCE, KUBERNETES = "Governance and evidence", "Kubernetes"

Env = Annotated[str, typer.Argument(metavar="ENV", help="The environment: environments/ENV.yaml.", show_default=False)]
System = Annotated[str, typer.Argument(metavar="SYSTEM", help="A system that the environment declares.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for machines.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing anything.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the release and in the audit log.")]
Decider = Annotated[str, typer.Option("--decider", help="Who decides; kept likewise. Default: you.")]


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("mlstrata"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command(rich_help_panel=ENVIRONMENT)
def validate(
    environments: Annotated[
        list[str] | None, typer.Argument(metavar="[ENV]...", help="Environments; all when none is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the environment files: every error at once, with line, value and fix. Changes nothing."""
    from cli.validate import validate as run

    run(environments or [], as_json=as_json)


@app.command(rich_help_panel=ENVIRONMENT)
def plan(
    env: Env,
    against: Annotated[
        str, typer.Option("--against", metavar="DIR", help="Compare with what another checkout would make, offline.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show what `up` would change, and what drifted from the file. Exits 1 on drift, changes nothing."""
    if against:
        from cli.difference import difference

        difference(env, against, as_json=as_json)
        return
    from cli.deploy import plan as run

    run(env, as_json=as_json)


@app.command(rich_help_panel=ENVIRONMENT)
def up(
    env: Env,
    yes: Yes = False,
    train: Annotated[
        bool,
        typer.Option("--train", help="Then train and release the first system, if it has no version for its data."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the environment what its file says: create, change, repair. A second run changes nothing."""
    from cli.deploy import up as run

    run(env, yes=yes, train=train, as_json=as_json)


@app.command(rich_help_panel=ENVIRONMENT)
def down(
    env: Env,
    yes: Yes = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep registry, runs and released models for the next `up`.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stop the environment and remove its processes, ports and state."""
    from cli.deploy import down as run

    run(env, yes=yes, keep_data=keep_data, as_json=as_json)


@app.command(rich_help_panel=ENVIRONMENT)
def migrate(
    env: Env,
    yes: Yes = False,
    keep_old: Annotated[bool, typer.Option("--keep-old", help="Leave the old store as it is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move models and artifacts to the storage that the file asks for now; run again after any interruption."""
    from cli.migrate import migrate as run

    run(env, yes=yes, keep_old=keep_old, as_json=as_json)


@app.command(rich_help_panel=GOVERNANCE)
def check(
    environments: Annotated[list[str] | None, typer.Argument(metavar="[ENV]...", help="Environments.")] = None,
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="Ask what blocks on another day.")] = "",
    output: Annotated[
        str, typer.Option("--format", help="text, json, sarif, junit, markdown or codequality.")
    ] = "text",
    manifests: Annotated[
        str, typer.Option("--manifests", metavar="DIR", help="Check plain Kubernetes YAML instead of an environment.")
    ] = "",
    live: Annotated[
        bool, typer.Option("--live", help="Ask the running environment too: gates, bias, the way back.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check governance and the EU AI Act on the resources that the file would make. Changes nothing."""
    from cli.check import check as run

    output = "json" if as_json else output
    run(environments or [], as_of=as_of or None, output=output, manifests=manifests or None, live=live)


@app.command(rich_help_panel=GOVERNANCE)
def dossier(
    env: Env,
    system: System,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="An empty folder, or an earlier dossier.")
    ],
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="DATE", help="The day it speaks of. Default: that of the newest fact.")
    ] = "",
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Exit 1 where anything is missing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write SYSTEM's evidence: Annex IV file, registration, FRIA and instructions, ML-BOM, decisions, hashes."""
    from cli.dossier import dossier as run

    run(env, system, output, as_of=as_of or None, require_complete=require_complete, as_json=as_json)


@app.command(rich_help_panel=GOVERNANCE)
def assess(
    answers: Annotated[
        str, typer.Option("--answers", metavar="FILE", help="Read the answers; else they are asked.")
    ] = "",
    template: Annotated[bool, typer.Option("--template", help="Write a file of answers to fill in.")] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Write the environment's file, such as NAME.yaml.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Ask about system and platform; say risk tier and stage, write a file that fits. Exits 1 on Article 5."""
    from cli.assess import assess as run

    run(answers=answers or None, template=template, output=output or None, as_json=as_json)


@app.command(rich_help_panel=ENVIRONMENT)
def status(env: Env, as_json: AsJson = False) -> None:
    """Say how the environment is right now: services, addresses, released versions. Exits 1 if any is ill."""
    from cli.status import status as run

    run(env, as_json=as_json)


@app.command(rich_help_panel=SERVING)
def token(
    env: Env,
    consumer: Annotated[str, typer.Argument(metavar="[CONSUMER]", help="A consumer that a system declares.")] = "",
    hours: Annotated[float, typer.Option("--hours", help="How long it is good for.", min=0.01, max=24 * 30)] = 12,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Sign with a new key from now on; the old one stays accepted.")
    ] = False,
    retire: Annotated[bool, typer.Option("--retire", help="Accept the old key no longer.")] = False,
    at_once: Annotated[bool, typer.Option("--at-once", help="Though tokens of the old key are good still.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a token with which CONSUMER may call the systems that declare it, or change the key that signs."""
    from cli.console import UsageError

    if rotate + retire + bool(consumer) != 1 or (at_once and not retire):
        raise UsageError("token: give one of CONSUMER, --rotate and --retire [--at-once]")
    if rotate or retire:
        from cli import rotation

        if rotate:
            rotation.rotate(env, as_json=as_json)
        else:
            rotation.retire(env, at_once=at_once, as_json=as_json)
        return
    from cli.token import token as run

    run(env, consumer, hours=hours, as_json=as_json)


@app.command(rich_help_panel=SERVING)
def usage(
    env: Env,
    since: Annotated[
        str, typer.Option("--since", metavar="PERIOD", help="Only the last 15m, 24h, 7d. Default: all that is logged.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say who asked what of which version: requests, refusals, errors and latency."""
    from cli.usage import usage as run

    run(env, since=since, as_json=as_json)


@app.command(rich_help_panel=MODELS)
def train(
    env: Env,
    system: System,
    if_needed: Annotated[
        bool, typer.Option("--if-needed", help="Only when no version has this data, code and settings.")
    ] = False,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Sets of hyperparameters to try in parallel.", min=0, max=1000)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run SYSTEM's training pipeline and register the version it makes, unless a gate stops it."""
    from cli.train import train as run

    run(env, system, if_needed=if_needed, as_json=as_json, trials=trials)


@app.command(rich_help_panel=MODELS)
def compare(
    env: Env,
    system: System,
    versions: Annotated[
        list[str] | None, typer.Argument(metavar="[VERSION]...", help="Versions; the newest when none is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show versions of SYSTEM side by side: metrics, data version, commit, run, and the settings that differ."""
    from cli.compare import compare as run

    run(env, system, versions or [], as_json=as_json)


@app.command(rich_help_panel=SERVING)
def score(
    env: Env,
    system: System,
    given: Annotated[
        str, typer.Option("--input", help="A csv, jsonl or parquet file, or a declared dataset. Default: as declared.")
    ] = "",
    output: Annotated[str, typer.Option("--output", "-o", help="A csv or jsonl file. Default: in the data.")] = "",
    version: Annotated[str, typer.Option("--version", help="A released version. Default: the champion.")] = "",
    key: Annotated[str, typer.Option("--key", help="Column of the input to carry into the output.")] = "",
    as_json: AsJson = False,
) -> None:
    """Score every row of a table once, with SYSTEM's released model and the checks of its API."""
    from cli.batch import score as run

    given_or_none, output_or_none = given or None, output or None
    run(
        env,
        system,
        given=given_or_none,
        output=output_or_none,
        version=version or None,
        key=key or None,
        as_json=as_json,
    )


@app.command(rich_help_panel=MODELS)
def release(
    env: Env,
    system: System,
    version: Annotated[str, typer.Option("--version", help="A registered version. Default: the newest.")] = "",
    reason: Reason = "",
    decider: Decider = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show a registered version of SYSTEM beside the one that answers, then make it the one that does."""
    from cli.release import release as run

    run(env, system, version=version or None, reason=reason, decider=decider or None, yes=yes, as_json=as_json)


@app.command(rich_help_panel=MODELS)
def rollback(env: Env, system: System, reason: Reason = "", decider: Decider = "", as_json: AsJson = False) -> None:
    """Put SYSTEM's previous version back, at once and unasked."""
    from cli.release import rollback as run

    run(env, system, reason=reason, decider=decider or None, as_json=as_json)


@app.command(rich_help_panel=GOVERNANCE)
def audit(
    env: Env,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check that nothing in the log was changed, removed or moved.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show who released or rolled back what, when and why. With --verify, exits 1 if the log is not whole."""
    from cli.audit import audit as run

    run(env, check=verify, as_json=as_json)


@app.command(rich_help_panel=GOVERNANCE)
def catalog(
    env: Env,
    system: Annotated[str, typer.Argument(metavar="[SYSTEM]", help="Only this system.", show_default=False)] = "",
    link: Annotated[
        bool, typer.Option("--link", help="Print an address that opens the catalog's pages, once, within 5 minutes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show data, models and systems with their owners, and how one came from the other. Changes nothing."""
    from cli.catalog import catalog as run

    run(env, system or None, link=link, as_json=as_json)


@app.command(rich_help_panel=KUBERNETES)
def images(
    env: Env,
    as_json: AsJson = False,
    script: Annotated[
        bool, typer.Option("--script", help="Print the script that copies all of it to an air-gapped site's mirror.")
    ] = False,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Ask the registries for each image's digest and write the lock.")
    ] = False,
) -> None:
    """List ENV's upstream software: versions, licences, images, for an air-gapped site. Changes nothing."""
    from cli.images import images as run

    run(env, as_json=as_json, script=script, resolve=resolve)


@app.command(rich_help_panel=KUBERNETES)
def render(
    env: Env,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="An empty folder, or an earlier render.")
    ],
    as_json: AsJson = False,
) -> None:
    """Write ENV as plain Kubernetes manifests by component, for Argo CD or Flux. The cluster is not touched."""
    from cli.render import render as run

    run(env, output, as_json=as_json)


@app.command(rich_help_panel=SERVING)
def predict(
    env: Env,
    system: System,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A JSON request; - reads standard input.")],
    consumer: Annotated[str, typer.Option("--consumer", help="On whose behalf. Default: the first declared.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask SYSTEM through the gateway, as one of its consumers would."""
    from cli.predict import predict as run

    run(env, system, file, consumer=consumer or None, as_json=as_json)


def run() -> None:
    """Run the command and turn what it raises into one message and an exit code."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run the command with `arguments`; return its exit code: 0, 1 or 2, 130 after an interruption."""
    from cli.errors import EXIT_INTERRUPTED, report

    try:
        answer = app(args=arguments, standalone_mode=False)
    except KeyboardInterrupt:
        return report(KeyboardInterrupt())
    except Exception as error:  # noqa: BLE001 - the boundary: `report` re-raises what it does not know
        return report(error)
    if answer == EXIT_INTERRUPTED:
        # The library swallows an interruption outside the engine and only says so by this number.
        return report(KeyboardInterrupt())
    return answer if isinstance(answer, int) else 0
