"""Which version a request goes to: the champion, by share to a candidate, with a copy to a shadow, or nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlstrata.services.gateway.bootstrap import cluster_name, shadow_cluster_name
from mlstrata.services.gateway.listener import VERSION_HEADER
from mlstrata.services.gateway.names import SUBJECT_HEADER
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.settings import SHADOW_HEADER

OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"
_ALL = 100
_STICKY = "ab"


def set_headers(told: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what gives a request these headers, whatever it had."""
    return [{"header": {"key": key, "value": value}, "append_action": OVERWRITE} for key, value in told.items()]


def version_headers(releases: Releases) -> dict[str, str]:
    """Return what a route itself says of the version: nothing where it differs from request to request."""
    return {VERSION_HEADER: releases.champion} if releases.champion and not _shares(releases) else {}


def destination(system: str, releases: Releases) -> dict[str, Any]:
    """Return the part of a route's action that says where its requests go.

    One cluster under several weights, each with the version's header: no connection is closed and none is opened when
    shares change, so no request is lost by it.
    """
    cluster = cluster_name(system)
    if shares := _shares(releases):
        weights = [
            {"name": cluster, "weight": weight, "request_headers_to_add": set_headers({VERSION_HEADER: version})}
            for version, weight in shares.items()
        ]
        split: dict[str, Any] = {"weighted_clusters": {"clusters": weights}}
        if releases.rollout and releases.rollout.strategy == _STICKY:
            # Who says whom a request is about gets one version for that person; others are drawn by lot. Not by
            # consumer: most systems have one or two, and all requests of one would go to one version.
            split["weighted_clusters"]["use_hash_policy"] = True
            split["hash_policy"] = [{"header": {"header_name": SUBJECT_HEADER}}]
        return split
    return {"cluster": cluster} | _mirrored(system, releases)


def _shares(releases: Releases) -> dict[str, int]:
    """Return version to percent of the requests, where there is more than one."""
    running = releases.rollout
    if running is None or releases.champion is None or running.share == 0:
        return {}
    shares = {releases.champion: _ALL - running.share, running.candidate: running.share}
    return {version: share for version, share in shares.items() if share}


def _mirrored(system: str, releases: Releases) -> dict[str, Any]:
    if releases.shadow is None:
        return {}
    told = {VERSION_HEADER: releases.shadow, SHADOW_HEADER: "1"}
    copy = {
        "cluster": shadow_cluster_name(system),
        "runtime_fraction": {"default_value": {"numerator": _ALL}},
        "request_headers_mutations": [{"append": one} for one in set_headers(told)],
    }
    return {"request_mirror_policies": [copy]}
