"""No secret is written in the open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import (
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
from mlstrata.policies.core.values import SECRET, UNKNOWN, Unknown, Value, dig, leaves, listed
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK
from mlstrata.policies.fixtures.world import having, nothing, put
from mlstrata.policies.views.kubernetes import WORKLOADS, containers

NAMES = re.compile(
    r"(password|passwd|passphrase|apikey|authtoken)$"
    r"|(^|[_.-])(pwd|secret|secret_?key|secret_(string|binary)|api_?key|access_?key|account_?key|private_?key|token"
    r"|credentials?|connection_?string)$"
)
"""Names that hold a secret, in snake case."""
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
REFERENCE = re.compile(r"^(\$[\w({]|\{\{|arn:|secretsmanager:|vault:|projects/|/run/secrets/|/|\*+$)")
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
                subject=resource,
            )
    if not seen:
        yield not_applicable("there are no resources")


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
    if TOKENS.search(value) or (_secret_name(path) and _plain(value)):
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


def _parsed(text: str) -> Value:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _pairs(value: Value) -> Iterator[tuple[str, str]]:
    """Yield names and values that stand beside each other, as variables of containers do, wherever they are."""
    if isinstance(value, Mapping):
        name, given = value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(given, str):
            yield name, given
        for inner in value.values():
            yield from _pairs(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _pairs(inner)


def _secret_name(path: str) -> bool:
    last = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.rpartition(".")[2]).lower()
    # Charts call the name of a Secret that is there `existingSecret`.
    return bool(NAMES.search(last)) and not last.startswith("existing_")


def _plain(value: str) -> bool:
    return bool(value) and not isinstance(value, Unknown) and not REFERENCE.match(value)


_ENV = "spec.template.spec.containers.0.env"
_KEY = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIE"
_AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
_ARGS = "spec.template.spec.containers.0.args"
_KINDS = (
    ("GitHub", "ghp_" + "a" * 36),
    ("GitHub's newer kind", "github_pat_" + "a" * 60),
    ("GitLab", "glpat-" + "a" * 20),
    ("Slack", "xoxb-" + "1" * 10),
    ("Slack's hooks", "https://hooks.slack.com/services/T0/B0/" + "a" * 20),
    ("Google", "AIza" + "a" * 35),
    ("Hugging Face", "hf_" + "a" * 30),
    ("a maker of models", "sk-" + "a" * 32),
    ("Databricks", "dapi" + "a" * 32),
    ("Vault", "hvs." + "a" * 20),
    ("PyPI", "pypi-AgEI" + "a" * 20),
    ("npm", "npm_" + "a" * 36),
    ("a session", ".".join(("eyJ" + "a" * 10, "eyJ" + "b" * 10, "c" * 10))),
    ("an address without a user", "redis://:hunter2@host"),
)
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
            *(
                violates(f"a variable {name}", put("recorder", _ENV, [{"name": name, "value": "hunter2"}]))
                for name in (
                    "PGPASSWORD",
                    "MYSQL_PWD",
                    "dbpassword",
                    "AZURE_ACCOUNT_KEY",
                    "CONNECTION_STRING",
                    "X_TOKEN",
                )
            ),
            *(
                violates(f"a token of {name}", having(_CONFIG, "c", {"data": {"a": f"x {one}"}}))
                for name, one in _KINDS
            ),
            *(
                violates(f"in a command: {words[-1]}", put("recorder", _ARGS, words))
                for words in (
                    ["--password=hunter2"],
                    ["--db-password", "hunter2"],
                    ["-c", "export DB_PASSWORD=hunter2; exec serve"],
                    ["--api-key 'hunter2'"],
                )
            ),
            *(
                violates(f"in a file of settings: {line}", having(_CONFIG, "c", {"data": {"f": f"a: 1\n{line}\n"}}))
                for line in (
                    "password: hunter2",
                    "DB_PASSWORD=hunter2",
                    "  - apiKey: 'hunter2'",
                    "export A_TOKEN=hunter2",
                )
            ),
            *(
                violates(
                    f"in JSON: {text}", having("aws:ecs/taskDefinition:TaskDefinition", "t", {"definitions": text})
                )
                for text in (
                    '[{"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]',
                    '{"password": "hunter2"}',
                )
            ),
            violates(
                "a Secret's own patch", having("kubernetes:core/v1:SecretPatch", "opened", {"data": {"a": "aA=="}})
            ),
            violates(
                "a secret of AWS's own store",
                having("aws:secretsmanager/secretVersion:SecretVersion", "v", {"secretString": "hunter2"}),
            ),
            violates(
                "in what a container starts",
                put("recorder", "spec.template.spec.containers.0.command", ["serve", "--password=hunter2"]),
            ),
            passes(
                "no secret in a command",
                put("recorder", _ARGS, ["--token-file=/run/t", "--password=$(PASSWORD)", "-v"]),
            ),
            passes(
                "no secret in a file of settings",
                having(_CONFIG, "c", {"data": {"f": "tokens: 5\npassword: ${PASSWORD}\nsecretName: db\n"}}),
            ),
            passes("no secret in JSON", having(_CONFIG, "c", {"data": {"f": '{"password": "", "a": [1]}', "g": "{x"}})),
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
