"""MLflow's database is there whole or not at all, whenever its making is cut off."""

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlstrata.services.registry.database import prepare

MAKE = (
    "import sys; from pathlib import Path; "
    "from mlstrata.services.registry.database import prepare; prepare(Path(sys.argv[1]))"
)


def tables(database: Path) -> set[str]:
    with sqlite3.connect(database) as connection:
        return {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    database = tmp_path_factory.mktemp("whole") / "mlflow.db"
    assert prepare(database)
    return tables(database)


def test_a_database_that_is_there_stays_as_it_is(tmp_path: Path):
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"somebody's data")
    assert not prepare(database)
    assert database.read_bytes() == b"somebody's data"


def test_a_making_cut_off_at_any_moment_is_made_good(tmp_path: Path, whole: set[str]):
    assert {"experiments", "runs", "registered_models", "alembic_version"} <= whole
    database = tmp_path / "mlflow.db"
    fresh = tmp_path / "mlflow.db.new"
    cut = 0
    # From the moment that its file appears, twice as late each time, until one is not cut off any more.
    for step in range(10):
        making = subprocess.Popen([sys.executable, "-c", MAKE, str(database)], stderr=subprocess.DEVNULL)
        while not fresh.exists() and making.poll() is None:
            time.sleep(0.002)
        time.sleep(0.1 * (2**step - 1))
        making.send_signal(signal.SIGKILL)
        making.wait()
        if database.exists():
            break
        cut += 1
    assert cut, "no making was cut off"
    prepare(database)
    assert tables(database) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
