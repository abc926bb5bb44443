"""No secret is written in the open."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.graph import Resource
from policies.kubernetes import WORKLOADS, containers
from policies.rule import (
    Context,
    Domain,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    violates,
)
from policies.samples import HIGH_RISK
from policies.values import SECRET, UNKNOWN, Unknown, Value, dig, leaves, listed
from policies.world import having, nothing, put

NAMES = re.compile(
    r"(^|[_.-])(password|passwd|passphrase|secret|secret_?key|api_?key|access_?key|private_?key|token|credentials?)$"
)
"""Names that hold a secret, in snake case."""
TOKENS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    r"|\b[a-z][a-z0-9+]*://[^/\s:@]+:[^/\s:@$]+@"
)
"""What is a secret whatever it is called: keys, tokens, addresses with a password."""
REFERENCE = re.compile(r"^(\$|\{\{|arn:|secretsmanager:|vault:|projects/|/run/secrets/|/|\*+$)")
"""Values that only say where a secret is."""
DECLARATIONS = ":governance:AISystem"


def _open_secrets(context: Context) -> Verdicts:
    seen = False
    for resource in context.graph.resources:
        seen = True
        if resource.type.endswith(DECLARATIONS):
            continue
        for path in dict.fromkeys(_found(resource)):
            yield fails(
                f"'{path}' of {resource.kind} '{resource.name}' holds a secret in the open",
                "make it a secret (pulumi.Output.secret, a secret store) and refer to it",
                subject=resource.name,
            )
    if not seen:
        yield not_applicable("there are no resources")


def _found(resource: Resource) -> Iterator[str]:
    """Yield where a resource holds a secret; values themselves are never shown."""
    for path, value in leaves(resource.inputs):
        if resource.kind == "ExternalSecret" and path.endswith(".secretKey"):
            continue  # the name of a key in the secret that is made
        if isinstance(value, str) and (TOKENS.search(value) or (_secret_name(path) and _plain(value))):
            yield path
    if resource.kind == "Secret" and resource.type.startswith("kubernetes:core/v1"):
        for field in ("data", "stringData"):
            given = resource.inputs.get(field)
            entries = given.items() if isinstance(given, dict) else ()
            yield from (f"{field}.{key}" for key, value in entries if isinstance(value, str) and value)
    if resource.type.startswith(WORKLOADS):
        for container in containers(resource):
            for variable in listed(container, "env"):
                name, value = dig(variable, "name", ""), _raw(variable)
                if isinstance(value, str) and _secret_name(str(name)) and _plain(value):
                    yield f"env.{name}"


def _raw(variable: Value) -> Value:
    return variable.get("value") if isinstance(variable, dict) else None


def _secret_name(path: str) -> bool:
    last = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.rpartition(".")[2]).lower()
    # Charts call the name of a Secret that is there `existingSecret`.
    return bool(NAMES.search(last)) and not last.startswith("existing_")


def _plain(value: str) -> bool:
    return bool(value) and not isinstance(value, Unknown) and not REFERENCE.match(value)


_ENV = "spec.template.spec.containers.0.env"
_KEY = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIE"
_AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
_CONFIG = "kubernetes:core/v1:ConfigMap"

RULES = (
    Rule(
        number=43,
        id="sec-no-plaintext-secret",
        title="No secret is written in the open.",
        holds="no secret is in the open",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        severity=Severity.CRITICAL,
        environment=_open_secrets,
        cases=(
            violates("a password of a database", put("metadata", "password", "hunter2")),
            violates("in camel case", put("metadata", "masterApiKey", "hunter2")),
            violates("a variable", put("recorder", _ENV, [{"name": "DB_PASSWORD", "value": "hunter2"}])),
            violates("a key in a file", having(_CONFIG, "config", {"data": {"id_rsa": _KEY}})),
            violates("a key of AWS", having(_CONFIG, "config", {"data": {"settings": f"id={_AWS}"}})),
            violates(
                "an address with a password", having(_CONFIG, "config", {"data": {"url": "postgres://a:b@host/db"}})
            ),
            violates(
                "a Secret's own data",
                having("kubernetes:core/v1:Secret", "opened", {"data": {"config.json": "aHVudGVyMg=="}}),
            ),
            violates(
                "a Secret's own texts",
                having("kubernetes:core/v1:Secret", "opened", {"stringData": {"config.json": "hunter2"}}),
            ),
            passes("where one comes from", put("recorder", _ENV, [{"name": "DB_TOKEN", "value": "$(TOKEN)"}])),
            passes("a variable with an ordinary name", put("recorder", _ENV, [{"name": "LEVEL", "value": "debug"}])),
            passes("a map of data", having(_CONFIG, "config", {"data": {"config.json": "{}"}})),
            passes("a declaration's own words", put(HIGH_RISK, "token", "word")),
            passes(
                "which keys come from outside",
                having(
                    "kubernetes:external-secrets.io/v1:ExternalSecret",
                    "outside",
                    {"spec": {"data": [{"secretKey": "password", "remoteRef": {"key": "db", "property": "password"}}]}},
                ),
            ),
            passes("none"),
            passes("one that is kept secret", put("metadata", "password", SECRET)),
            passes("one that is not there yet", put("metadata", "password", UNKNOWN)),
            passes(
                "where one is",
                put("metadata", "passwordSecretName", "db"),
                put("metadata", "existingSecret", "db"),
                put("metadata", "secret", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db"),
                put("recorder", _ENV, [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db"}}}]),
            ),
            spares("nothing", nothing),
            cannot_tell("variables known later", put("recorder", _ENV, UNKNOWN)),
        ),
    ),
)
