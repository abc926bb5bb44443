"""Releases and rollbacks over any sequence of successes, failures and deaths, on parts that only remember."""

import json
from pathlib import Path
from tempfile import mkdtemp
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mlstrata.audit import read, verify
from mlstrata.clients.mlflow import Candidate, Check, RegistryError
from mlstrata.files import write
from mlstrata.operations.releases import AUDIT_FILE, LocalBackend, RolloutError, release, rollback, status
from mlstrata.operations.releases import backend as shared
from mlstrata.operations.releases import rollout as module
from mlstrata.operations.releases.journal import Journal
from mlstrata.operations.releases.local import STEPS, backend
from mlstrata.services.gateway import tokens
from mlstrata.services.gateway.render import render_files
from mlstrata.services.gateway.settings import ROUTES_FILE, GatewaySettings, GatewaySystem
from mlstrata.services.serving.releases import Releases
from tests.support.packed import pack

SYSTEM = "loans"
VERSIONS = ("1", "2", "3")
JWKS = tokens.public_jwks(tokens.generate_key())


class Died(BaseException):
    """Stands for kill -9: nothing after it runs, not even what would undo."""


class World:
    """What the registry and the process remember."""

    alias: str | None = None
    aliases: ClassVar[dict[str, str]] = {}
    memory: ClassVar[set[str]] = set()
    registry_down = False
    refused: str | None = None


class MemoryRegistry:
    def __init__(self, uri):
        self._world = World

    def _answer(self):
        if World.registry_down:
            raise RegistryError("the registry does not answer")

    def candidate(self, system, version):
        self._answer()
        return Candidate(version or VERSIONS[-1], "", {"auc": 0.8})

    def checks(self, run):
        self._answer()
        return (Check("auc", True, "0.8"),)

    def download(self, candidate, folder):
        if not folder.is_dir():
            self._answer()
            pack(folder)

    def latest(self, system):
        self._answer()
        return VERSIONS[-1]

    def champion(self, system):
        self._answer()
        return World.alias

    def set_champion(self, system, version):
        self._answer()
        World.alias = version

    def alias(self, system, alias):
        self._answer()
        return World.aliases.get(alias)

    def set_alias(self, system, alias, version):
        self._answer()
        World.aliases = {**World.aliases, alias: version}

    def tag(self, system, version, key, value):
        self._answer()


class MemoryProcess:
    def __init__(self, system, url, secret):
        pass

    def load(self, version):
        World.memory.add(version)

    def unload(self, version):
        World.memory.discard(version)

    def loaded(self):
        return sorted(World.memory)

    def smoke(self, version, folder):
        if version == World.refused:
            raise RolloutError("implausible")


