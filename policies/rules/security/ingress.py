"""Doors: TLS where one may come in, and a lock on the registry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.kinds import LONG_RUNNING
from mlstrata.policies.core.rule import Context, Domain, Rule, Verdict, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import Unknown, UnknownValueError, Value, dig, listed
from mlstrata.policies.remedies.cluster import DOORS
from mlstrata.policies.views.kubernetes import SERVICE, outside
from mlstrata.policies.views.pods import pods
from mlstrata.policies.views.retention import LOCAL_SERVICE

INGRESS = ("kubernetes:networking.k8s.io/v1:Ingress",)
GATEWAY = ("kubernetes:gateway.networking.k8s.io/",)
LISTENERS = ("aws:lb/listener:Listener", "aws:alb/listener:Listener")
CLASSIC = "aws:elb/loadBalancer:LoadBalancer"
SECURE = {"HTTPS", "TLS"}
SECURE_PORTS = {443, 6443, 8443}
PLAIN_HTTP = 80
BROKEN = re.compile(r"TLS-1-[01]-|-201[56]-")
"""Names of AWS's sets of ciphers that take TLS 1.0 or 1.1."""
PLAIN_TEXT = {
    "nginx.ingress.kubernetes.io/ssl-redirect": re.compile("^false$"),
    "kubernetes.io/ingress.allow-http": re.compile("^true$"),
    "alb.ingress.kubernetes.io/listen-ports": re.compile(r'"HTTP"'),
}
"""Annotations by which an Ingress with a certificate answers without it too."""
CERTIFICATES = "service.beta.kubernetes.io/aws-load-balancer-ssl-cert"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
MLFLOW = "mlflow"
UNGUARDED = {"", "none", "no", "false", "off", "disabled"}


def _encrypted_door(door: Resource, _: Context) -> Verdicts:
    if door.type.startswith(INGRESS):
        yield from _ingress(door)
    elif door.type.startswith(GATEWAY):
        yield from _gateway(door)
    elif door.type.startswith(SERVICE):
        yield from _service_door(door)
    elif door.type == CLASSIC:
        if any(str(dig(one, "lbProtocol")).upper() not in {"HTTPS", "SSL"} for one in door.all("listeners")):
            yield fails(f"a listener of '{door.name}' has no TLS", "lbProtocol: https, with a certificate")
    else:
        yield from _listener(door)


def _gateway(door: Resource) -> Iterator[Verdict]:
    if door.kind != "Gateway":
        yield not_applicable("it is not an entry point of its own")
        return
    for listener in door.all("spec.listeners"):
        if dig(listener, "protocol") not in SECURE:
            yield fails(f"a listener of Gateway '{door.name}' has no TLS", "protocol: HTTPS, with a certificate")


def _listener(door: Resource) -> Iterator[Verdict]:
    kinds = {dig(action, "type") for action in door.all("defaultActions")}
    if door.get("protocol") not in SECURE and kinds != {"redirect"}:
        yield fails(f"listener '{door.name}' has no TLS", "protocol: HTTPS, or only redirect to it")
    if BROKEN.search(str(door.get("sslPolicy", ""))):
        yield fails(f"listener '{door.name}' takes versions of TLS that are broken", "sslPolicy: one of TLS 1.2 up")


def _ingress(door: Resource) -> Iterator[Verdict]:
    certificates = door.all("spec.tls")
    if not certificates:
        yield fails(f"Ingress '{door.name}' has no TLS", "give it a certificate: spec.tls")
    named = [str(host) for one in certificates for host in listed(one, "hosts")]
    for rule in door.all("spec.rules") if named else ():
        host = str(dig(rule, "host", ""))
        if not any(fnmatchcase(host, pattern) for pattern in named):
            yield fails(f"no certificate of Ingress '{door.name}' is for host '{host}'", "name the host in spec.tls")
    for name, lax in PLAIN_TEXT.items():
        if lax.search(door.label(name)):
            yield fails(f"Ingress '{door.name}' answers without TLS too, by its annotation {name}", "remove it")


