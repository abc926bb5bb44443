"""Puts together what the pages about this moment show; one source that fails takes no other with it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from mlstrata.services.catalog.live.alerts import Alert, Alerts, problems_of
from mlstrata.services.catalog.live.decisions import Decided, Decisions
from mlstrata.services.catalog.live.learning import Noted, read_notes
from mlstrata.services.catalog.live.records import Records, Waits, hidden_of
from mlstrata.services.catalog.live.records import Row as Recorded
from mlstrata.services.catalog.live.series import Points, prometheus
from mlstrata.services.catalog.live.services import Running, running_services
from mlstrata.services.catalog.live.stage import Stage
from mlstrata.services.catalog.live.system import (
    Figure,
    Group,
    Kpi,
    courses,
    figures,
    kpis,
    performance,
    trained_groups,
)
from mlstrata.services.catalog.live.traffic import Share, Traffic
from mlstrata.services.catalog.live.verdicts import Word, word_of
from mlstrata.services.catalog.plots import Plot, plot
from mlstrata.services.monitor.verdict import Verdict, Watch, read_verdict
from mlstrata.services.recording.store import Queue, StoreUnreadableError
from mlstrata.services.rollout.standing import Standing, read_standing
from mlstrata.services.serving.folders import releases_folder
from mlstrata.services.serving.releases import Releases

if TYPE_CHECKING:
    from mlstrata.environments.spec.system import SystemSpec
    from mlstrata.services.catalog.model import Catalog
    from mlstrata.services.catalog.settings import CatalogSettings

_Read = TypeVar("_Read")
COURSE_SECONDS = 86_400.0
"""How far back a course is drawn: a day, so that day and night are in it."""


@dataclass(frozen=True)
class Row:
    """One system on the start page.

    Attributes:
        name: The system.
        traffic: Who answers.
        word: The monitor's verdict in one word.
        verdict: The verdict; None: there is none, or it cannot be read.
        waiting: Rows that wait for a person, by queue.
        alerts: Alerts about it that fire.
    """

    name: str
    traffic: Traffic
    word: Word
    verdict: Verdict | None
    waiting: Mapping[Queue, int]
    alerts: tuple[Alert, ...] = ()

    @property
    def waits(self) -> int:
        """Return how many rows wait for a person."""
        return sum(self.waiting.values())


@dataclass(frozen=True)
class Overview:
    """The start page.

    Attributes:
        stage: The environment's stage; empty: it is not known here.
        services: The environment's services.
        rows: Its systems.
        alerts: The alerts that fire.
        missing: What could not be read.
    """

    stage: str
    services: tuple[Running, ...]
    rows: tuple[Row, ...]
    alerts: tuple[Alert, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class SystemBoard:
    """The page of one system.

    Attributes:
        row: What the first page says of it.
        kpis: What it must achieve beside what it does.
        performance: The live figures drawn; None: there are none.
        figures: What else is watched.
        groups: The groups that the version that answers was measured on in training.
        alerts: The newest alerts about it, those that fire first.
        decisions: The newest decisions about it.
        notes: What the learning process noted, newest first.
        standing: How the step of the rollout that runs stands; None: nobody decided about it yet.
        compared: Its questions drawn; None: its figures answer none yet.
        links: Where else to look at it: what is there, and its address.
        missing: What could not be read.
    """

    row: Row
    kpis: tuple[Kpi, ...]
    performance: Plot | None
    figures: tuple[Figure, ...]
    groups: tuple[Group, ...]
    alerts: tuple[Alert, ...]
    decisions: tuple[Decided, ...]
    notes: tuple[Noted, ...]
    standing: Standing | None
    compared: Plot | None
    links: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]


@dataclass
class Sources:
    """Reads one source after the other, and remembers those that fail."""

    missing: list[str] = field(default_factory=list)

    def read(self, name: str, reading: Callable[[], _Read]) -> _Read | None:
        """Return what a source says; None where it cannot be read, which is then named."""
        try:
            return reading()
        except (OSError, ValueError, sqlite3.Error, StoreUnreadableError) as error:
            told = str(error) if isinstance(error, ValueError) else "cannot be read"
            self.missing.append(f"{name}: {told or 'cannot be read'}")
            return None


class Board:
    """Reads what goes on in an environment. Safe for several threads.

    Attributes:
        records: What is recorded of its predictions.
    """

    def __init__(self, settings: CatalogSettings) -> None:
        home = self._home = settings.home
        self._settings = settings
        self.records, self._alerts = Records(home), Alerts(home)
        self._decisions, self._stage = Decisions(home), Stage(home)

    def overview(self, catalog: Catalog) -> Overview:
        """Return what the start page shows."""
        sources = Sources()
        alerts = sources.read("alerts", self._alerts.read) or ()
        lengths = sources.read("queues", self.records.lengths) or {}
        rows = tuple(self._row(one.name, one.champion, alerts, lengths, sources) for one in catalog.systems)
        services = sources.read("services", lambda: running_services(self._home, problems_of(alerts))) or ()
        stage = sources.read("stage", lambda: self._stage.of(catalog.environment)) if self._is_local else ""
        firing = tuple(one for one in alerts if one.firing)
        return Overview(stage or "", services, rows, firing, tuple(dict.fromkeys(sources.missing)))

    def system(self, system: SystemSpec, champion: str | None, trained: Mapping[str, float]) -> SystemBoard:
        """Return what the page of a system shows.

        Args:
            system: The system as declared.
            champion: The version that answers, as the catalog has it.
            trained: What that version had in training.
        """
        name, sources = system.name, Sources()
        alerts = sources.read("alerts", self._alerts.read) or ()
        lengths = sources.read("queues", self.records.lengths) or {}
        row = self._row(name, champion, alerts, lengths, sources)
        verdict = row.verdict
        found = kpis(system, trained, verdict)
        notes = sources.read("learning", lambda: read_notes(self._home, name)) or ()
        standing = self._standing(row, sources)
        # Where nothing is judged no course is missing, only a link.
        asked = sources if verdict else Sources()
        url = asked.read("course over time", lambda: prometheus(self._home))
        return SystemBoard(
            row=row,
            kpis=found,
            performance=performance(found),
            figures=figures(verdict, self._courses(url, name, sources) if url and verdict else {}),
            groups=sources.read("groups", lambda: trained_groups(self._home, name, champion)) or (),
            alerts=tuple(one for one in alerts if one.system == name)[:20],
            decisions=sources.read("decisions", lambda: self._decisions.newest(name)) or (),
            notes=notes,
            standing=standing,
            compared=plot(standing.questions, from_zero=False) if standing else None,
            links=self._links(name, url),
            missing=tuple(dict.fromkeys(sources.missing)),
        )

    def _standing(self, row: Row, sources: Sources) -> Standing | None:
        """Return how the step that a system's rollout is in stands."""
        if (running := row.traffic.rollout) is None:
            return None
        found = sources.read("rollout", lambda: read_standing(self._home, row.name))
        return found if found is not None and found.is_of(running) else None

    def _courses(self, url: str, name: str, sources: Sources) -> Mapping[tuple[Watch, str], Points]:
        return sources.read("course over time", lambda: courses(url, name, time.time(), COURSE_SECONDS)) or {}

    def _links(self, system: str, url: str | None) -> tuple[tuple[str, str], ...]:
        found = [("MLflow", f"{self._settings.registry}/#/models/{quote(system)}")]
        if url:
            query = quote(f'{{system="{system}"}}')
            found.append(("Prometheus", f"{url}/graph?g0.expr={query}&g0.tab=1"))
        return tuple(found)

    def lengths(self) -> tuple[Mapping[tuple[Queue, str], int], tuple[str, ...]]:
        """Return how many rows wait, by queue and system, and what could not be read."""
        sources = Sources()
        return sources.read("queues", self.records.lengths) or {}, tuple(sources.missing)

    def queue(self, queue: Queue, system: SystemSpec) -> tuple[Waits, tuple[str, ...]]:
        """Return the oldest rows of a queue, and what could not be read."""
        sources, hidden = Sources(), hidden_of(system)
        nothing = Waits(queue, system.name, 0, ())
        found = sources.read("queue", lambda: self.records.waiting(queue, system.name, hidden)) or nothing
        return found, tuple(sources.missing)

    def prediction(self, request: str, systems: Sequence[SystemSpec]) -> tuple[tuple[Recorded, ...], tuple[str, ...]]:
        """Return what is recorded under a request's id, and what could not be read."""
        sources, hidden = Sources(), {one.name: hidden_of(one) for one in systems}
        found = sources.read("records", lambda: self.records.find(request, hidden)) or ()
        return found, tuple(sources.missing)

    def _row(
        self,
        name: str,
        champion: str | None,
        alerts: tuple[Alert, ...],
        lengths: Mapping[tuple[Queue, str], int],
        sources: Sources,
    ) -> Row:
        named = Traffic((Share(champion, "champion", 100),) if champion else ())
        traffic = named
        if self._is_local:
            traffic = sources.read(f"releases of {name}", lambda: self._traffic(name)) or named
        failed = len(sources.missing)
        verdict = sources.read("verdict", lambda: read_verdict(self._home, name))
        word = word_of(verdict) if len(sources.missing) == failed else Word("unknown", "its verdict cannot be read")
        waiting = {queue: lengths.get((queue, name), 0) for queue in Queue}
        firing = tuple(one for one in alerts if one.firing and one.system == name)
        return Row(name, traffic, word, verdict, waiting, firing)

    @property
    def _is_local(self) -> bool:
        """Whether the serving folders lie here: on a cluster the registry says what is released."""
        return self._settings.releases == "folder"

    def _traffic(self, name: str) -> Traffic:
        return Traffic.of(Releases.read(releases_folder(self._home, name)))
