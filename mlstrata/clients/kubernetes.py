"""The cluster over Kubernetes' API, by lightkube: a context of the kubeconfig, status codes, server-side apply."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlstrata import waiting

if TYPE_CHECKING:
    from lightkube import Client
    from lightkube.config.kubeconfig import KubeConfig, SingleConfig
    from lightkube.core.exceptions import ApiError
    from lightkube.generic_resource import GenericGlobalResource, GenericNamespacedResource

Json = dict[str, Any]
T = TypeVar("T")
EVERYWHERE = "*"
"""In place of a namespace: all of them."""
MANAGER = "mlstrata-release"
"""Field manager of what a release sets: the API server then knows whose those fields are, and so does Pulumi."""
_REASON = 400
_PAUSE_S = 0.5
_AGAIN = (429, 500, 502, 503, 504)
"""Answers of a server, or of what stands before it, that is starting, overloaded or going away."""
_EXEC_V1 = "client.authentication.k8s.io/v1"


class ClusterError(Exception):
    """The cluster could not be asked, or refused: nothing is wrong with the version.

    Attributes:
        lost: whether asking once more may help: it did not answer, or not in time.
    """

    def __init__(self, message: str, *, lost: bool = False) -> None:
        self.lost = lost
        super().__init__(message)


class Outdated(ClusterError):
    """Somebody else changed the object since it was read."""


class Missing(ClusterError):
    """There is no such object."""


class Forbidden(ClusterError):
    """Whoever asked has not the right."""


@dataclass(frozen=True)
class Kind:
    """A kind of objects, such as apps, v1, Deployment, deployments; the core has no group."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True