def _service_door(door: Resource) -> Iterator[Verdict]:
    if not outside(door):
        yield not_applicable("it is not an entry point: it cannot be reached from outside the cluster")
    elif not door.label(CERTIFICATES) and any(not _speaks_tls(port) for port in _asked(door.all("spec.ports"))):
        yield fails(
            f"Service '{door.name}' is reachable from outside without TLS", "let a Gateway with TLS stand before it"
        )


def _asked(ports: list[Value]) -> list[Value]:
    """Return the ports that need TLS: the one of plain HTTP beside one with it sends callers there."""
    if any(map(_speaks_tls, ports)):
        return [port for port in ports if dig(port, "port") != PLAIN_HTTP]
    return ports


def _speaks_tls(port: Value) -> bool:
    said = (str(dig(port, "appProtocol", "")), str(dig(port, "name", "")))
    return dig(port, "port") in SECURE_PORTS or any(one.startswith(("https", "tls")) for one in said)


def _locked(service: Resource, _: Context) -> Verdicts:
    started = [one for one in _commands(service) if _starts_a_registry(*one)]
    if not started and any(MLFLOW in " ".join((service.name, image, *words)) for image, words in _commands(service)):
        _require_words(service)
    if service.part != "registry" and not started:
        yield not_applicable("it is no model registry")
        return
    commands = started or _commands(service)
    if all(_guarded(words) for _, words in commands):
        return
    if service.label("mlstrata.io/auth").lower() in UNGUARDED:
        _require_words(service)
        yield fails(
            f"the registry '{service.name}' requires no authentication",
            "start it with --app-name basic-auth, or put it behind a proxy and say so in the label mlstrata.io/auth",
        )


def _commands(service: Resource) -> list[tuple[str, list[str]]]:
    """Return image and words of each command, also of one that a shell is given."""
    if service.type == LOCAL_SERVICE:
        return [("", _words(service.all("command")))]
    return [
        (str(dig(container, "image", "")), _words(listed(container, "command") + listed(container, "args")))
        for pod in pods(service)
        for container in pod.containers
    ]


def _require_words(service: Resource) -> None:
    """Refuse to go by a command of which something is known only after the deployment: it may be what guards it.

    Raises:
        UnknownValueError: it is.
    """
    commands = [service.all("command")]
    if service.type != LOCAL_SERVICE:
        found = [container for pod in pods(service) for container in pod.containers]
        commands = [listed(container, kind) for container in found for kind in ("command", "args")]
    if any(isinstance(word, Unknown) for command in commands for word in command):
        raise UnknownValueError("command")


def _words(command: list[Value]) -> list[str]:
    return [word for part in command if isinstance(part, str) for word in re.split(r"[\s=]+", part)]


def _starts_a_registry(image: str, words: list[str]) -> bool:
    named = [at for at, word in enumerate(words) if word.rpartition("/")[2] == MLFLOW]
    after = [words[at + 1] for at in named if at + 1 < len(words)]
    if any(one in {"server", "ui"} or one.startswith("-") for one in after):
        return True
    return MLFLOW in image and bool({"server", "ui"} & set(words[:1]))


def _guarded(words: list[str]) -> bool:
    hosts = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "--host"]
    return "basic-auth" in words or hosts[-1:] in [[host] for host in LOOPBACK]


_rule = partial(Rule, domain=Domain.SECURITY)

RULES = (
    _rule(
        id="sec-tls-ingress",
        title="Every entry point of the platform uses TLS.",
        holds="it uses TLS",
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        types=(*INGRESS, *GATEWAY, *LISTENERS, SERVICE, CLASSIC),
        resource=_encrypted_door,
        remedies=(DOORS,),
    ),
    _rule(
        id="sec-mlflow-auth",
        title="The model registry requires authentication.",
        holds="it requires authentication, or listens on this machine only",
        references=("AI Act Art. 15(5)", "ISO/IEC 42001 A.4.5"),
        types=(*LONG_RUNNING, LOCAL_SERVICE),
        resource=_locked,
    ),
)
