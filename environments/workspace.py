"""Where environments and what they own live on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

VARIABLE = "MLSTRATA_WORKSPACE"
# The kernel keeps 108 bytes for a unix socket's path (104 on macOS); supervisord adds ".<pid>" while it binds.
LONGEST_SOCKET_PATH = 90


@dataclass(frozen=True)
class Workspace:
    """A folder of environments: `environments/*.yaml`, state in `.pulumi`, what runs locally in `.mlstrata`.

    Attributes:
        root: the workspace's absolute folder.
        code: the checkout the running code comes from; a workspace may be elsewhere (tests, a team's own folder).
    """

    root: Path
    code: ClassVar[Path] = Path(__file__).resolve().parent.parent

    @classmethod
    def find(cls) -> Workspace:
        """Return `$MLSTRATA_WORKSPACE`, else the nearest parent that has a Pulumi.yaml, else the checkout."""
        if named := os.environ.get(VARIABLE):
            return cls(Path(named).expanduser().resolve())
        here = Path.cwd().resolve()
        for folder in (here, *here.parents):
            if (folder / "Pulumi.yaml").is_file():
                return cls(folder)
        return cls(cls.code)

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

        Where the home's own path is too long, the socket lies in a folder of the temporary directory that is
        named after the home and the user and that only the user may enter. Nothing is created here except that
        folder.

        Raises:
            PermissionError: the folder in the temporary directory belongs to somebody else.
        """
        wanted = self.home(environment) / "run" / "supervisor.sock"
        if len(os.fsencode(wanted)) <= LONGEST_SOCKET_PATH:
            return wanted
        digest = hashlib.sha256(os.fsencode(self.home(environment))).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"mlstrata-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        # In a shared directory somebody else could have made the folder, or a link, first.
        if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise PermissionError(
                f"{folder}: the folder for the supervisor's socket is not yours alone; remove it, or set TMPDIR"
            )
        return folder / "supervisor.sock"
