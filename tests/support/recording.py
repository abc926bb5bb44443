"""Records and feedback to try a store of predictions with, and what such a store does, in plain Python."""

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.sampling import is_chosen
from mlstrata.services.recording.store import Feedback, Known, Queue

SHARE = 0.5
SYSTEMS, SUBJECTS = ("credit", "fraud"), ("", "anna", "bert")
SHARES = dict.fromkeys(SYSTEMS, SHARE)
NOW = 105.0
"""When what tests add was predicted a moment ago."""


def record(request="r-1", version="1", *, system="credit", at=100.0, rows=1, subject="", **more):
    instances = tuple(
        Instance(inputs={"income": number, "at": at}, output={"approved": True}, explanation={"income": 0.25})
        for number in range(rows)
    )
    known = {"status": 200, "ms": 4.5, "instances": instances}
    return Record(id=request, at=at, system=system, version=version, subject=subject, **{**known, **more})


@st.composite
def records(draw):
    # A request has one system, one person and one moment, whatever versions answer it.
    number = draw(st.integers(0, 7))
    version = draw(st.sampled_from(["1", "2"]))
    source = "human_review" if number == 3 else "model"
    instances = tuple(
        Instance(inputs={"row": row}, output={"yes": row > 0}, source=source) for row in range(number % 3)
    )
    return Record(
        id=f"r-{number}",
        version=version,
        system=SYSTEMS[number % 2],
        at=float(100 + number // 2),
        subject=SUBJECTS[number % 3],
        shadow=version == "2",
        status=200 if instances else 422,
        ms=1.0,
        instances=instances,
    )


@st.composite
def feedback(draw):
    return Feedback(
        id=f"r-{draw(st.integers(0, 8))}",
        at=float(draw(st.integers(100, 104))),
        instance=draw(st.integers(0, 1)),
        truth=draw(st.sampled_from([None, "yes", "no"])),
        reward=draw(st.sampled_from([None, 0.0, 1.5])),
        groups=draw(st.sampled_from([{}, {"sex": "f"}, {"sex": "m", "age": "old"}])),
        reviewer=draw(st.sampled_from(["", "carla"])),
        sampled=draw(st.sampled_from([1.0, 0.25])),
    )


@dataclass
class Model:
    """What a store of predictions does, with nothing but lists: slow, and plain enough to be believed."""

    records: dict = field(default_factory=dict)
    told: list = field(default_factory=list)
    erased: dict = field(default_factory=dict)
    gone: set = field(default_factory=set)
    removed: int = 0

    def add(self, batch):
        new = 0
        for one in batch:
            found = [self.erased.get((one.system, subject), (-1.0, 0.0)) for subject in (one.subject, "")]
            holds = [hold for asked, hold in found if one.at <= asked]
            if one.key not in self.records and (not holds or any(holds)):
                self.records[one.key] = (one, bool(holds))
                new += 1
            elif one.key not in self.records:
                self.gone.add(one.id)
        return new

    def missing(self, ids):
        return set(ids) - {one.id for one, _ in self.records.values()} - self.gone

    def tell(self, batch):
        self.told += batch

    def prune(self, system, before):
        return self._remove(lambda one, _: one.system == system and one.at < before)

    def erase(self, system, subject, asked, hold):
        before, _ = self.erased.get((system, subject), (0.0, 0.0))
        self.erased[system, subject] = (max(asked, before), hold)
        for key, (one, _) in self.records.items():
            if one.system == system and subject in ("", one.subject) and one.at <= asked:
                self.records[key] = (one, True)
        return self.finish(asked, only=(system, subject))

    def finish(self, now, only=None):
        def due(one, held):
            keys = [(one.system, subject) for subject in (one.subject, "")]
            found = [self.erased[key] for key in keys if key in self.erased and only in (None, key)]
            return held and any(one.at <= min(now - hold, asked) for asked, hold in found)

        return self._remove(due)

    def _remove(self, goes):
        gone = [key for key, (one, held) in self.records.items() if goes(one, held)]
        for key in gone:
            del self.records[key]
        left = {one.id for one, _ in self.records.values()}
        ids = {key[0] for key in gone} - left
        self.told = [one for one in self.told if one.id not in ids]
        self.gone |= {key[0] for key in gone}
        self.removed += len(gone)
        return len(gone)

    def feedback(self, request, instance, groups):
        said = [one for one in self.told if (one.id, one.instance) == (request, instance)]
        truths = [(one.at, one.truth, one.reviewer, one.sampled) for one in said if one.truth is not None]
        rewards = [(one.at, one.reward) for one in said if one.reward is not None]
        persons = [(one.at, sorted(one.groups.items()), one.groups) for one in said if one.groups and groups]
        found = Feedback(request, 0.0, instance)
        if truths:
            at, truth, reviewer, sampled = max(truths)
            found = replace(found, at=at, truth=truth, reviewer=reviewer, sampled=sampled)
        if rewards:
            at, reward = max(rewards)
            found = replace(found, at=max(at, found.at), reward=reward)
        if persons:
            at, _, known = max(persons, key=lambda one: one[:2])
            found = replace(found, at=max(at, found.at), groups=known)
        return found if truths or rewards or persons else None

    def window(self, system, *, since, until, version=None, shadow=False, groups=False, limit=None):
        rows = [
            Known(one, number, self.feedback(one.id, number, groups))
            for one, held in sorted(self.records.values(), key=lambda pair: (pair[0].at, *pair[0].key))
            for number in range(len(one.instances))
            if one.system == system and since <= one.at < until and version in (None, one.version) and not held
            if shadow or not one.shadow
        ]
        return rows if limit is None else rows[max(0, len(rows) - limit) :]

    def waiting(self, queue, system):
        def waits(known):
            if queue is Queue.REVIEW:
                return known.record.instances[known.instance].source == "human_review"
            return known.output is not None and is_chosen(known.record.id, SHARE)

        return [
            (known.record.id, known.instance)
            for known in self.window(system, since=0.0, until=1e9)
            if waits(known) and not (known.feedback and known.feedback.truth is not None)
        ]