@dataclass(frozen=True)
class Cluster:
    """Asks one cluster.

    Attributes:
        context: The kubeconfig's context; never whatever is the current one.
        request_timeout_s: Longest wait for one answer.
        patience_s: How long a server that does not answer is asked again.
        kubeconfig: A kubeconfig's text, with the context in it; empty: the user's own files.
    """

    context: str
    request_timeout_s: float = 10.0
    patience_s: float = 20.0
    kubeconfig: str = field(default="", repr=False)

    def get(self, kind: Kind, name: str, namespace: str) -> Json:
        """Return an object.

        Raises:
            ClusterError: it is not there, may not be read, or the server does not answer.
        """
        doing = f"context {self.context}: get {kind.plural} {name} in {namespace}"
        return dict(self._ask(doing, lambda: self._client.get(_resource(kind), name, namespace=namespace)))

    def list(
        self,
        kind: Kind,
        namespace: str = EVERYWHERE,
        fields: Mapping[str, str] | None = None,
        labels: Mapping[str, str | tuple[str, ...]] | None = None,
    ) -> tuple[Json, ...]:
        """Return the objects of a kind, of one namespace or of all.

        Args:
            kind: What they are.
            namespace: Where; a kind without namespaces has no other place than everywhere.
            fields: Values that fields of theirs must have, as far as the server selects by them.
            labels: Values that labels of theirs must have, one of several where there are several.

        Raises:
            ClusterError: they may not be listed, the cluster has no such kind, or it does not answer.
        """
        where = f" in {namespace}" if namespace != EVERYWHERE else ""
        doing = f"context {self.context}: list {kind.plural}{where}"
        asked = {"fields": fields, "labels": labels}
        selected: dict[str, Any] = {name: dict(given) for name, given in asked.items() if given}

        def ask() -> tuple[Json, ...]:
            if kind.namespaced:
                return tuple(map(dict, self._client.list(_resource(kind), namespace=namespace, **selected)))
            return tuple(map(dict, self._client.list(_global_resource(kind), **selected)))

        return self._ask(doing, ask)

    def log(self, pod: str, namespace: str) -> Iterator[str]:
        """Yield the lines of a pod's log, as they come, until its container ends.

        Raises:
            ClusterError: it may not be read, or the server does not answer or breaks off.
        """
        doing = f"context {self.context}: log of {pod} in {namespace}"
        yield from self._once(doing, lambda: self._patient.log(pod, namespace=namespace, follow=True, newlines=False))

    def delete(self, kind: Kind, name: str, namespace: str) -> None:
        """Delete an object.

        Raises:
            ClusterError: it is not there, may not be deleted, or the server does not answer.
        """
        doing = f"context {self.context}: delete {kind.plural} {name} in {namespace}"
        self._ask(doing, lambda: self._client.delete(_resource(kind), name, namespace=namespace))

    def reach(self) -> None:
        """Ask whether the cluster answers and knows who asks; what they may do is asked by what they do.

        Raises:
            ClusterError: it does not answer, or refuses the credentials.
        """
        with suppress(Forbidden, Missing):
            self.get(Kind("", "v1", "ServiceAccount", "serviceaccounts"), "default", "default")

    def apply(self, kind: Kind, manifest: Mapping[str, Any], *, take: bool = False) -> Json:
        """Set exactly the fields of `manifest` as ours; a field that another manager has set is refused.

        Args:
            kind: What it is.
            manifest: The fields, with the object's `resourceVersion` unless it may be made.
            take: Take such a field over, for one that its manager leaves alone from then on.

        Raises:
            Outdated: the object is another than `metadata.resourceVersion` says.
            ClusterError: it may not be patched, a field is somebody else's, or the server does not answer.
        """
        from lightkube.types import PatchType

        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        version = f"{kind.group}/{kind.version}" if kind.group else kind.version
        document = {"apiVersion": version, "kind": kind.kind, **manifest}
        doing = f"context {self.context}: patch {kind.plural} {name} in {namespace}"

        def patch() -> GenericNamespacedResource:
            return self._client.patch(
                _resource(kind),
                name,
                document,
                namespace=namespace,
                patch_type=PatchType.APPLY,
                field_manager=MANAGER,
                force=take,
            )

        return dict(self._ask(doing, patch))

    def _ask(self, doing: str, ask: Callable[[], T]) -> T:
        # The same request twice has the effect of one.
        return waiting.retry(
            lambda: self._once(doing, ask),
            self.patience_s,
            lambda error: isinstance(error, ClusterError) and error.lost,
            _PAUSE_S,
        )

    def _once(self, doing: str, ask: Callable[[], T]) -> T:
        import httpx2
        from lightkube.core.exceptions import ApiError, ConfigError

        try:
            return ask()
        except ApiError as error:
            raise refusal(doing, error) from error
        except httpx2.HTTPStatusError as error:
            # Not from Kubernetes: what stands before it answered.
            code = error.response.status_code
            raise _silent(doing, f"HTTP {code}", lost=code in _AGAIN) from error
        except httpx2.TimeoutException as error:
            raise _silent(doing, f"in {self.request_timeout_s:g} s") from error
        except (httpx2.HTTPError, OSError) as error:
            raise _silent(doing, str(error) or type(error).__name__) from error
        except (ConfigError, ValueError, KeyError) as error:
            raise ClusterError(f"context {self.context}: its user cannot be authenticated: {error}") from error

    @cached_property
    def _client(self) -> Client:
        return self._connected(self.request_timeout_s)

    @cached_property
    def _patient(self) -> Client:
        return self._connected(None)  # a log may be silent for as long as its container works

    def _connected(self, read_s: float | None) -> Client:
        import httpx2
        from lightkube import Client

        return Client(
            _config(self.context, self.kubeconfig),
            timeout=httpx2.Timeout(self.request_timeout_s, read=read_s),
            field_manager=MANAGER,
        )


_MEANINGS: Mapping[int, tuple[type[ClusterError], str]] = {
    401: (ClusterError, "authentication failed ({said}); refresh the credentials of that context"),
    403: (
        Forbidden,
        "you may not ({said}); the Role release-SYSTEM has this right: ask for its group "
        "mlstrata:ENVIRONMENT:SYSTEM:release",
    ),
    404: (Missing, "it is not there ({said}); deploy the environment first: `pulumi up`"),
    409: (Outdated, "it was changed meanwhile ({said}); run this again"),
}
_TAKEN = "conflict ({said}); another client has set the field that a release sets: remove it there, then run this again"


