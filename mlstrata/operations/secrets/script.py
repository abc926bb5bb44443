"""A script that makes an environment's secrets: what can be generated is, the rest is asked."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from mlstrata.components.secrets.pull import DOCKER
from mlstrata.operations.errors import UsageError
from mlstrata.operations.secrets.expected import Entry, Expected, Origin, Secrets
from mlstrata.operations.secrets.shell import APPLY, FUNCTIONS, HEAD, SEAL


def script(secrets: Secrets, *, registry: str = "", sealed: bool = False) -> str:
    """Return a script for a POSIX shell with kubectl; the same one for the same environment.

    Args:
        secrets: What it makes.
        registry: The registry that is proposed where its access is asked.
        sealed: It prints SealedSecrets, by kubeseal, in place of making secrets.

    Raises:
        UsageError: External Secrets makes them.
    """
    if secrets.stored:
        raise UsageError(
            f"{secrets.environment}: capabilities.on: has 'secrets', so External Secrets makes each secret from "
            f"{secrets.environment}/NAME of your store; put the values there (`mlstrata secrets {secrets.environment}` "
            "lists them), or switch it off to make them by hand"
        )
    head = HEAD.format(environment=secrets.environment, context=secrets.context)
    return "".join([head, FUNCTIONS, SEAL if sealed else APPLY, "\n", *_main(secrets, registry)])


def _main(secrets: Secrets, registry: str) -> Iterator[str]:
    """Yield the main function and its call: a shell that reads the script from a pipe has then read all of it."""
    yield "main() {\n"
    yield f"  context=${{1:-{secrets.context}}}\n" if _plain(secrets.context) else _chosen(secrets.context)
    if any(one.kind == "ConfigMap" for one in secrets.expected):
        tokens = f"mlstrata token {secrets.environment} --keys | kubectl --context {secrets.context}"
        said = shlex.quote(f"{tokens} apply --server-side -f -")
        yield f"  tokens={said}\n"
    yield "  left=0\n  open_answers\n"
    for space in sorted({one.namespace for one in secrets.expected}):
        yield f"  namespace {space}\n"
    names = dict.fromkeys(one.name for one in secrets.expected)
    for name in sorted(names):
        yield from _of([one for one in secrets.expected if one.name == name], registry)
    yield '  return "$left"\n}\n\nmain "$@"\n'


def _plain(text: str) -> bool:
    return shlex.quote(text) == text


def _chosen(context: str) -> str:
    return f'  context={shlex.quote(context)}\n  [ "$#" -eq 0 ] || context=$1\n'


def _of(places: list[Expected], registry: str) -> Iterator[str]:
    """Yield the lines for a secret in all of its namespaces: it is the same in each of them."""
    name = places[0].name
    yield "\n" + "".join(f"  # {why}\n" for why in sorted({why for one in places for why in one.why}))
    if places[0].kind == "ConfigMap":
        yield from (f"  keys {one.namespace} {name}\n" for one in places)
        return
    entries = {entry.key: entry for one in places for entry in one.entries}
    variables = {key: f"value{at}" for at, key in enumerate(entries, 1)}
    required = next(variables[key] for key, entry in entries.items() if not entry.optional)
    spaces = " ".join(one.namespace for one in places)
    for key, variable in variables.items():
        yield f"  {variable}=$(first {name} {key} {spaces})\n"
    # An optional value is made with its secret only: what is there already works without, and may rely on that.
    for entry in sorted(entries.values(), key=lambda one: not one.optional):
        variable, made = variables[entry.key], _made(name, places[0].why, entry, registry)
        there = f'[ -n "${required}" ] || ' if entry.optional else ""
        yield f'  [ -n "${variable}" ] || {there}{variable}=$({made})\n'
    for one in places:
        kind = DOCKER if all(entry.origin is Origin.REGISTRY for entry in one.entries) else "''"
        values = (f'{_named(entry)} "${variables[entry.key]}"' for entry in one.entries)
        yield f"  put {one.namespace} {name} {kind} {' '.join(values)}\n"


def _named(entry: Entry) -> str:
    return f"'?{entry.key}'" if entry.optional else entry.key


def _made(name: str, why: tuple[str, ...], entry: Entry, registry: str) -> str:
    """Return the call that makes a value."""
    question = shlex.quote(f"{name}, {entry.key} ({why[0]})")
    match entry.origin:
        case Origin.GENERATED:
            return "generated"
        case Origin.FIXED:
            return f"plain {shlex.quote(entry.fixed)}"
        case Origin.FILE:
            return f"contents {question}"
        case Origin.REGISTRY:
            return f"registry {shlex.quote(name)} {shlex.quote(registry)}"
    return f"asked {question}"
