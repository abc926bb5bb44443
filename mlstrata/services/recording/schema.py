"""The tables of the embedded store, and how feedback lies in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlstrata.services.recording.merging import Judged, Rewarded, Told

VERSION = 3
"""2: `removed`. 3: `tellings`. Each only adds tables, so the statements below bring an older file up to date."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    id TEXT NOT NULL, version TEXT NOT NULL, system TEXT NOT NULL, at REAL NOT NULL, shadow INTEGER NOT NULL,
    subject TEXT NOT NULL, held INTEGER NOT NULL, rows INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (id, version));
CREATE INDEX IF NOT EXISTS records_by_time ON records (system, at, id, version);
CREATE INDEX IF NOT EXISTS records_by_subject ON records (system, subject, at) WHERE subject <> '';
CREATE TABLE IF NOT EXISTS feedback (
    id TEXT NOT NULL, instance INTEGER NOT NULL, system TEXT NOT NULL, at REAL, truth TEXT, reviewer TEXT,
    sampled REAL, rewarded REAL, reward REAL, PRIMARY KEY (id, instance)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS feedback_by_system ON feedback (system);
CREATE TABLE IF NOT EXISTS queue (
    queue TEXT NOT NULL, system TEXT NOT NULL, id TEXT NOT NULL, instance INTEGER NOT NULL, at REAL NOT NULL,
    sampled REAL NOT NULL, PRIMARY KEY (id, instance, queue)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS queue_by_time ON queue (queue, system, at);
CREATE TABLE IF NOT EXISTS counts (
    system TEXT NOT NULL, version TEXT NOT NULL, recorded INTEGER NOT NULL, removed INTEGER NOT NULL,
    newest REAL NOT NULL, PRIMARY KEY (system, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erasures (
    system TEXT NOT NULL, subject TEXT NOT NULL, asked REAL NOT NULL, hold REAL NOT NULL,
    PRIMARY KEY (system, subject)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS removed (id TEXT NOT NULL PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tellings (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)
"""
"""`tellings`: of each request that feedback came for the newest number, so that a reader finds what changed."""


def told(row: Sequence[Any]) -> Told:
    """Return what the columns at, truth, reviewer, sampled, rewarded and reward say."""
    at, truth, reviewer, sampled, rewarded, reward = row
    judged = None if truth is None else Judged(at, truth, reviewer, sampled)
    return Told(judged, None if reward is None else Rewarded(rewarded, reward))


def judged_values(known: Told) -> tuple[object, ...]:
    """Return the values of these columns."""
    judged = tuple(known.judged) if known.judged else (None, None, None, None)
    return *judged, *(tuple(known.rewarded) if known.rewarded else (None, None))
