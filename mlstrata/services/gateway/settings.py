"""Settings of the gateway; they hold no secret, so they may lie in a file beside what is rendered from them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from mlstrata.closed import Closed
from mlstrata.services.serving.settings import MOST_AT_ONCE, Name, Port

SCHEMES = ("Bearer ", "bearer ", "BEARER ")
"""How callers write the scheme of a token: its case says nothing (RFC 9110, 11.1), and Envoy compares every letter."""
AUDIENCE = "mlstrata"
UNBEGUN, RETRIES = ("connect-failure", "refused-stream", "reset-before-request"), 2
"""When a prediction is asked of another process, and how often: only where one cannot have begun it, since it is
recorded once."""
RETRY_SHARE, FEW_RETRIES = 25, 16
"""Percent of a system's requests under way that may be retries, and how many may be in any case."""
SHADOWS_AT_ONCE = 8
"""Copies of requests that a shadow works on at once; further ones are dropped, as nobody waits for their answers."""
SETTINGS_FILE = "gateway.json"
BOOTSTRAP_FILE = "envoy.json"
LISTENERS_FILE = "listeners.json"
CLUSTERS_FILE = "clusters.json"
ROUTES_FILE = "routes.json"
TOKENS_FILE = "tokens.json"
"""How tokens are checked: apart, so that another key disturbs no connection."""
RATES_FILE = "rates.json"
QUOTAS_FILE = "quotas.json"
"""How much consumers may send: apart for the same reason."""
TLS_FILE = "tls.json"
"""The certificate and its key; secret."""
CA_FILE = "ca.pem"
"""What callers trust; public."""
ROLLOUT_LOCK = "run/rollout.lock"
"""From the environment's home: held by whoever writes the routes, a rollout or `up`."""


Names = TypeVar("Names", bound=Iterable[str])


class Consumer(Closed):
    """Who may call a system, and how often."""

    name: Name = Field(description="The consumer; the `sub` of its tokens.")
    count: int = Field(ge=1, le=1_000_000, description="Requests allowed in each period.")
    per_seconds: int = Field(default=1, ge=1, le=86_400, description="Length of the period, in seconds.")
    quota: int | None = Field(
        default=None, ge=1, le=100_000_000, description="Requests allowed in each quota period, beside the rate."
    )
    quota_seconds: int = Field(default=86_400, ge=1, le=31_622_400, description="Length of that period, in seconds.")


class Deprecation(Closed):
    """A version of the interface on its way out."""

    api: str = Field(description="The version of the interface.")
    since: date = Field(description="From when on it is deprecated.")
    sunset: date | None = Field(default=None, description="From when on it may be gone.")


class Breaker(Closed):
    """What each process of a system is asked for at once; beyond it a request is refused at once with 503.

    Refused rather than queued behind others that are late already. The process itself finds out how many of these it
    can answer in time, and refuses the others; the gateway keeps from it what it need not even see.
    """

    connections: int = Field(
        default=2 * MOST_AT_ONCE,
        ge=1,
        description="Connections to the process; more than requests under way, so that none waits for one of those.",
    )
    pending: int = Field(
        default=MOST_AT_ONCE, ge=1, description="Requests waiting for a connection; no fewer, as a burst makes each."
    )
    requests: int = Field(default=MOST_AT_ONCE, ge=1, description="Requests under way.")


