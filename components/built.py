"""Which capability is built for which target; what is not is refused by name before anything is registered."""

from __future__ import annotations

from mlstrata.environments.stages import ENTRIES, Capability

_C = Capability

BUILT: dict[str, frozenset[Capability]] = {
    "local": frozenset(
        {
            _C.REGISTRY,
            _C.TRAINING,
            _C.TESTS,
            _C.GATEWAY,
            _C.SERVING,
            _C.BATCH,
            _C.PLAUSIBILITY,
            _C.ALERTS,
            _C.RELEASE,
            _C.LINEAGE,
            _C.PIPELINES,
            _C.TUNING,
            _C.DISTRIBUTED_TRAINING,
            _C.TRACKING,
            _C.CATALOG,
            _C.DATA_VERSIONING,
            _C.DATA_QUALITY,
            _C.REGULATORY_TESTS,
        }
    ),
    "kubernetes": frozenset(
        {
            _C.REGISTRY,
            _C.TRAINING,
            _C.TESTS,
            _C.GATEWAY,
            _C.SERVING,
            _C.PLAUSIBILITY,
            _C.ALERTS,
            _C.RELEASE,
            _C.LINEAGE,
            _C.TRACKING,
            _C.CATALOG,
            _C.TUNING,
            _C.DISTRIBUTED_TRAINING,
            _C.DATA_VERSIONING,
            _C.DATA_QUALITY,
            _C.REGULATORY_TESTS,
            _C.TEAMS,
            _C.NETWORK_POLICY,
            _C.PIPELINES,
            _C.GPU_POOLS,
            _C.BATCH,
            _C.BACKUP,
            _C.SECRETS,
            _C.FEATURE_STORE,
        }
    ),
}
# On a cloud the same platform stands on what its substrate made; its stores are encrypted with the account's own key.
BUILT["aws"] = BUILT["kubernetes"] | {_C.ENCRYPTION}


def unbuilt(target: str, wanted: frozenset[Capability], asked: frozenset[Capability]) -> list[str]:
    """Name every capability that an environment needs and that is not built for its target, each with the fix.

    Args:
        target: The kind of target.
        wanted: The environment's capabilities.
        asked: Those among the on-demand ones that its file really uses.
    """
    missing = [
        entry
        for entry in ENTRIES.values()
        if entry.capability not in BUILT[target]
        and (entry.capability in asked or (entry.capability in wanted and not entry.on_demand))
    ]
    return [
        f"capability {entry.capability.value!r} is not built for target {target!r} yet; "
        f"switch it off (capabilities: {{off: [{entry.capability.value}]}})"
        + (f" or stay below stage {entry.stage.value!r}" if entry.stage else "")
        for entry in missing
    ]
