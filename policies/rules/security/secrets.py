"""No secret is stored in plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.kinds import WORKLOADS
from mlstrata.policies.core.rule import Context, Domain, Rule, Severity, Verdicts, fails, not_applicable, one_by_one
from mlstrata.policies.core.values import Unknown, Value, dig, leaves, listed
from mlstrata.policies.views.pods import containers

NAMES = re.compile(
    r"((password|passwd|passphrase|apikey|authtoken)"
    r"|(^|[_.-])(pwd|secret|secret_?key|secret_(string|binary)|api_?key|access_?key|account_?key|private_?key|token"
    r"|credentials?|connection_?string))(_?\d{1,2})?$"
)
"""Names that hold a secret, in snake case; a second one has a number."""
OF_A_LANGUAGE = re.compile(
    r"(^|[_.-])(pad|bos|eos|unk|sep|cls|mask|stop|start|end|max|min|special|blank|prefix|middle|suffix|eod|eot|boi|eoi|fim)"
    r"_token(_?\d{1,2})?$"
)
"""Names of words that a language model sets apart, and of how many it takes."""
TOKENS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{60,}|\bglpat-[A-Za-z0-9_-]{20}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bhooks\.slack\.com/services/T\w+/B\w+/\w{20,}"
    r"|\bAIza[A-Za-z0-9_-]{35}\b|\bhf_[A-Za-z0-9]{30,}|\bsk-[A-Za-z0-9_-]{32,}|\bdapi[0-9a-f]{32}\b"
    r"|\bhvs\.[A-Za-z0-9_-]{20,}|\bpypi-AgEI[A-Za-z0-9_-]{20,}|\bnpm_[A-Za-z0-9]{36}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    r"|\b[a-z][a-z0-9+]*://[^/\s:@]*:[^/\s:@$]+@"
)
"""What is a secret whatever it is called: keys, tokens, addresses with a password."""
REFERENCE = re.compile(
    r"^(\$[\w({]|\{\{|%[\w(]|#\{|`|!\w|<%|arn:|secretsmanager:|vault:|ref\+\w+:|(op|sm)://|(env|file|ssm):|projects/"
    r"|@Microsoft\.KeyVault\(|\{cipher\}|ENC\[|/|\*+$)"
)
"""Values that only say where a secret is, as Kubernetes, clouds, and the usual files of settings write it."""
NOTHING = re.compile(
    r"(true|false|yes|no|on|off|null|none|nil|~|[-+]?\d+(\.\d+)?|</?[\w |.-]*/?>|\[[A-Z_ ]+\])", re.IGNORECASE
)
"""Values that are no secret, whatever they are called: switches, nothing, numbers, and names in brackets."""
OF_OBJECTS = re.compile(r"/(inject-ca-from|auth|auth-tls|proxy-ssl)-secret$")
"""Annotations that name an object with a secret in it, as cert-manager and ingress controllers read them."""
OBJECT = re.compile(r"([a-z0-9.-]+/)?[a-z0-9.-]+")
NAMING = re.compile(r"(^|_)(name|annotation)$")
"""Names of settings that say what something is called."""
DECLARATIONS = ":governance:AISystem"


def _open_secrets(context: Context) -> Verdicts:
    if not context.graph.resources:
        yield not_applicable("there are no resources")
    yield from one_by_one(context.graph.resources, _shown)


def _shown(resource: Resource) -> Verdicts:
    if resource.type.endswith(DECLARATIONS):
        return
    for path in dict.fromkeys(_found(resource)):
        yield fails(
            f"'{path}' of {resource.kind} '{resource.name}' holds a secret in plain text",
            "make it a secret (pulumi.Output.secret, a secret store) and refer to it",
            subject=resource,
        )


def _found(resource: Resource) -> Iterator[str]:
    """Yield where a resource holds a secret; values themselves are never shown."""
    for path, value in leaves(resource.inputs):
        # A secret from outside names which key of the secret that is made holds it.
        naming = resource.kind == "ExternalSecret" and path.endswith(".secretKey")
        if isinstance(value, str) and value and not naming:
            yield from _in_text(path, value)
    for name, value in _pairs(resource.inputs):
        if _secret_name(name) and _plain(value):
            yield f"env.{name}"
    if resource.type.startswith("kubernetes:core/v1:Secret"):
        for field in ("data", "stringData"):
            given = resource.inputs.get(field)
            entries = given.items() if isinstance(given, dict) else ()
            yield from (f"{field}.{key}" for key, value in entries if isinstance(value, str) and value)
    if resource.type.startswith(WORKLOADS):
        for container in containers(resource):
            listed(container, "env")  # what is not known yet may be one
            words = [word for kind in ("command", "args") for word in listed(container, kind) if isinstance(word, str)]
            if any(_assigned(text) for text in (*words, *map(" ".join, pairwise(words)))):
                yield f"the command of container {dig(container, 'name', '?')}"


def _in_text(path: str, value: str) -> Iterator[str]:
    if _token(value) or (_secret_name(path) and _plain(value) and not _names_only(path, value)):
        yield path
    elif value[0] in "{[" and (inside := _parsed(value)) is not None:
        named = [name for name, one in _pairs(inside) if _secret_name(name) and _plain(one)]
        own = [at for at, one in leaves(inside) if isinstance(one, str) and _secret_name(at) and _plain(one)]
        yield from (f"{path}: {name}" for name in (*named, *own))
    elif "\n" in value:
        yield from (f"{path}: {name}" for line in value.splitlines() for name in _assigned(line, settings=True))


def _assigned(text: str, *, settings: bool = False) -> list[str]:
    """Return the names of secrets that a command line, or a line of settings, gives a value to."""
    if settings:
        match = re.match(r"""^\s*(?:-\s+|export\s+|ENV\s+)?["']?([\w.-]+)["']?\s*[:=]\s*["']?([^\s"']+)""", text)
        found = [match.groups()] if match else []
    else:
        found = re.findall(r"""--?([A-Za-z][\w-]*)[= ]["']?([^\s"'-][^\s"']*)""", text)
        found += re.findall(r"""(?:^|[\s;])([A-Za-z_]\w*)=["']?([^\s"';]+)""", text)
    return [name for name, value in found if _secret_name(name.replace("-", "_")) and _plain(value)]


def _names_only(path: str, value: str) -> bool:
    """Return whether what is called a secret only says what secrets are called, and where they are."""
    if ".annotations." in path and OF_OBJECTS.search(path):
        return OBJECT.fullmatch(value) is not None
    inside = _parsed(value) if value[0] == "{" else None
    if not isinstance(inside, Mapping):
        return False
    given = [at for at, one in leaves(inside) if isinstance(one, str) and one]
    return all(NAMING.search(_snake(at.rpartition(".")[2])) for at in given)


def _parsed(text: str) -> Value:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _pairs(value: Value) -> Iterator[tuple[str, str]]:
    """Yield names and values that stand beside each other, as variables of containers do, wherever they are."""
    if isinstance(value, str):
        return
    if isinstance(value, Mapping):
        name, given = value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(given, str):
            yield name, given
        for inner in value.values():
            yield from _pairs(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _pairs(inner)


@lru_cache(maxsize=4096)
def _token(value: str) -> bool:
    return TOKENS.search(value) is not None


def _secret_name(path: str) -> bool:
    return _holds_a_secret(path.rpartition(".")[2])


@lru_cache(maxsize=1 << 14)  # the same few names come again and again
def _holds_a_secret(name: str) -> bool:
    last = _snake(name)
    # Charts call the name of a Secret that is there `existingSecret`.
    return bool(NAMES.search(last)) and not last.startswith("existing_") and not OF_A_LANGUAGE.search(last)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _plain(value: str) -> bool:
    return (
        bool(value) and not isinstance(value, Unknown) and not REFERENCE.match(value) and not NOTHING.fullmatch(value)
    )


RULES = (
    Rule(
        id="sec-no-plaintext-secret",
        title="No secret is stored in plain text.",
        holds="no secret is in plain text",
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        domain=Domain.SECURITY,
        severity=Severity.CRITICAL,
        environment=_open_secrets,
    ),
)
