"""The store on a cluster: schemas of the platform's Postgres, for any number of processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from mlstrata.services.recording.address import Address
from mlstrata.services.recording.names import PREDICTIONS_SCHEMA, PROTECTED_SCHEMA
from mlstrata.services.recording.postgres import PostgresDatabase
from mlstrata.services.recording.protected import Protected
from mlstrata.services.recording.tables import TableStore

_VERSION = 1
_KEY = 'id TEXT COLLATE "C" NOT NULL, version TEXT COLLATE "C" NOT NULL'
# As the embedded store has them, but for the bodies. Texts are ordered by their bytes there.
_TABLES = f"""
CREATE TABLE IF NOT EXISTS layout (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS records (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE, {_KEY}, system TEXT COLLATE "C" NOT NULL,
    at DOUBLE PRECISION NOT NULL, shadow INTEGER NOT NULL, subject TEXT NOT NULL, held INTEGER NOT NULL,
    rows INTEGER NOT NULL, PRIMARY KEY (id, version));
CREATE INDEX IF NOT EXISTS records_by_time ON records (system, at, id, version);
CREATE INDEX IF NOT EXISTS records_by_subject ON records (system, subject, at) WHERE subject <> '';
CREATE TABLE IF NOT EXISTS bodies (
    at DOUBLE PRECISION NOT NULL, {_KEY}, body BYTEA NOT NULL, PRIMARY KEY (at, id, version)) PARTITION BY RANGE (at);
CREATE TABLE IF NOT EXISTS bodies_other PARTITION OF bodies DEFAULT;
CREATE TABLE IF NOT EXISTS feedback (
    id TEXT COLLATE "C" NOT NULL, instance INTEGER NOT NULL, system TEXT COLLATE "C" NOT NULL, at DOUBLE PRECISION,
    truth TEXT, reviewer TEXT, sampled DOUBLE PRECISION, rewarded DOUBLE PRECISION, reward DOUBLE PRECISION,
    PRIMARY KEY (id, instance));
CREATE INDEX IF NOT EXISTS feedback_by_system ON feedback (system);
CREATE TABLE IF NOT EXISTS queue (
    queue TEXT NOT NULL, system TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL, instance INTEGER NOT NULL,
    at DOUBLE PRECISION NOT NULL, sampled DOUBLE PRECISION NOT NULL, PRIMARY KEY (id, instance, queue));
CREATE INDEX IF NOT EXISTS queue_by_time ON queue (queue, system, at);
CREATE TABLE IF NOT EXISTS counts (
    system TEXT COLLATE "C" NOT NULL, version TEXT COLLATE "C" NOT NULL, recorded BIGINT NOT NULL,
    removed BIGINT NOT NULL, newest DOUBLE PRECISION NOT NULL, PRIMARY KEY (system, version));
CREATE TABLE IF NOT EXISTS erasures (
    system TEXT NOT NULL, subject TEXT NOT NULL, asked DOUBLE PRECISION NOT NULL, hold DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (system, subject));
CREATE TABLE IF NOT EXISTS removed (id TEXT COLLATE "C" NOT NULL PRIMARY KEY, at DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS tellings (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT COLLATE "C" NOT NULL UNIQUE)
"""
_GROUPS = """
CREATE TABLE IF NOT EXISTS layout (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS groups (
    id TEXT NOT NULL, instance INTEGER NOT NULL, at DOUBLE PRECISION NOT NULL, groups TEXT NOT NULL,
    PRIMARY KEY (id, instance));
CREATE INDEX IF NOT EXISTS groups_by_time ON groups (at)
"""


def open_store(
    address: Address,
    *,
    read_only: bool = False,
    shares: Mapping[str, float] | None = None,
    clock: Callable[[], float] = time.time,
) -> TableStore:
    """Open the store in a database, and make it where there is none; arguments as of the embedded one.

    Raises:
        FileNotFoundError: There is none, and nothing is to be written.
        StoreAwayError: The server does not answer or lets nobody in.
        StoreUnreadableError: What lies there is one of a newer version.
    """

    def groups(make: bool) -> PostgresDatabase | None:
        try:
            return PostgresDatabase(address, PROTECTED_SCHEMA, _GROUPS, _VERSION, read_only=read_only, make=make)
        except FileNotFoundError:
            return None

    db = PostgresDatabase(address, PREDICTIONS_SCHEMA, _TABLES, _VERSION, read_only=read_only)
    return TableStore(db, Protected(groups), shares, clock)
