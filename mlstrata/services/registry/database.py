"""Makes MLflow's SQLite database in one move.

MLflow creates its tables over some fifty migrations, which SQLite does not undo when the process dies among them: the
next start then fails for good. So they are made in a file beside the database, which gets its name when all are there.
"""

from __future__ import annotations

from pathlib import Path


def prepare(database: Path) -> bool:
    """Create the database unless there is one; what a dead run left of another try is removed.

    Args:
        database: the SQLite file; its folder exists.

    Returns:
        Whether it was created.
    """
    if database.exists():
        return False
    # Pinned with MLflow: its public `db upgrade` refuses a database without the first tables.
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    fresh = database.with_name(f"{database.name}.new")
    for leftover in database.parent.glob(f"{fresh.name}*"):
        leftover.unlink()
    engine = create_sqlalchemy_engine(f"sqlite:///{fresh}")  # type: ignore[no-untyped-call]
    try:
        _initialize_tables(engine)  # type: ignore[no-untyped-call]
    finally:
        engine.dispose()
    fresh.replace(database)
    return True
