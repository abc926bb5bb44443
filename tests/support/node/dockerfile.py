"""The images of our services by their Dockerfile's own steps over Debian's packages: no builder, no registry.

Only the instructions that the Dockerfile has are understood; another one fails the test that builds it.
"""

import copy
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.node.images import Image

ROOT = Path(__file__).parents[3]
BASE = "${PYTHON}"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine reaches the registry of packages: a build has the same way.
REACHES = re.compile(r"(?i)^(pip_index_url|pip_cert|uv_index_url|uv_default_index|ssl_cert_.*|.*_ca_bundle|.*_proxy)$")
ENTER = """
mount --bind /dev "$1/dev" && mount -t proc proc "$1/proc" && mount --bind /etc/ssl "$1/etc/ssl" &&
touch "$1/etc/resolv.conf" && mount --bind /etc/resolv.conf "$1/etc/resolv.conf" &&
mkdir -p "$1/root/.cache/uv" "$HOME/.cache/uv" && mount --bind "$HOME/.cache/uv" "$1/root/.cache/uv" || exit 1
for name in usr/share/ca-certificates usr/local/share/ca-certificates; do
  [ ! -d "/$name" ] || { mkdir -p "$1/$name" && mount --bind "/$name" "$1/$name"; } || exit 1
done
cd "$1$2" && HOME=/root exec chroot "$1" /bin/sh -c "cd $2 && $3"
"""


@dataclass
class Stage:
    """What one FROM begins.

    Attributes:
        root: Its file system; of one that installs nothing only what is copied into it.
        workdir: Where it runs commands.
        variables: What its commands see.
        settings: Of the image's configuration.
        copied: What it has of other stages.
    """

    root: Path
    workdir: str = "/"
    variables: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    copied: list[str] = field(default_factory=list)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction with its arguments."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        yield word, rest.strip()


@dataclass
class Written:
    """A stage as the Dockerfile has it.

    Attributes:
        of: What it begins with: another stage, or the base.
        lines: Its instructions.
    """

    of: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    @property
    def before(self) -> list[str]:
        """Return the stages that it needs."""
        copies = [rest.split()[0].partition("=")[2] for word, rest in self.lines if rest.startswith("--from=")]
        return [one for one in (self.of, *copies) if one != BASE]


def stages(text: str) -> dict[str, Written]:
    """Return the stages by their names; each has one."""
    found: dict[str, Written] = {}
    for word, rest in instructions(text):
        if word == "FROM":
            of, _, name = rest.partition(" AS ")
            found[name] = Written(of)
        elif found:
            list(found.values())[-1].lines.append((word, rest))
    assert "" not in found
    return found


def needed(written: Mapping[str, Written], target: str) -> list[str]:
    """Return what a stage needs, itself last."""
    found = [one for before in written[target].before for one in needed(written, before)]
    return list(dict.fromkeys([*found, target]))


def context() -> list[Path]:
    """Return the files that reach a build: .dockerignore leaves all out but what it names."""
    lines = [
        one for one in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if one[:1] not in {"", "#"}
    ]
    named = [ROOT / one[1:] for one in lines if one.startswith("!")]
    assert set(lines) - {f"!{one.relative_to(ROOT)}" for one in named} == {"*", "**/__pycache__"}
    files = [path for one in named for path in ([one] if one.is_file() else one.rglob("*")) if path.is_file()]
    return sorted(one for one in files if "__pycache__" not in one.parts)


def digest() -> str:
    """Return what changes when the image would."""
    found = hashlib.sha256()
    for path in [ROOT / "Dockerfile", ROOT / ".dockerignore", Path(__file__), *context()]:
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


class Build:
    """One build.

    Args:
        folder: An empty folder.
        base: The base's root, as a tar file.
        arguments: What `--build-arg` would be given.
    """

    def __init__(self, folder: Path, base: Path, arguments: Mapping[str, str]) -> None:
        self.folder, self.base, self.arguments = folder, base, arguments
        self.stages: dict[str, Stage] = {}

    def image(self, name: str, target: str) -> Image:
        """Build a stage that installs nothing itself, and those that it needs."""
        written = stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))
        for one in needed(written, target):
            self._build(one, written[one])
        stage = self.stages[target]
        layer = self.folder / "layer.tar"
        command = ["tar", "--create", f"--file={layer}", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]
        subprocess.run([*command, f"--directory={stage.root}", *stage.copied], check=True)
        return Image(name, [self.base, layer], {"Env": [f"PATH={PATH}"], **stage.settings})

    def _build(self, name: str, written: Written) -> None:
        stage = self.stages[name] = Stage(self.folder / name)
        stage.root.mkdir()
        installs = any(word in {"RUN", "COPY"} and "--from=" not in rest for word, rest in written.lines)
        if written.of == BASE:
            if installs:
                subprocess.run(["tar", "--extract", f"--file={self.base}", f"--directory={stage.root}"], check=True)
        else:
            before = self.stages[written.of]
            stage.workdir, stage.variables = before.workdir, dict(before.variables)
            stage.settings, stage.copied = copy.deepcopy(before.settings), list(before.copied)
            subprocess.run(["cp", "--archive", f"{before.root}/.", str(stage.root)], check=True)
        for word, rest in written.lines:
            getattr(self, f"_{word.lower()}")(stage, rest)

    def _arg(self, stage: Stage, rest: str) -> None:
        key, _, default = rest.partition("=")
        stage.variables[key] = self.arguments.get(key, default)

    def _workdir(self, stage: Stage, rest: str) -> None:
        stage.workdir = stage.settings["WorkingDir"] = rest
        (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _copy(self, stage: Stage, rest: str) -> None:
        words = rest.split()
        if words[0].startswith("--from="):
            made = self.stages[words[0].partition("=")[2]].root / words[1].lstrip("/")
            target = stage.root / words[2].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            made.rename(target)
            stage.copied.append(words[2].lstrip("/"))
            return
        source, into = words
        for path in context():
            inner = path.relative_to(ROOT)
            if source == "." or str(inner) == source:
                place = stage.root / stage.workdir.lstrip("/") / into / (inner if source == "." else inner.name)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, place)

    def _run(self, stage: Stage, rest: str) -> None:
        environ = {name: value for name, value in os.environ.items() if REACHES.match(name)}
        environ |= {"PATH": PATH, "HOME": str(Path.home()), **stage.variables}
        command = ["unshare", "--mount", "--propagation=private", "sh", "-c", ENTER, "sh"]
        done = subprocess.run(
            [*command, str(stage.root), stage.workdir, rest], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"RUN {rest}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"

    def _env(self, stage: Stage, rest: str) -> None:
        for one in shlex.split(rest):
            name, _, value = one.partition("=")
            stage.variables[name] = value
            stage.settings.setdefault("Env", []).append(one)

    def _label(self, stage: Stage, rest: str) -> None:
        for one in shlex.split(rest):
            name, _, value = one.partition("=")
            filled = re.sub(r"\$\{(\w+)\}", lambda found: stage.variables[found[1]], value)
            stage.settings.setdefault("Labels", {})[name] = filled

    def _user(self, stage: Stage, rest: str) -> None:
        stage.settings["User"] = rest

    def _entrypoint(self, stage: Stage, rest: str) -> None:
        stage.settings["Entrypoint"] = json.loads(rest)

    def _cmd(self, stage: Stage, rest: str) -> None:
        stage.settings["Cmd"] = json.loads(rest)
