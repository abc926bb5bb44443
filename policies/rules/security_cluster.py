"""Clusters: restricted pods, closed networks, rights that name what they allow, doors with TLS and a lock."""

from __future__ import annotations

import json

from policies.graph import Resource
from policies.kubernetes import LONG_RUNNING, WORKLOADS, Pod, namespace, pods
from policies.remedies.cluster import DOORS, RESTRICTED
from policies.remedies.stores import PRIVATE_DATABASE
from policies.retention import LOCAL_SERVICE
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
from policies.stores import DATABASES
from policies.values import UNKNOWN, UnknownValueError, Value, dig, listed
from policies.world import cut, having, nothing, put, without

ROLES = ("kubernetes:rbac.authorization.k8s.io/v1:Role", "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")
IAM = ("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy", "aws:iam/userPolicy:UserPolicy")
INGRESS = ("kubernetes:networking.k8s.io/v1:Ingress",)
GATEWAY = ("kubernetes:gateway.networking.k8s.io/",)
LISTENERS = ("aws:lb/listener:Listener", "aws:alb/listener:Listener")
SECURE = {"HTTPS", "TLS"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _restricted(workload: Resource, _: Context) -> Verdicts:
    for pod in pods(workload):
        for what in _looseness(pod):
            yield fails(f"'{workload.name}': {what}", "meet the pod security standard 'restricted'")


def _looseness(pod: Pod) -> list[str]:
    found = [f"{field} is on" for field in ("hostNetwork", "hostPID", "hostIPC") if dig(pod.spec, field)]
    if any(dig(volume, "hostPath") for volume in listed(pod.spec, "volumes")):
        found.append("a volume is a path of the node")
    whole = dig(pod.spec, "securityContext", {})
    for container in pod.containers:
        own, name = dig(container, "securityContext", {}), dig(container, "name", "?")
        if dig(own, "privileged"):
            found.append(f"container {name} is privileged")
        if dig(own, "allowPrivilegeEscalation", True):
            found.append(f"container {name} may gain privileges")
        if not dig(own, "runAsNonRoot", dig(whole, "runAsNonRoot")):
            found.append(f"container {name} may run as root")
        if "ALL" not in listed(own, "capabilities.drop"):
            found.append(f"container {name} keeps the kernel's capabilities")
        if not dig(own, "seccompProfile.type", dig(whole, "seccompProfile.type")):
            found.append(f"container {name} has no seccomp profile")
    return found


def _denied(context: Context) -> Verdicts:
    spaces = {namespace(workload) for workload in context.graph.of(*WORKLOADS)}
    if not spaces:
        yield not_applicable("nothing runs in a cluster")
    closed: dict[str, set[str]] = {}
    for policy in context.graph.of("kubernetes:networking.k8s.io/v1:NetworkPolicy"):
        selector = policy.get("spec.podSelector", {})
        if not dig(selector, "matchLabels") and not dig(selector, "matchExpressions"):
            ways = {way for way in policy.all("spec.policyTypes") if not policy.all(f"spec.{str(way).lower()}")}
            closed.setdefault(namespace(policy), set()).update(ways)
    for space in sorted(spaces):
        if missing := sorted({"Ingress", "Egress"} - closed.get(space, set())):
            yield fails(
                f"nothing denies {' and '.join(missing).lower()} by default in namespace '{space}'",
                "add a NetworkPolicy for all pods that allows nothing, and one for each way that is needed",
                subject=space,
            )


def _named_rights(role: Resource, _: Context) -> Verdicts:
    if role.type.startswith(IAM):
        statements = _statements(role.get("policy"))
        for statement in statements:
            actions = listed(statement, "Action")
            wide = any(str(action) == "*" or str(action).endswith(":*") for action in actions)
            if dig(statement, "Effect") == "Allow" and wide:
                yield fails(f"'{role.name}' allows every action of a service", "name the actions that are needed")
        return
    for rule in role.all("rules"):
        for what in ("verbs", "resources"):
            if "*" in listed(rule, what):
                yield fails(f"'{role.name}' allows all {what} ('*')", f"name the {what} that are needed")


def _statements(policy: Value) -> list[Value]:
    try:
        return listed(json.loads(policy) if isinstance(policy, str) else policy, "Statement")
    except ValueError:
        raise UnknownValueError("policy") from None


def _encrypted_door(door: Resource, _: Context) -> Verdicts:
    if door.type.startswith(INGRESS):
        if not door.all("spec.tls"):
            yield fails(f"Ingress '{door.name}' has no TLS", "give it a certificate: spec.tls")
    elif door.type.startswith(GATEWAY):
        if door.kind != "Gateway":
            yield not_applicable("it is no door of its own")
            return
        for listener in door.all("spec.listeners"):
            if dig(listener, "protocol") not in SECURE:
                yield fails(f"a listener of Gateway '{door.name}' has no TLS", "protocol: HTTPS, with a certificate")
    elif door.get("protocol") not in SECURE:
        kinds = {dig(action, "type") for action in door.all("defaultActions")}
        if kinds != {"redirect"}:
            yield fails(f"listener '{door.name}' has no TLS", "protocol: HTTPS, or only redirect to it")


def _locked(service: Resource, _: Context) -> Verdicts:
    command = [part for part in _commands(service) if isinstance(part, str)]
    is_registry = service.part == "registry" or any("mlflow" in part.rpartition("/")[2] for part in command[:1])
    if not is_registry:
        yield not_applicable("it is no model registry")
        return
    host = command[command.index("--host") + 1] if "--host" in command[:-1] else ""
    if host in LOOPBACK or any(part in {"basic-auth", "--app-name=basic-auth"} for part in command):
        return
    if not service.label("mlstrata.io/auth"):
        yield fails(
            f"the registry '{service.name}' lets anybody in who can reach it",
            "start it with --app-name basic-auth, or put it behind a proxy and say so in the label mlstrata.io/auth",
        )


def _commands(service: Resource) -> list[Value]:
    if service.type == LOCAL_SERVICE:
        return service.all("command")
    return [
        part
        for pod in pods(service)
        for container in pod.containers
        for field in ("command", "args")
        for part in listed(container, field)
    ]


def _private(database: Resource, _: Context) -> Verdicts:
    if database.get("publiclyAccessible"):
        yield fails(f"the database '{database.name}' can be reached from the internet", "publiclyAccessible: false")


_POD = "spec.template.spec"
_C0 = f"{_POD}.containers.0.securityContext"
_DENY = "default-deny"
_STARTED = {"name": "mlflow", "command": ["mlflow", "server", "--app-name=basic-auth"]}
_REDIRECT = {"port": 80, "protocol": "HTTP", "defaultActions": [{"type": "redirect"}]}
_LOCAL = {"name": "mlflow", "command": ["/opt/bin/mlflow", "server", "--host", "0.0.0.0"]}  # noqa: S104 - what is refused

RULES = (
    Rule(
        number=40,
        id="sec-pod-restricted",
        title="Every pod meets the standard 'restricted'.",
        holds="its pods are restricted",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)",),
        types=WORKLOADS,
        resource=_restricted,
        remedies=(RESTRICTED,),
        cases=(
            *(
                violates(field, put("recorder", f"{_POD}.{field}", True))
                for field in ("hostNetwork", "hostPID", "hostIPC")
            ),
            violates("a node's path", put("recorder", f"{_POD}.volumes", [{"hostPath": {"path": "/"}}])),
            violates("privileged", put("recorder", f"{_C0}.privileged", True)),
            violates("may gain privileges", cut("recorder", f"{_C0}.allowPrivilegeEscalation")),
            violates("may be root", cut("recorder", f"{_C0}.runAsNonRoot")),
            violates("keeps capabilities", put("recorder", f"{_C0}.capabilities.drop", ["NET_RAW"])),
            violates("no seccomp", cut("recorder", f"{_C0}.seccompProfile")),
            violates(
                "an open predictor",
                cut("mortgage", "spec.predictors.0.componentSpecs.0.spec.containers.0.securityContext"),
            ),
            violates("an open first container", put("recorder", f"{_POD}.initContainers", [{"name": "first"}])),
            passes("restricted"),
            passes(
                "said for the whole pod",
                cut("recorder", f"{_C0}.runAsNonRoot"),
                cut("recorder", f"{_C0}.seccompProfile"),
                put(
                    "recorder",
                    f"{_POD}.securityContext",
                    {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                ),
            ),
            spares("no workloads", nothing),
            cannot_tell("known later", put("recorder", _C0, UNKNOWN)),
        ),
    ),
    Rule(
        number=41,
        id="sec-default-deny-network",
        title="Every namespace with workloads denies traffic that nothing allows.",
        holds="traffic is denied unless something allows it",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)",),
        environment=_denied,
        cases=(
            violates("no policy", without(_DENY)),
            violates("one for some pods", put(_DENY, "spec.podSelector", {"matchLabels": {"app": "x"}})),
            violates("one for some expressions", put(_DENY, "spec.podSelector", {"matchExpressions": [{"key": "x"}]})),
            violates("in only", put(_DENY, "spec.policyTypes", ["Ingress"])),
            violates("one that lets all in", put(_DENY, "spec.ingress", [{}])),
            violates("in another namespace", put(_DENY, "metadata.namespace", "other")),
            passes("denied"),
            passes(
                "by two",
                put(_DENY, "spec.policyTypes", ["Ingress"]),
                having(
                    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
                    "out",
                    {"metadata": {"namespace": "lending"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}},
                ),
            ),
            spares("no workloads", nothing),
            cannot_tell("known later", put(_DENY, "spec.podSelector", UNKNOWN)),
        ),
    ),
    Rule(
        number=42,
        id="sec-no-wildcard-rbac",
        title="No role allows everything.",
        holds="its rights are named",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "AI Act Art. 20"),
        types=(*ROLES, *IAM),
        severity=Severity.CRITICAL,
        resource=_named_rights,
        cases=(
            violates("all verbs", put("reader", "rules.0.verbs", ["*"])),
            violates("all resources", put("reader", "rules.0.resources", ["pods", "*"])),
            violates(
                "every action", put("reader-policy", "policy", '{"Statement": {"Effect": "Allow", "Action": "*"}}')
            ),
            violates(
                "every action of a service",
                put("reader-policy", "policy", {"Statement": [{"Effect": "Allow", "Action": ["s3:*"]}]}),
            ),
            violates(
                "a role of the whole cluster",
                having("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "all", {"rules": [{"verbs": ["*"]}]}),
            ),
            *(
                violates(kind, having(kind, "all", {"policy": {"Statement": {"Effect": "Allow", "Action": "s3:*"}}}))
                for kind in ("aws:iam/rolePolicy:RolePolicy", "aws:iam/userPolicy:UserPolicy")
            ),
            passes("named"),
            passes(
                "everything is denied",
                put("reader-policy", "policy", {"Statement": [{"Effect": "Deny", "Action": ["s3:*"]}]}),
            ),
            spares("no roles", nothing),
            cannot_tell("verbs known later", put("reader", "rules.0.verbs", UNKNOWN)),
            cannot_tell("a policy that is no JSON", put("reader-policy", "policy", "?")),
        ),
    ),
    Rule(
        number=44,
        id="sec-tls-ingress",
        title="Every door into the platform has TLS.",
        holds="it has TLS",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        types=(*INGRESS, *GATEWAY, *LISTENERS),
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
            passes("HTTPS"),
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
            passes("users"),
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
    Rule(
        number=46,
        id="sec-private-db-endpoint",
        title="No database can be reached from the internet.",
        holds="it cannot be reached from the internet",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        types=DATABASES,
        severity=Severity.CRITICAL,
        resource=_private,
        remedies=(PRIVATE_DATABASE,),
        cases=(
            violates("public", put("metadata", "publiclyAccessible", True)),
            passes("private"),
            passes("private unless it says otherwise", cut("metadata", "publiclyAccessible")),
            spares("no database", without("metadata"), companions=("*",)),
            cannot_tell("known later", put("metadata", "publiclyAccessible", UNKNOWN)),
        ),
    ),
)
