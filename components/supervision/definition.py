"""What a service is, on disk: its files, its launch file and its program file for the supervisor."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlstrata.components.supervision import launch
from mlstrata.components.supervision.files import digest, inside, read, read_json, remove, write
from mlstrata.components.supervision.values import plain
from mlstrata.environments.installation import interpreter
from mlstrata.environments.workspace import VARIABLE, Workspace
from mlstrata.files import private_folder
from mlstrata.services.exporter.processes import HOME_MARK, SERVICE_MARK

_LOG_BYTES, _LOG_BACKUPS = 20_000_000, 3


def renew_starts(home: Path) -> None:
    """Note that every service of a home was started just now, as a new supervisor does: their readiness is open."""
    for stamp in (home / "run").glob("*.stamp"):
        noted = read_json(stamp)
        if "digest" in noted:
            write(stamp, json.dumps({**noted, "started": f"{time.time():.3f}"}))


@dataclass(frozen=True)
class Definition:
    """A service as declared, with the paths of everything it owns in the environment's home.

    Attributes:
        files: Relative path -> {content, mode, restart}: ours, rewritten when edited; restart false: only renamed in.
        seeds: Relative path -> {content, mode}: written when absent, then the service's own.
        folders: Relative paths of folders that must exist.
        code: The version of our code that it runs.
    """

    home: Path
    socket: Path
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    files: Mapping[str, Mapping[str, Any]]
    seeds: Mapping[str, Mapping[str, Any]]
    folders: tuple[str, ...]
    directory: str
    stop_seconds: int
    code: str

    @classmethod
    def of(cls, props: Mapping[str, Any]) -> Definition:
        """Read a definition from resource properties as they come over the wire."""
        values = plain(props)
        return cls(
            home=Path(values["home"]),
            socket=Path(values["socket"]),
            name=values["name"],
            command=tuple(str(part) for part in values["command"]),
            environment={key: str(value) for key, value in (values.get("environment") or {}).items()},
            ports=values.get("ports") or {},
            files=values.get("files") or {},
            seeds=values.get("seeds") or {},
            folders=tuple(values.get("folders") or ()),
            directory=values["directory"],
            stop_seconds=values["stop_seconds"],
            code=values.get("code") or "",  # none in older states
        )

    @property
    def log(self) -> Path:
        """Where its standard output and error go."""
        return self.home / "logs" / f"{self.name}.log"

    @property
    def program_path(self) -> Path:
        """Where the supervisor finds its program section."""
        return self.home / "config/supervisor.d" / f"{self.name}.conf"

    @property
    def launch_path(self) -> Path:
        """Where the launcher finds its command and variables."""
        return self.home / "config/launch" / f"{self.name}.json"

    @property
    def stamp_path(self) -> Path:
        """Where its last start is noted."""
        return self.home / "run" / f"{self.name}.stamp"

    def program(self) -> str:
        """Return its program section for the supervisor."""
        python = [str(interpreter()), "-I", "-S", str(Path(launch.__file__).resolve()), str(self.launch_path)]
        command, log = (text.replace("%", "%%") for text in (shlex.join(python), str(self.log)))
        return f"""\
[program:{self.name}]
command={command}
autostart=true
autorestart=true
startsecs=2
startretries=3
stopasgroup=true
killasgroup=true
stopsignal=TERM
stopwaitsecs={self.stop_seconds}
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes={_LOG_BYTES}
stdout_logfile_backups={_LOG_BACKUPS}
"""

    def launch(self) -> str:
        """Return its launch file: what it runs, in which version, where and with which variables."""
        marks = {
            HOME_MARK: str(self.home),
            SERVICE_MARK: self.name,
            VARIABLE: str(Workspace.of_home(self.home).root),
        }
        return json.dumps(
            {
                "command": list(self.command),
                **({"code": self.code} if self.code else {}),
                "directory": str(inside(self.home, self.directory)) if self.directory else str(self.home),
                "environment": {**self.environment, **marks},
            },
            indent=1,
            sort_keys=True,
        )

    def owned(self) -> dict[Path, tuple[str, int, bool]]:
        """Return every file that must be as declared: path -> (content, mode, whether a change needs a restart)."""
        declared = {
            inside(self.home, path): (str(file["content"]), int(file.get("mode") or 0o600), file.get("restart", True))
            for path, file in self.files.items()
        }
        return {
            self.launch_path: (self.launch(), 0o600, True),
            self.program_path: (self.program(), 0o600, True),
            **declared,
        }

    @property
    def digest(self) -> str:
        """Hash of all that needs a restart when it changes."""
        return digest({str(path): content for path, (content, _, restart) in self.owned().items() if restart})

    def edited(self) -> list[str]:
        """Name the owned files whose text on disk is not as declared, relative to the home folder."""
        return sorted(
            str(path.relative_to(self.home)) for path, (content, _, _) in self.owned().items() if read(path) != content
        )

    def edited_for_restart(self) -> bool:
        """Say whether a file that the running process started from is not as declared."""
        return any(restart and read(path) != content for path, (content, _, restart) in self.owned().items())

    def write(self) -> None:
        """Write the owned files, and the seeds that are absent; the program file last, since it names the others."""
        for relative in self.folders:
            private_folder(inside(self.home, relative))
        for name, seed in self.seeds.items():
            target = inside(self.home, name)
            if not target.exists():
                write(target, str(seed["content"]), int(seed.get("mode") or 0o600))
        owned = self.owned()
        for path, (content, mode, _) in sorted(owned.items(), key=lambda item: item[0] == self.program_path):
            write(path, content, mode)

    def stamp(self) -> dict[str, Any]:
        """Return what the last start noted: its digest and its time (`started`, seconds since 1970, as text)."""
        return read_json(self.stamp_path)

    def note_start(self) -> str:
        """Note that the running process was started from this definition; return the time."""
        started = f"{time.time():.3f}"
        write(self.stamp_path, json.dumps({"digest": self.digest, "started": started}))
        return started

    def forget(self, *, but: Definition | None = None) -> None:
        """Remove its files, or those that `but` no longer has; data that services wrote themselves stays."""
        kept = set(but.owned()) if but else set()
        for path in self.owned():
            if path not in kept:
                remove(path, self.home)
        if but is None:
            remove(self.stamp_path, self.home)
            for log in [self.log, *(Path(f"{self.log}.{number}") for number in range(1, _LOG_BACKUPS + 1))]:
                remove(log, self.home)
