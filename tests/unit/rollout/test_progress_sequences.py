"""Rollouts over any sequence of decisions and deaths, on parts that only remember."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mlstrata.audit import read, verify
from mlstrata.environments.spec.rollout import RolloutSpec
from mlstrata.operations.releases import AUDIT_FILE, RolloutError, halt, moves, progress, release
from mlstrata.operations.releases.aliases import traffic
from mlstrata.operations.releases.beginning import begin
from mlstrata.services.rollout.evidence import Evidence, Seen
from mlstrata.services.rollout.plan import Action, Decision
from tests.unit.rollout import test_sequences as parts
from tests.unit.rollout.test_sequences import SYSTEM, VERSIONS, Died, World

STEPS = ("decide", "routes", "serve", "alias", "audit", "settle")
DIES = st.none() | st.sampled_from(STEPS)
STRATEGIES = ("canary", "shadow", "ab", "bandit")


def declared(strategy):
    sla = SimpleNamespace(p99=SimpleNamespace(total_seconds=lambda: 0.5), availability=99.0)
    return SimpleNamespace(
        name=SYSTEM,
        rollout=RolloutSpec(strategy=strategy, steps=(5, 25, 60) if strategy == "canary" else ()),
        model=SimpleNamespace(brings_code=False),
        monitor=SimpleNamespace(fairness=None),
        serving=SimpleNamespace(sla=sla),
    )


class Progress(RuleBasedStateMachine):
    """Whatever is decided and wherever it dies, the next command ends it, and nobody is sent to what is not there."""

    def __init__(self):
        super().__init__()
        self.world = parts.Rollouts()
        self.patch = self.world.patch
        World.aliases = {}
        self.system = declared("canary")
        release(self.context(), SYSTEM, "1", reason="first")

    def teardown(self):
        self.world.teardown()

    def context(self, dies_at=None):
        if dies_at:
            self.patch.setattr(moves, "_undo", lambda _rollout: None)
        return self.world.context(dies_at=dies_at)

    def releases(self):
        return self.world.releases()

    def alive(self):
        self.patch.setattr(moves, "_undo", UNDO)
        self.world.alive()

    def decides(self, action, share=None):
        decision = Decision(action, "as the test says, of group a\nb", share)
        self.patch.setattr(progress, "consider", lambda *_: (decision, Evidence(Seen(), Seen())))

    def advance(self, dies_at=None):
        return progress.advance(self.context(dies_at), self.system, None, datetime.now(UTC), decider="rollout")

    def settled(self):
        found = self.releases()
        assert found.settled
        assert World.alias == found.champion
        assert World.aliases.get("challenger") == found.challenger == (found.rollout and found.rollout.candidate)
        assert World.aliases.get("shadow") == found.shadow

    def died(self, act, step):
        """Have `act` die at `step`; what has no such step ends as usual."""
        try:
            act(step)
        except Died:
            self.alive()
            return
        finally:
            self.alive()

    @precondition(lambda self: self.releases().rollout is None)
    @rule(version=st.sampled_from(VERSIONS), strategy=st.sampled_from(STRATEGIES), step=DIES)
    def begins(self, version, strategy, step):
        self.system = declared(strategy)
        if version == self.releases().champion:
            with pytest.raises(RolloutError, match="answers already"):
                begin(self.context(), self.system, version, reason="no")
            return
        if step:
            self.died(lambda at: begin(self.context(at), self.system, version, reason="on"), step)
        begin(self.context(), self.system, version, reason="on")
        assert self.releases().rollout.candidate == version
        self.settled()

    @precondition(lambda self: self.releases().rollout)
    @rule(share=st.integers(1, 100), step=DIES)
    def advances(self, share, step):
        if self.releases().rollout.strategy == "shadow":
            share = 0
        self.decides(Action.ADVANCE, share)
        if step:
            self.died(self.advance, step)
            self.decides(Action.WAIT)
        self.advance()
        if not step:
            assert self.releases().rollout.share == share
        self.settled()

    @precondition(lambda self: self.releases().rollout)
    @rule(action=st.sampled_from([Action.PROMOTE, Action.ROLL_BACK]), step=DIES)
    def ends(self, action, step):
        champion, candidate = self.releases().champion, self.releases().rollout.candidate
        self.decides(action)
        if step:
            self.died(self.advance, step)
        # Whoever runs it again ends where the first run would have.
        self.advance()
        assert self.releases().rollout is None
        assert self.releases().champion == (candidate if action is Action.PROMOTE else champion)
        assert (candidate in self.releases().held) == (action is Action.ROLL_BACK)
        self.settled()

    @rule(step=DIES)
    def stops_and_resumes(self, step):
        before = self.releases()
        if step:
            self.died(lambda at: halt.stop(self.context(at), SYSTEM, reason="harm", decider="ana"), step)
        halt.stop(self.context(), SYSTEM, reason="harm", decider="ana")
        assert self.releases().stopped.why == "harm"
        assert self.world.routed() is None or "direct_response" in self.route()
        halt.resume(self.context(), SYSTEM, reason="mended", decider="ana")
        assert self.releases().stopped is None
        assert (self.releases().champion, self.releases().rollout) == (before.champion, before.rollout)
        self.settled()

    @rule(step=DIES)
    def retires_and_comes_back(self, step):
        before = self.releases()
        if step:
            self.died(lambda at: halt.retire(self.context(at), SYSTEM, reason="old", decider="ana"), step)
        assert halt.retire(self.context(), SYSTEM, reason="old", decider="ana").releases.stopped.retired
        assert self.releases().stopped.retired
        assert self.world.routed() is None or self.route()["direct_response"] == {"status": 410}
        # What is gone is stopped already, and stays gone.
        halt.stop(self.context(), SYSTEM, reason="harm", decider="ana")
        assert self.releases().stopped.retired
        halt.resume(self.context(), SYSTEM, reason="missed", decider="ana")
        assert (self.releases().champion, self.releases().rollout) == (before.champion, before.rollout)
        self.settled()

    def route(self):
        return next(one for one in self.world.routes() if one["name"] == f"{SYSTEM}/v1")

    @invariant()
    def whoever_gets_traffic_is_in_memory_and_has_its_files(self):
        wanted = set(traffic(self.releases()))
        assert wanted <= World.memory
        models = {path.name for path in (self.world.home / "data" / "serving" / SYSTEM / "models").iterdir()}
        assert wanted | set(self.releases().held) <= models

    @invariant()
    def the_audit_log_is_whole_and_has_each_decision_once(self):
        log = self.world.home / AUDIT_FILE
        assert (verify(log).problems, verify(log).notes) == ((), ())
        ids = [record.entry["id"] for record in read(log)]
        assert len(set(ids)) == len(ids)


UNDO = moves._undo
TestProgress = Progress.TestCase
TestProgress.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
