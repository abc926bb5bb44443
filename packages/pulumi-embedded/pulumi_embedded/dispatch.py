"""Calls dynamic providers: the provider is a pickle inside the resource's own properties (``__provider``)."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pulumi_embedded.values import annotate, from_provider, to_provider
from pulumi_embedded.wire import PROVIDER_KEY, UNKNOWN_TEXT

if TYPE_CHECKING:
    from pulumi.dynamic import ResourceProvider

T = TypeVar("T")


class ProviderError(Exception):
    """A provider refused or broke; the message is its own."""


@dataclass(frozen=True)
class Difference:
    """What a provider says of a change; ``changes`` None means it did not say."""

    changes: bool | None
    replaces: tuple[str, ...]
    delete_before_replace: bool | None


class Dispatcher:
    """Runs check, diff, create, read, update and delete of the providers of one program.

    Args:
        project: project name, for configuration keys without a namespace.
        config: the stack's configuration in plain text, handed to ``configure``.
    """

    def __init__(self, project: str, config: Mapping[str, str]) -> None:
        self._project, self._config = project, dict(config)
        self._providers: dict[str, ResourceProvider] = {}
        self._lock = threading.Lock()

    def _provider(self, *bags: Mapping[str, Any]) -> ResourceProvider:
        """Unpickle the provider found in the first bag that has one."""
        pickled = next((bag[PROVIDER_KEY] for bag in bags if bag.get(PROVIDER_KEY, UNKNOWN_TEXT) != UNKNOWN_TEXT), None)
        if not isinstance(pickled, str):
            message = f"the resource carries no {PROVIDER_KEY}; it was not made by pulumi.dynamic"
            raise ProviderError(message)
        with self._lock:
            if pickled not in self._providers:
                self._providers[pickled] = self._load(pickled)
            return self._providers[pickled]

    def _load(self, pickled: str) -> ResourceProvider:
        import dill
        from pulumi.dynamic import ConfigureRequest
        from pulumi.dynamic.config import Config
        from pulumi.runtime._serialization import _deserialize

        try:
            # The pickle is the program's own, from the state file, which can say what to run anyway.
            provider: ResourceProvider = _deserialize(lambda: dill.loads(base64.b64decode(pickled)))  # noqa: S301 - of its own state
        except Exception as error:  # a pickle can raise anything
            message = f"its provider cannot be loaded ({error}); the class must stay where it was when this was made"
            raise ProviderError(message) from error
        provider.configure(ConfigureRequest(Config(self._config, self._project)))
        return provider

    def check(self, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Validate and complete the inputs.

        Raises:
            ProviderError: naming each property that failed.
        """
        before, after = to_provider(olds), to_provider(news)
        provider = self._provider(after, before)
        result = _call(lambda: provider.check(before, after))
        if result.failures:
            failures = "; ".join(f"{failure.property}: {failure.reason}" for failure in result.failures)
            raise ProviderError(failures)
        checked = _properties(result.inputs, "check")
        checked[PROVIDER_KEY] = to_provider(news[PROVIDER_KEY])
        return annotate(checked, news)

    def diff(self, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Difference:
        """Ask what would change; ``olds`` are outputs, ``news`` inputs."""
        before, after = to_provider(olds), to_provider(news)
        provider = self._provider(after, before)
        result = _call(lambda: provider.diff(id_, before, after))
        return Difference(result.changes, tuple(result.replaces or ()), result.delete_before_replace)

    def create(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Create; returns id and outputs."""
        props = to_provider(inputs)
        provider = self._provider(props)
        pickled = props[PROVIDER_KEY]
        result = _call(lambda: provider.create(props))
        if not result.id:
            message = "create returned no id"
            raise ProviderError(message)
        outputs = {**_properties(result.outs or {}, "create"), PROVIDER_KEY: pickled}
        return str(result.id), annotate(outputs, inputs)

    def update(self, id_: str, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Update in place; returns outputs."""
        before, after = to_provider(olds), to_provider(news)
        provider = self._provider(after)
        pickled = after[PROVIDER_KEY]
        result = _call(lambda: provider.update(id_, before, after))
        outputs = {**_properties(result.outs or {}, "update"), PROVIDER_KEY: pickled}
        return annotate(outputs, news)

    def read(
        self, id_: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
        """Read the live state; returns id ("" when it is gone), outputs, and new inputs if the provider gives any."""
        props = to_provider(outputs or inputs)
        provider = self._provider(props, to_provider(inputs))
        pickled = props.get(PROVIDER_KEY) or to_provider(inputs)[PROVIDER_KEY]
        result = _call(lambda: provider.read(id_, props))
        if not result.id:
            return "", {}, None
        found = annotate({**_properties(result.outs or {}, "read"), PROVIDER_KEY: pickled}, inputs)
        found = annotate(found, outputs)
        if result.inputs is None:
            return str(result.id), found, None
        fresh = {**_properties(result.inputs, "read"), PROVIDER_KEY: pickled}
        return str(result.id), found, annotate(fresh, inputs)

    def delete(self, id_: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Delete."""
        props = to_provider(outputs)
        provider = self._provider(props, to_provider(inputs))
        _call(lambda: provider.delete(id_, props))


def _properties(bag: Mapping[str, Any], call: str) -> dict[str, Any]:
    """Normalise a bag of properties; None at the top means absent, as the SDK has it."""
    try:
        return {str(key): from_provider(value, str(key)) for key, value in bag.items() if value is not None}
    except TypeError as error:
        message = f"{call}: {error}"
        raise ProviderError(message) from error


def _call(function: Callable[[], T]) -> T:
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise ProviderError(describe(error)) from error


def describe(error: BaseException) -> str:
    """One line of an exception: its message, with its type unless that says nothing."""
    text = str(error).strip()
    kind = type(error).__name__
    if not text:
        return kind
    return text if kind in ("Exception", "RuntimeError") else f"{kind}: {text}"
