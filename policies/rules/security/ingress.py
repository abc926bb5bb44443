"""Doors: TLS where one may come in, and a lock on the registry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Rule,
    Verdict,
    Verdicts,
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, Value, dig, listed
from mlstrata.policies.fixtures.world import having, put, without
from mlstrata.policies.remedies.cluster import DOORS
from mlstrata.policies.views.kubernetes import LONG_RUNNING, pods
from mlstrata.policies.views.kubernetes_services import SERVICE, outside, service_of
from mlstrata.policies.views.retention import LOCAL_SERVICE

INGRESS = ("kubernetes:networking.k8s.io/v1:Ingress",)
GATEWAY = ("kubernetes:gateway.networking.k8s.io/",)
LISTENERS = ("aws:lb/listener:Listener", "aws:alb/listener:Listener")
CLASSIC = "aws:elb/loadBalancer:LoadBalancer"
SECURE = {"HTTPS", "TLS"}
SECURE_PORTS = {443, 6443, 8443}
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
        yield not_applicable("it is no door of its own")
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
        yield not_applicable("it is no door: nobody outside the cluster reaches it")
    elif not door.label(CERTIFICATES) and any(not _speaks_tls(port) for port in door.all("spec.ports")):
        yield fails(f"Service '{door.name}' is a door of its own without TLS", "let a Gateway with TLS stand before it")


def _speaks_tls(port: Value) -> bool:
    said = (str(dig(port, "appProtocol", "")), str(dig(port, "name", "")))
    return dig(port, "port") in SECURE_PORTS or any(one.startswith(("https", "tls")) for one in said)


def _locked(service: Resource, _: Context) -> Verdicts:
    started = [one for one in _commands(service) if _starts_a_registry(*one)]
    if service.part != "registry" and not started:
        yield not_applicable("it is no model registry")
        return
    commands = started or _commands(service)
    if all(_guarded(words) for _, words in commands):
        return
    if service.label("mlstrata.io/auth").lower() in UNGUARDED:
        yield fails(
            f"the registry '{service.name}' lets anybody in who can reach it",
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


def _words(command: list[Value]) -> list[str]:
    return [word for part in command if isinstance(part, str) for word in re.split(r"[\s=]+", part)]


def _starts_a_registry(image: str, words: list[str]) -> bool:
    named = [at for at, word in enumerate(words) if word.rpartition("/")[2] == "mlflow"]
    after = [words[at + 1] for at in named if at + 1 < len(words)]
    if any(one in {"server", "ui"} or one.startswith("-") for one in after):
        return True
    return "mlflow" in image and bool({"server", "ui"} & set(words[:1]))


def _guarded(words: list[str]) -> bool:
    hosts = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "--host"]
    return "basic-auth" in words or hosts[-1:] in [[host] for host in LOOPBACK]


def _lax(name: str, value: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: value}}, "spec": {"tls": [{"secretName": "t"}]}}


_POD = "spec.template.spec"
_STARTED = {"name": "mlflow", "command": ["mlflow", "server", "--app-name=basic-auth"]}
_REDIRECT = {"port": 80, "protocol": "HTTP", "defaultActions": [{"type": "redirect"}]}
_LOCAL = {"name": "mlflow", "command": ["/opt/bin/mlflow", "server", "--host", "0.0.0.0"]}  # noqa: S104 - what is refused
_LAX = {
    "nginx.ingress.kubernetes.io/ssl-redirect": "false",
    "kubernetes.io/ingress.allow-http": "true",
    "alb.ingress.kubernetes.io/listen-ports": '[{"HTTP": 80}, {"HTTPS": 443}]',
}
_TLS = {"appProtocol": "https"}
_CERTIFICATE = "service.beta.kubernetes.io/aws-load-balancer-ssl-cert"
_UNLABELLED = put("mlflow", "metadata.labels.mlstrata~io/part", "tracking")
_HIDDEN = {
    "a shell": ["sh", "-c", "exec mlflow server --host 0.0.0.0"],
    "a module": ["python", "-m", "mlflow", "server"],
    "its other word": ["mlflow", "ui"],
    "its path": ["/opt/bin/mlflow", "--port", "5000"],
}

RULES = (
    Rule(
        number=44,
        id="sec-tls-ingress",
        title="Every door into the platform has TLS.",
        holds="it has TLS",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        types=(*INGRESS, *GATEWAY, *LISTENERS, SERVICE, CLASSIC),
        resource=_encrypted_door,
        remedies=(DOORS,),
        cases=(
            violates("a listener without", put("entrance", "spec.listeners.0.protocol", "HTTP")),
            violates("an Ingress without", having(INGRESS[0], "open", {"spec": {"rules": []}})),
            violates("a load balancer without", having(LISTENERS[0], "plain", {"port": 80, "protocol": "HTTP"})),
            violates(
                "one that forwards too",
                having(
                    LISTENERS[0], "both", {**_REDIRECT, "defaultActions": [{"type": "redirect"}, {"type": "forward"}]}
                ),
            ),
            violates(
                "an Ingress by its kind",
                having("kubernetes:networking.k8s.io/v1:Ingress", "open", {"spec": {"rules": []}}),
            ),
            *(
                violates(kind, having(kind, "plain", {"port": 80, "protocol": "HTTP"}))
                for kind in ("aws:lb/listener:Listener", "aws:alb/listener:Listener")
            ),
            violates(
                "an Ingress whose certificate is for another host",
                having(
                    INGRESS[0], "half", {"spec": {"tls": [{"hosts": ["a.example"]}], "rules": [{"host": "b.example"}]}}
                ),
            ),
            *(
                violates(f"an Ingress that lets plain text in by {name}", having(INGRESS[0], "lax", _lax(name, value)))
                for name, value in _LAX.items()
            ),
            *(
                violates(f"a Service of type {kind}", having(SERVICE, "open", service_of(8080, type=kind)))
                for kind in ("LoadBalancer", "NodePort")
            ),
            violates(
                "a Service with an address outside", having(SERVICE, "open", service_of(80, externalIPs=["1.2.3.4"]))
            ),
            violates(
                "a classic load balancer",
                having(
                    "aws:elb/loadBalancer:LoadBalancer", "old", {"listeners": [{"lbPort": 80, "lbProtocol": "http"}]}
                ),
            ),
            violates(
                "one listener of two of a classic load balancer",
                having(CLASSIC, "old", {"listeners": [{"lbProtocol": "https"}, {"lbProtocol": "tcp"}]}),
            ),
            violates(
                "a listener that takes TLS 1.1",
                having(LISTENERS[0], "old", {"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-2016-08"}),
            ),
            violates(
                "a listener that takes broken versions of TLS",
                having(LISTENERS[0], "old", {"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-TLS-1-0-2015-04"}),
            ),
            passes("HTTPS"),
            passes(
                "an Ingress with a certificate for each host",
                having(
                    INGRESS[0],
                    "own",
                    {"spec": {"tls": [{"hosts": ["*.b.example"]}], "rules": [{"host": "a.b.example"}]}},
                ),
            ),
            *(
                passes(f"a Service for {port}", having(SERVICE, "tls", service_of(port, type="LoadBalancer")))
                for port in (443, 6443, 8443)
            ),
            *(
                passes(
                    f"a Service whose port says {said}", having(SERVICE, "tls", service_of(9000, said, type="NodePort"))
                )
                for said in ({"name": "https-api"}, {"name": "tls"}, {"appProtocol": "tls"})
            ),
            passes("a classic one with its own TLS", having(CLASSIC, "tls", {"listeners": [{"lbProtocol": "ssl"}]})),
            passes(
                "a Service that says it speaks TLS", having(SERVICE, "tls", service_of(9000, _TLS, type="NodePort"))
            ),
            passes(
                "a Service whose load balancer has a certificate",
                having(
                    SERVICE,
                    "tls",
                    {**service_of(80, type="LoadBalancer"), "metadata": {"annotations": {_CERTIFICATE: "x"}}},
                ),
            ),
            passes(
                "a Service within",
                without("entrance", "mortgage-stop"),
                having(SERVICE, "inner", service_of(80)),
                having(LISTENERS[0], "tls", {"protocol": "HTTPS"}),
                companions=("*",),
            ),
            passes(
                "a classic load balancer with TLS", having(CLASSIC, "tls", {"listeners": [{"lbProtocol": "https"}]})
            ),
            passes(
                "an Ingress with a certificate", having(INGRESS[0], "closed", {"spec": {"tls": [{"secretName": "t"}]}})
            ),
            passes("a redirect", having(LISTENERS[0], "redirect", _REDIRECT)),
            passes("TLS of a load balancer", having(LISTENERS[0], "tls", {"port": 443, "protocol": "TLS"})),
            spares("no doors", without("entrance", "mortgage-stop"), companions=("*",)),
            spares("a route is no door", without("entrance")),
            cannot_tell("known later", put("entrance", "spec.listeners.0.protocol", UNKNOWN)),
        ),
    ),
    Rule(
        number=45,
        id="sec-mlflow-auth",
        title="The model registry lets in only whom it knows.",
        holds="it lets in only whom it knows, or only this machine",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "ISO/IEC 42001 A.4.5"),
        types=(*LONG_RUNNING, LOCAL_SERVICE),
        resource=_locked,
        cases=(
            violates("anybody", put("mlflow", f"{_POD}.containers.0.args", ["server"])),
            violates("a service for all addresses", having(LOCAL_SERVICE, "local-mlflow", _LOCAL)),
            violates("a service that does not say", having(LOCAL_SERVICE, "quiet", {"command": ["mlflow", "server"]})),
            *(
                violates(f"by {how}", put("mlflow", f"{_POD}.containers.0.args", args), _UNLABELLED)
                for how, args in _HIDDEN.items()
            ),
            violates(
                "by its image alone",
                put("mlflow", f"{_POD}.containers.0.args", ["server"]),
                _UNLABELLED,
            ),
            violates(
                "the last address counts",
                having(LOCAL_SERVICE, "two", {"command": ["mlflow", "server", "--host=127.0.0.1", "--host=0.0.0.0"]}),
            ),
            *(
                violates(
                    f"a label that says {word}",
                    put("mlflow", f"{_POD}.containers.0.args", ["server"]),
                    put("mlflow", "metadata.labels.mlstrata~io/auth", word),
                )
                for word in ("none", "no", "false", "Off", "disabled")
            ),
            violates(
                "its user interface, by its image", put("mlflow", f"{_POD}.containers.0.args", ["ui"]), _UNLABELLED
            ),
            violates(
                "one of two containers",
                put("mlflow", f"{_POD}.containers.0.args", ["server", "--app-name", "basic-auth"]),
                put("mlflow", f"{_POD}.initContainers", [{"name": "b", "command": ["mlflow", "server"]}]),
                companions=("*",),
            ),
            passes("users"),
            passes(
                "one address as one word", having(LOCAL_SERVICE, "own", {"command": ["mlflow", "--host=127.0.0.1"]})
            ),
            passes("one flag", put("mlflow", f"{_POD}.containers.0.args", ["--app-name=basic-auth"])),
            passes(
                "a proxy",
                put("mlflow", f"{_POD}.containers.0.args", ["server"]),
                put("mlflow", "metadata.labels.mlstrata~io/auth", "proxy"),
            ),
            *(
                passes(f"only {host}", having(LOCAL_SERVICE, "own", {"command": ["mlflow", "--host", host]}))
                for host in ("localhost", "::1")
            ),
            passes("a command", put("mlflow", f"{_POD}.containers.0", _STARTED), companions=("*",)),
            passes("this machine only", having(LOCAL_SERVICE, "own", {"command": ["mlflow", "--host", "127.0.0.1"]})),
            spares("no registry", without("mlflow")),
            cannot_tell("known later", put("mlflow", f"{_POD}.containers.0.args", UNKNOWN)),
        ),
    ),
)