class GatewaySystem(Closed):
    """One system behind the gateway."""

    name: Name = Field(description="The system; the second segment of its path.")
    upstream_port: Port = Field(description="Loopback port of its prediction process.")
    copies: tuple[Port, ...] = Field(
        default=(), description="Loopback ports of more processes that answer the same; requests go to all of them."
    )
    api_versions: tuple[str, ...] = Field(
        default=("v1",), min_length=1, description="Versions of the interface served side by side."
    )
    deprecations: tuple[Deprecation, ...] = Field(default=(), description="Those of them on their way out.")
    sunset: date | None = Field(default=None, description="Day on which it is retired; none: not planned.")
    successor: str = Field(default="", description="Path of what takes over; empty: it is not replaced.")
    breaker: Breaker = Field(default=Breaker(), description="What its process is asked for at once.")
    consumers: tuple[Consumer, ...] = Field(default=(), description="Programs that may call; none when empty.")
    timeout_s: float = Field(default=5.0, ge=0.001, le=3600, description="Longest wait for an answer, in seconds.")
    body_limit: int = Field(
        default=1_048_576,
        ge=1,
        le=1_073_741_824,
        description="Largest request body, in bytes; 1 MiB is ~5,000 rows.",
    )

    @field_validator("api_versions")
    @classmethod
    def _are_versions(cls, versions: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [v for v in versions if not (v[:1] == "v" and v[1:].isdecimal())]:
            raise ValueError(f"api_versions: got {', '.join(map(repr, wrong))}; allowed v1, v2, and so on")
        return _unique("api_versions", versions)

    @field_validator("deprecations")
    @classmethod
    def _once_each(cls, deprecations: tuple[Deprecation, ...]) -> tuple[Deprecation, ...]:
        _unique("deprecations", [one.api for one in deprecations])
        return deprecations

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of all processes that answer."""
        return (self.upstream_port, *self.copies)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        _unique("copies", [str(port) for port in self.ports])
        return self

    @field_validator("consumers")
    @classmethod
    def _are_different(cls, consumers: tuple[Consumer, ...]) -> tuple[Consumer, ...]:
        _unique("consumers", [consumer.name for consumer in consumers])
        return consumers


class GatewaySettings(Closed):
    """The gateway of one environment."""

    port: Port = Field(description="Loopback port that consumers call.")
    admin_port: Port = Field(description="Loopback port of Envoy's statistics; its other admin paths are closed.")
    issuer: str = Field(min_length=1, description="Issuer of the tokens, `mlstrata/<environment>`.")
    jwks: dict[str, Any] = Field(description="Public keys that sign the tokens, as a JSON Web Key Set.")
    directory: Path = Field(description="Absolute folder of the rendered files; Envoy watches it for renames.")
    access_log: Path = Field(
        description="Absolute file of the access log, one JSON object a line; its folder must exist."
    )
    systems: tuple[GatewaySystem, ...] = Field(default=(), description="The systems behind it.")
    tls: bool = Field(default=False, description="Speak HTTPS, with the certificate in the folder's tls.json.")
    headers_timeout_s: float = Field(
        default=5.0, gt=0, le=300, description="Longest wait for a request's headers, in seconds; then 408."
    )
    request_timeout_s: float = Field(
        default=10.0, gt=0, le=3600, description="Longest wait for a whole request, in seconds; then 408."
    )
    max_connections: int = Field(
        default=1_000, ge=1, le=100_000, description="Connections from consumers at once; the memory Envoy may take."
    )

    @field_validator("jwks")
    @classmethod
    def _is_public(cls, jwks: dict[str, Any]) -> dict[str, Any]:
        keys = jwks.get("keys")
        if not isinstance(keys, list) or not keys:
            raise ValueError("jwks: needs at least one key under 'keys'")
        if any("d" in key or key.get("kty") == "oct" for key in keys):
            raise ValueError("jwks: holds a private or symmetric key; give the public ones (tokens.public_jwks)")
        return jwks

    @field_validator("systems")
    @classmethod
    def _are_different(cls, systems: tuple[GatewaySystem, ...]) -> tuple[GatewaySystem, ...]:
        _unique("systems", [system.name for system in systems])
        return systems

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.port == self.admin_port:
            raise ValueError(f"admin_port: got {self.admin_port}, the gateway's own port; choose another")
        for name, path in (("directory", self.directory), ("access_log", self.access_log)):
            if not path.is_absolute():
                raise ValueError(f"{name}: got {path}; an absolute path is needed, Envoy may start anywhere")
        return self

    @classmethod
    def read(cls, directory: Path) -> GatewaySettings:
        """Read the settings the gateway in `directory` was rendered from.

        Raises:
            FileNotFoundError: no gateway was configured there.
            ValueError: the file is not what `to_json` writes.
        """
        return cls.model_validate_json((directory / SETTINGS_FILE).read_bytes())

    def to_json(self) -> str:
        """Return the text of the settings file."""
        return self.model_dump_json(indent=2) + "\n"


def _unique(field: str, names: Names) -> Names:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{field}: {name!r} is there twice; each once")
        seen.add(name)
    return names