class Rollouts(RuleBasedStateMachine):
    """One environment; after every step somebody is served what was last decided and done, or what was before."""

    def __init__(self):
        super().__init__()
        self.home = Path(mkdtemp())
        World.alias, World.memory, World.registry_down, World.refused = None, set(), False, None
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(shared, "Registry", MemoryRegistry)
        self.patch.setattr(backend, "ServingProcess", MemoryProcess)
        # Who made a version is asked in other tests.
        self.patch.setattr(LocalBackend, "seal_key", lambda backend: None)
        self.patch.setattr(backend.Gateway, "follow", lambda gateway, routes: None)
        config = GatewaySettings(
            port=1,
            admin_port=2,
            issuer="x",
            jwks=JWKS,
            directory=self.home / "config" / "gateway",
            access_log=self.home / "log",
            systems=(GatewaySystem(name=SYSTEM, upstream_port=3),),
        )
        for name, text in render_files(config, {}).items():
            write(config.directory / name, text)

    def teardown(self):
        self.patch.undo()

    def context(self, dies_at=None, fails_at=None):
        def step(name):
            if name == dies_at:
                # Dead: what the code would do on its way out does not happen.
                self.patch.setattr(module, "_undo", lambda *_: True)
                self.patch.setattr(Journal, "failed", lambda *_: None)
                raise Died
            if name == fails_at:
                raise RolloutError(f"{name} fails")

        return LocalBackend(
            home=self.home,
            tracking_uri="",
            serving_urls={SYSTEM: ""},
            gateway_url="",
            decider="ana",
            on_step=step,
        )

    def releases(self):
        return Releases.read(self.home / "data" / "serving" / SYSTEM)

    def routed(self):
        """The version the routes in force send callers to."""
        text = (self.home / "config" / "gateway" / ROUTES_FILE).read_text()
        return next((one for one in VERSIONS if f'"value": "{one}"' in text), None)

    def routes(self):
        text = (self.home / "config" / "gateway" / ROUTES_FILE).read_text()
        return json.loads(text)["resources"][0]["virtual_hosts"][0]["routes"]

    def settled(self, version):
        assert self.routed() == self.releases().champion == version
        assert self.releases().settled == (not World.registry_down or World.alias == version)
        models = {path.name for path in (self.home / "data" / "serving" / SYSTEM / "models").iterdir()}
        # What was rolled back stays on the disk for whoever looks into it, and not in memory.
        assert World.memory == set(self.releases().loaded)
        assert models == World.memory | set(self.releases().held)
        if not World.registry_down:
            assert status(self.context(), SYSTEM).differences == ()

    @precondition(lambda self: not World.registry_down)
    @rule(version=st.sampled_from(VERSIONS))
    def releases_it(self, version):
        before = self.releases()
        done = release(self.context(), SYSTEM, version, reason="on")
        assert done.version == version
        self.settled(version)
        assert len(self.releases().history) == len(before.history) + (before.champion != version)

    @rule()
    def rolls_back(self):
        before = self.releases()
        expected = before.before_champion()
        if not before.settled and before.history and before.history[-1].kind == "rollback":
            expected = before.champion
        if expected is None:
            with pytest.raises(RolloutError, match="to go back to"):
                rollback(self.context(), SYSTEM, reason="back")
            assert self.releases() == before
            return
        if not self.within_reach(expected):
            with pytest.raises(RolloutError, match="the registry does not answer"):
                rollback(self.context(), SYSTEM, reason="back")
            assert self.releases() == before
            return
        done = rollback(self.context(), SYSTEM, reason="back")
        assert done.version == expected
        assert bool(done.warnings) == World.registry_down
        assert self.routed() == expected

    @precondition(lambda self: not World.registry_down and self.releases().settled)
    @rule(version=st.sampled_from(VERSIONS), step=st.sampled_from([s for s in STEPS if s not in ("settle", "prune")]))
    def a_release_fails(self, version, step):
        before, routed, alias = self.releases(), self.routed(), World.alias
        with pytest.raises(RolloutError):
            release(self.context(fails_at=step), SYSTEM, version, reason="on")
        assert (self.releases(), self.routed(), World.alias) == (before, routed, alias)

    @precondition(lambda self: not World.registry_down)
    @rule(version=st.sampled_from(VERSIONS), other=st.sampled_from(VERSIONS), step=st.sampled_from(STEPS))
    def a_release_dies_and_another_follows(self, version, other, step):
        with pytest.raises(Died):
            release(self.context(dies_at=step), SYSTEM, version, reason="on")
        self.alive()
        release(self.context(), SYSTEM, other, reason="another")
        self.settled(other)

    @precondition(lambda self: not World.registry_down and self.releases().settled)
    @rule()
    def a_release_is_refused_by_its_example(self):
        World.refused = "3"
        before, routed = self.releases(), self.routed()
        try:
            with pytest.raises(RolloutError, match="implausible"):
                release(self.context(), SYSTEM, "3", reason="on")
            assert (self.releases(), self.routed()) == (before, routed)
        finally:
            World.refused = None

    @precondition(lambda self: not World.registry_down)
    @rule(version=st.sampled_from(VERSIONS), step=st.sampled_from(STEPS))
    def a_release_dies_and_is_run_again(self, version, step):
        history = len(self.releases().history)
        changes = self.releases().champion != version
        with pytest.raises(Died):
            release(self.context(dies_at=step), SYSTEM, version, reason="on")
        self.alive()
        assert self.routed() in World.memory | {None}
        release(self.context(), SYSTEM, version, reason="on")
        self.settled(version)
        assert len(self.releases().history) == history + changes

    def within_reach(self, version):
        """Whether the files of `version` are here, or the registry can give them again."""
        models = self.home / "data" / "serving" / SYSTEM / "models"
        return not World.registry_down or (models / version).is_dir()

    @precondition(
        lambda self: (
            self.releases().settled
            and self.releases().before_champion()
            and self.within_reach(self.releases().before_champion())
        )
    )
    @rule(step=st.sampled_from(STEPS[1:-1]))
    def a_rollback_dies_and_is_run_again(self, step):
        expected, history = self.releases().before_champion(), len(self.releases().history)
        with pytest.raises(Died):
            rollback(self.context(dies_at=step), SYSTEM, reason="back")
        self.alive()
        assert rollback(self.context(), SYSTEM, reason="back").version == expected
        assert len(self.releases().history) == history + 1
        assert self.routed() == expected

    @rule()
    def the_registry_goes_or_comes(self):
        World.registry_down = not World.registry_down

    @rule()
    def the_process_starts_anew(self):
        World.memory = set(self.releases().loaded)

    def alive(self):
        self.patch.setattr(module, "_undo", UNDO)
        self.patch.setattr(Journal, "failed", FAILED)

    @invariant()
    def whoever_is_routed_to_is_in_memory(self):
        assert self.routed() in World.memory | {None}

    @invariant()
    def each_decision_has_one_entry_of_an_audit_log_that_is_whole(self):
        log = self.home / AUDIT_FILE
        found = verify(log)
        assert (found.problems, found.notes) == ((), ())
        told = [record.entry for record in read(log) if record.entry["outcome"] != "failed"]
        assert len({entry["id"] for entry in told}) == len(told)
        decided = [(one.kind, one.from_, one.to) for one in self.releases().history]
        assert [(one["action"], one["version_from"], one["version_to"]) for one in told] == decided


UNDO = module._undo
FAILED = Journal.failed
TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
