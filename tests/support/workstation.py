"""A workstation beside a cluster: `kubectl port-forward` and the API as one user has them, by the planned roles."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlstrata.clients.kubernetes import Forbidden, Kind, Missing, Outdated
from mlstrata.services.serving.cluster import VERSION, deployment_of

Json = dict[str, Any]
_KUBECTL = """#!{python}
import json, pathlib, re, socket, sys, threading
folder = pathlib.Path(__file__).parent
with (folder / "asked").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
context, namespace, command, address, to, port = sys.argv[1:]
assert command == "port-forward" and address == "--address=127.0.0.1" and re.fullmatch(":[0-9]+", port), sys.argv
context, namespace = (one.partition("=")[2] for one in (context, namespace))
kind, _, name = to.partition("/")
known = json.loads((folder / "known.json").read_text())
found = known.get(f"{{context}}/{{namespace}}/{{to}}{{port}}")
for verb, resource, named in found["asks"] if found else [["get", kind, name]]:
    if [context, namespace, verb, resource, named] not in known["allowed"]:
        sys.exit(f"Error from server (Forbidden): {{verb}} {{resource}} {{named}} in {{namespace}} is forbidden")
if not found:
    sys.exit(f'Error from server (NotFound): {{kind}} "{{name}}" not found')
server = socket.create_server(("127.0.0.1", 0))
print(f"Forwarding from 127.0.0.1:{{server.getsockname()[1]}} -> {{port[1:]}}", flush=True)
def pour(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
while True:
    near, _ = server.accept()
    far = socket.create_connection(("127.0.0.1", found["port"]))
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pour, args=pair, daemon=True).start()
"""


class Rights:
    """What whoever is in some groups may do, by the roles and bindings among the objects of an environment."""

    def __init__(self, objects: Iterable[Mapping[str, Any]], *groups: str) -> None:
        found = list(objects)
        named = {
            (one["metadata"]["namespace"], one["roleRef"]["name"])
            for one in found
            if one.get("kind") == "RoleBinding"
            and any(who["kind"] == "Group" and who["name"] in groups for who in one["subjects"])
        }
        self.rules: list[tuple[str, Json]] = [
            (one["metadata"]["namespace"], rule)
            for one in found
            if one.get("kind") == "Role" and (one["metadata"]["namespace"], one["metadata"]["name"]) in named
            for rule in one["rules"]
        ]

    def allow(self, namespace: str, verb: str, group: str, resource: str, name: str) -> bool:
        """Say whether they may; a list is of all names."""
        return any(
            space == namespace
            and verb in rule["verbs"]
            and group in rule["apiGroups"]
            and resource in rule["resources"]
            and (not rule.get("resourceNames") or name in rule["resourceNames"])
            for space, rule in self.rules
        )


class Everything(Rights):
    """What an administrator may do."""

    def __init__(self) -> None:
        super().__init__(())

    def allow(self, namespace: str, verb: str, group: str, resource: str, name: str) -> bool:
        """Say yes."""
        return True


@dataclass
class MemoryCluster:
    """Stands for the client of a cluster, asked by a group of people: the objects that it was given, and no others."""

    context: str
    rights: Rights
    objects: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    request_timeout_s: float = 1
    patience_s: float = 0

    def put(self, plural: str, found: Json) -> None:
        """Have an object."""
        found["metadata"].setdefault("resourceVersion", "1")
        self.objects[plural, found["metadata"]["namespace"], found["metadata"]["name"]] = found

    def get(self, kind: Kind, name: str, namespace: str) -> Json:
        """Return an object, as the client does."""
        if not self.rights.allow(namespace, "get", kind.group, kind.plural, name):
            raise Forbidden(f"get {kind.plural} {name} in {namespace}: you may not")
        if (found := self.objects.get((kind.plural, namespace, name))) is None:
            raise Missing(f"get {kind.plural} {name} in {namespace}: it is not there")
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # what was put in is an object

    def apply(self, kind: Kind, manifest: Mapping[str, Any], *, take: bool = False) -> Json:
        """Set annotations, which is all that a release sets; the pods follow at once."""
        metadata = manifest["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        if not self.rights.allow(namespace, "patch", kind.group, kind.plural, name):
            raise Forbidden(f"patch {kind.plural} {name} in {namespace}: you may not")
        found = self.objects[kind.plural, namespace, name]
        if metadata["resourceVersion"] != found["metadata"]["resourceVersion"]:
            raise Outdated("it was changed meanwhile")
        found["metadata"].setdefault("annotations", {}).update(metadata.get("annotations", {}))
        found["metadata"]["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        told = manifest.get("spec", {}).get("annotations", {})
        found["spec"].setdefault("annotations", {}).update(told)
        if VERSION in told:
            self.put("deployments", _answering(deployment_of(name), namespace, told))
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # as above


def _answering(name: str, namespace: str, annotations: Mapping[str, str]) -> Json:
    return {
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {"replicas": 1, "template": {"metadata": {"annotations": dict(annotations)}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    }


def kubectl(folder: Path, reached: Mapping[str, tuple[Rights, int]]) -> Path:
    """Write a `kubectl` that forwards ports to servers of this machine, where the user's rights allow it.

    It asks for the very rights that kubectl needs: the object, its pods where it is a service, and the forwarding.

    Args:
        folder: A new folder, for PATH; `asked` there has a line for each call.
        reached: `CONTEXT/NAMESPACE/KIND/NAME:PORT` to the rights of who asks, and the port here that stands for it.
    """
    folder.mkdir(exist_ok=True)
    known: dict[str, Any] = {}
    allowed = []
    for what, (rights, port) in reached.items():
        context, namespace, kind, end = what.split("/")
        name = end.partition(":")[0]
        pod = name if kind == "pod" else "any"
        asks = [["get", "pod", pod], ["create", "pods/portforward", pod], ["get", "pods/portforward", pod]]
        asks += [["get", "service", name], ["list", "pod", ""]] if kind == "service" else []
        plural = {"pod": "pods", "service": "services"}
        for verb, resource, named in asks:
            if rights.allow(namespace, verb, "", plural.get(resource, resource), named):
                allowed.append([context, namespace, verb, resource, named])
        known[what] = {"asks": asks, "port": port}
    (folder / "known.json").write_text(json.dumps(known | {"allowed": allowed}), encoding="utf-8")
    program = folder / "kubectl"
    program.write_text(_KUBECTL.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    return program
