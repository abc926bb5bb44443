"""Where environments and what they own live on disk."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlstrata.environments.installation import room

VARIABLE = "MLSTRATA_WORKSPACE"
PROJECT = "mlstrata"
"""What the Pulumi project of a workspace is called that names none."""
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
# The kernel keeps 108 bytes for a unix socket's path (104 on macOS); supervisord adds ".<pid>" while it binds.
LONGEST_SOCKET_PATH = 90
# Not $TMPDIR: it differs from shell to scheduler, and the socket is a declared input of everything that runs.
SHARED = Path("/tmp")  # noqa: S108 - what is made in it is refused unless it is the user's alone
_IGNORE_ALL = "# State and secrets of this machine: nothing in here is committed.\n*\n"


class WorkspaceError(Exception):
    """There is no workspace, or what makes one is not in shape; the message says what to do."""


@dataclass(frozen=True)
class Workspace:
    """A folder of environments: `environments/*.yaml`, state in `.pulumi`, what runs locally in `.mlstrata`.

    Attributes:
        root: the workspace's absolute folder.
    """

    root: Path

    @classmethod
    def find(cls) -> Workspace:
        """Return `$MLSTRATA_WORKSPACE`, else the nearest folder from here upwards that holds `environments/`.

        Raises:
            WorkspaceError: The variable names a folder without environments, or there is none up to the root.
        """
        if named := os.environ.get(VARIABLE):
            found = cls(Path(named).expanduser().resolve())
            if not found.environments.is_dir():
                raise WorkspaceError(
                    f"{VARIABLE}: got {named!r}, and there is no folder {found.environments}; name the folder that "
                    "holds environments/, or unset it"
                )
            return found
        here = Path.cwd().resolve()
        above = [cls(folder) for folder in (here, *here.parents)]
        for having in (cls._has_files, cls._has_folder):
            if nearest := next(filter(having, above), None):
                return nearest
        raise WorkspaceError(
            f"no workspace: looked for a folder environments/ in {here} and every folder above it; run this inside "
            f"your repository, set {VARIABLE} to its folder, or make one with `mlstrata init DIR`"
        )

    def environment_files(self) -> dict[str, Path]:
        """Return the file of each environment, by its name.

        Raises:
            WorkspaceError: A file there would be taken for an environment's by its ending, and is not read.
        """
        for path in sorted(self.environments.iterdir()):
            if path.suffix != ".yaml" and path.suffix.lower() in {".yaml", ".yml"}:
                right = path.with_suffix(".yaml").name
                raise WorkspaceError(f"{path}: is not read: an environment's file ends in .yaml; call it {right}")
        return {path.stem: path for path in sorted(self.environments.glob("*.yaml"))}

    def _has_files(self) -> bool:
        return any(self.environments.glob("*.yaml"))

    def _has_folder(self) -> bool:
        # A Python package of this name, such as our own where it is installed, is no folder of environments.
        return self.environments.is_dir() and not (self.environments / "__init__.py").exists()

    @classmethod
    def of_home(cls, home: Path) -> Workspace:
        """Return the workspace whose environment lives in `home`."""
        return cls(home.parents[1])

    def hand_on(self) -> None:
        """Name this workspace to the program, and to every process that this one starts from now on."""
        os.environ[VARIABLE] = str(self.root)

    @cached_property
    def project(self) -> str:
        """Return the name of the Pulumi project, which the state's path and every URN hold.

        Raises:
            WorkspaceError: Its Pulumi.yaml names none.
        """
        file = self.root / "Pulumi.yaml"
        if not file.is_file():
            return PROJECT
        found = self._project_file().get("name")
        # It is a folder of the state and a part of every URN.
        if not isinstance(found, str) or not _PROJECT.fullmatch(found):
            raise WorkspaceError(
                f"{file}: name: got {found!r}; allowed 1 to 100 letters, digits, '-', '_' and '.', starting with a "
                f"letter or digit, such as {PROJECT}"
            )
        return found

    @cached_property
    def program(self) -> Path:
        """Return the folder of the Pulumi program: its Pulumi.yaml's `main`, as under the CLI, else the installed one.

        Raises:
            WorkspaceError: Its Pulumi.yaml is not in shape.
        """
        main = self._project_file().get("main")
        folder = self.root / str(main)
        return folder if main and (folder / "__main__.py").is_file() else room("stacks")

    @property
    def names_backend(self) -> bool:
        """Say whether the workspace's Pulumi.yaml says where the state is.

        Raises:
            WorkspaceError: It is not in shape.
        """
        return "backend" in self._project_file()

    def _project_file(self) -> dict[str, object]:
        import yaml

        file = self.root / "Pulumi.yaml"
        try:
            found = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise WorkspaceError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
        if not isinstance(found, dict):
            raise WorkspaceError(f"{file}: got {type(found).__name__}; allowed a mapping with name, runtime and main")
        return found

    def keep_from_git(self) -> None:
        """Have git ignore state and secrets, from before the first of them is written."""
        for folder in (self.pulumi, self.root / ".mlstrata"):
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / ".gitignore"
            if not file.exists():
                file.write_text(_IGNORE_ALL, encoding="utf-8")

    def is_taken_by_git(self, path: Path) -> bool:
        """Say whether `git add -A` would take a file; false outside a repository and without git."""
        command = ["git", "-C", str(self.root), "check-ignore", "--quiet", str(path)]
        try:
            # 0: ignored; 1: not ignored; 128: no repository.
            return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 1
        except (OSError, subprocess.TimeoutExpired):
            return False

    @property
    def environments(self) -> Path:
        """Return the folder of the environment files."""
        return self.root / "environments"

    def environment_file(self, environment: str) -> Path:
        """Return the file that describes `environment`; it need not exist."""
        return self.environments / f"{environment}.yaml"

    def home(self, environment: str) -> Path:
        """Return the folder of everything a local environment owns: data/, run/, logs/, config/."""
        return self.root / ".mlstrata" / environment

    @property
    def pulumi(self) -> Path:
        """Return the folder of the state: Pulumi's file backend."""
        return self.root / ".pulumi"

    def socket(self, environment: str) -> Path:
        """Return the path of the supervisor's unix socket, short enough for the kernel.

        Where the home's own path is too long, the socket lies in a folder of /tmp that is named after the home and
        the user and that only the user may enter. Nothing is created here except that folder.

        Raises:
            PermissionError: the folder in /tmp belongs to somebody else.
        """
        wanted = self.home(environment) / "run" / "supervisor.sock"
        if len(os.fsencode(wanted)) <= LONGEST_SOCKET_PATH:
            return wanted
        digest = hashlib.sha256(os.fsencode(self.home(environment))).hexdigest()[:16]
        folder = SHARED / f"mlstrata-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        # In a shared directory somebody else could have made the folder, or a link, first.
        if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise PermissionError(
                f"{folder}: the folder for the supervisor's socket is not yours alone; remove it, or move "
                f"{self.root} to a shorter path"
            )
        return folder / "supervisor.sock"
