"""The cluster through `kubectl`: it knows every way to log in that a kubeconfig can name, plug-ins included."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlstrata.clients.kubectl_errors import ClusterError, Forbidden, Missing, Outdated

Json = dict[str, Any]
MANAGER = "mlstrata-release"
"""Field manager of what a release sets: the API server then knows whose those fields are, and so does Pulumi."""

_WORDS = 400
_PAUSE_S = 0.5
_LOST = re.compile(
    r"Unable to connect|connection refused|was refused|dial tcp|i/o timeout|deadline exceeded|TLS handshake|EOF|"
    r"connection reset|Client\.Timeout|server is currently unable|ServiceUnavailable|etcdserver|"
    r"Too Many Requests|apiserver (?:is )?shutting down|timed out",
    re.IGNORECASE,
)
_NO_CONTEXT = re.compile(
    r"context \S+ does not exist|context was not found|no configuration has been provided|KUBECONFIG|"
    r"error loading config|stat .*kubeconfig"
)


@dataclass(frozen=True)
class Kubectl:
    """Asks one cluster.

    Attributes:
        context: The kubeconfig's context; never whatever is the current one.
        program: What to run.
        request_timeout_s: Longest wait for one answer.
        patience_s: How long a server that does not answer is asked again.
    """

    context: str
    program: str = "kubectl"
    request_timeout_s: float = 10.0
    patience_s: float = 20.0

    def get(self, kind: str, name: str, namespace: str) -> Json:
        """Return an object.

        Raises:
            ClusterError: it is not there, may not be read, or the server does not answer.
        """
        answer: Json = self._ask(f"get {kind} {name}", namespace, ["get", kind, name, "-o", "json"])
        return answer

    def items(self, kind: str, namespace: str) -> list[Json]:
        """Return the objects of a kind.

        Raises:
            ClusterError: they may not be read, or the server does not answer.
        """
        answer = self._ask(f"list {kind}", namespace, ["get", kind, "-o", "json"])
        found: list[Json] = answer["items"]
        return found

    def apply(self, manifest: Mapping[str, Any], *, take: bool = False) -> Json:
        """Set exactly the fields of `manifest` as ours; a field that another manager has set is refused.

        Args:
            manifest: The fields, with the object's `resourceVersion` unless it may be made.
            take: Take such a field over, for one that its manager leaves alone from then on.

        Raises:
            Outdated: the object is another than `metadata.resourceVersion` says.
            ClusterError: it may not be patched, a field is somebody else's, or the server does not answer.
        """
        metadata = manifest["metadata"]
        options = ["apply", "--server-side", f"--field-manager={MANAGER}", "-o", "json", "-f", "-"]
        options += ["--force-conflicts"] if take else []
        what = f"patch {manifest['kind'].lower()}s {metadata['name']}"
        answer: Json = self._ask(what, metadata["namespace"], options, json.dumps(manifest))
        return answer

    def _ask(self, what: str, namespace: str, arguments: list[str], stdin: str = "") -> Any:
        end = time.monotonic() + self.patience_s
        while True:
            try:
                return json.loads(self._run(what, namespace, arguments, stdin))
            except ClusterError as error:
                # What is asked is the same however often it is asked.
                if not error.lost or time.monotonic() > end:
                    raise
            time.sleep(_PAUSE_S)

    def _run(self, what: str, namespace: str, arguments: list[str], stdin: str) -> str:
        command = [self.program, f"--context={self.context}", f"--namespace={namespace}"]
        command.append(f"--request-timeout={self.request_timeout_s:g}s")
        doing = f"context {self.context}: {what} in {namespace}"
        try:
            done = subprocess.run(
                [*command, *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=self.request_timeout_s + 5,
            )
        except FileNotFoundError:
            raise ClusterError(f"{self.program}: no such program; install kubectl, or put it on PATH") from None
        except subprocess.TimeoutExpired:
            late = f"{doing}: the cluster does not answer in {self.request_timeout_s:g} s; run this again when it does"
            raise ClusterError(late, lost=True) from None
        if done.returncode:
            raise refusal(self.context, doing, done.stderr)
        return done.stdout


_MEANINGS: tuple[tuple[re.Pattern[str], type[ClusterError], str], ...] = (
    (
        _NO_CONTEXT,
        ClusterError,
        "the kubeconfig has no context '{context}' ({said}); `kubectl config get-contexts -o name` lists those there "
        "are, target.context names the one to use",
    ),
    (
        re.compile(r"\(Forbidden\)|is forbidden"),
        Forbidden,
        "you may not ({said}); the Role release-SYSTEM has this right: ask for its group "
        "mlstrata:ENVIRONMENT:SYSTEM:release",
    ),
    (
        re.compile("Unauthorized|must be logged in"),
        ClusterError,
        "the cluster does not know you ({said}); log in anew",
    ),
    (
        re.compile("Apply failed with"),
        ClusterError,
        "conflict ({said}); somebody else has set the field that a release sets: remove it there, then run this again",
    ),
    (
        re.compile(r"\(Conflict\)|the object has been modified"),
        Outdated,
        "it was changed meanwhile ({said}); run this again",
    ),
    (
        re.compile(r"\(NotFound\)|doesn't have a resource type"),
        Missing,
        "it is not there ({said}); deploy the environment first: `pulumi up`",
    ),
)


def refusal(context: str, doing: str, said: str) -> ClusterError:
    """Return what kubectl's complaint means for whoever releases, and what to do about it."""
    lines = [line for line in said.strip().splitlines() if not line.startswith(("Warning:", "W1", "E0", "E1", "I"))]
    lines = lines or ["it said nothing"]
    for pattern, kind, text in _MEANINGS:
        if pattern.search(said):
            # Advice of kubectl's own may follow, for somebody who applies files.
            told = next((at for at, line in enumerate(lines) if pattern.search(line)), 0)
            reason = " ".join(lines[told : told + 2])[:_WORDS]
            return kind(f"{doing}: {text.format(context=context, said=reason)}")
    last = " ".join(lines[-2:])[:_WORDS]
    if _LOST.search(said):
        return ClusterError(f"{doing}: the cluster does not answer ({last}); run this again when it does", lost=True)
    return ClusterError(f"{doing}: {last}")