def refusal(doing: str, error: ApiError) -> ClusterError:
    """Return what a refusal of the API server means for whoever asked, and what to do about it."""
    status = error.status
    code, said = status.code or 0, (status.message or "")[:_REASON]
    if code in _AGAIN:
        return _silent(doing, f"{code} {status.reason}: {said}")
    kind, meaning = _MEANINGS.get(code, (ClusterError, "{said}"))
    causes = (status.details.causes or ()) if status.details else ()
    if any(one.reason == "FieldManagerConflict" for one in causes):
        kind, meaning = ClusterError, _TAKEN
    return kind(f"{doing}: {meaning.format(said=said)}")


def _silent(doing: str, said: str, *, lost: bool = True) -> ClusterError:
    return ClusterError(f"{doing}: the cluster does not answer ({said}); run this again when it does", lost=lost)


@cache
def _resource(kind: Kind) -> type[GenericNamespacedResource]:
    from lightkube.generic_resource import create_namespaced_resource

    # Once a kind: lightkube does not find again what it has registered of the core, which has no group.
    made: type[GenericNamespacedResource] = create_namespaced_resource(kind.group, kind.version, kind.kind, kind.plural)
    return made


@cache
def _global_resource(kind: Kind) -> type[GenericGlobalResource]:
    from lightkube.generic_resource import create_global_resource

    made: type[GenericGlobalResource] = create_global_resource(kind.group, kind.version, kind.kind, kind.plural)
    return made


def _config(context: str, text: str = "") -> SingleConfig:
    """Return a context of a kubeconfig's text, else of the user's own, which may be several files.

    Raises:
        ClusterError: there is none of that name, or a file cannot be read.
    """
    import yaml
    from lightkube.config.kubeconfig import KubeConfig
    from lightkube.config.models import NameValue, User

    named, configs = ("the substrate's", [KubeConfig.from_dict(yaml.safe_load(text))]) if text else _files()
    chosen = next((one for one in configs if context in one.contexts), None)
    if chosen is None:
        raise ClusterError(
            f"the kubeconfig ({named}) has no context '{context}'; `kubectl config get-contexts -o name` lists those "
            "there are, target.context names the one to use"
        )
    for other in configs:
        chosen.clusters = {**other.clusters, **chosen.clusters}
        chosen.users = {**other.users, **chosen.users}
    try:
        config = chosen.get(context)
    except KeyError as error:
        raise ClusterError(f"context {context}: the kubeconfig ({named}) has no cluster or user {error}") from None
    assert config is not None  # noqa: S101 - only without a name there may be none
    plugin = config.user.exec if config.user else None
    if plugin and plugin.apiVersion == _EXEC_V1:
        # Both give the same document; a plug-in is told here which one is wanted, which lightkube does not.
        told = {"apiVersion": _EXEC_V1, "kind": "ExecCredential", "spec": {"interactive": False}}
        plugin.env = [*(plugin.env or ()), NameValue(name="KUBERNETES_EXEC_INFO", value=json.dumps(told))]
        plugin.apiVersion = _EXEC_V1 + "beta1"
    return config._replace(user=config.user or User())


def _files() -> tuple[str, list[KubeConfig]]:
    """Return what names the user's own kubeconfig, and each file of it.

    Raises:
        ClusterError: a file cannot be read.
    """
    from lightkube.config.kubeconfig import DEFAULT_KUBECONFIG, KubeConfig
    from yaml import YAMLError

    named = os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    files = [file for one in named.split(os.pathsep) if one and (file := Path(one).expanduser()).is_file()]
    configs = []
    for file in files:
        try:
            configs.append(KubeConfig.from_file(file))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, YAMLError) as error:
            raise ClusterError(f"{file}: not a kubeconfig: {error}") from error
    return named, configs
