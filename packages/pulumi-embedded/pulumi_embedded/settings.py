"""Reads Pulumi.yaml and Pulumi.<stack>.yaml: configuration, and the salt that the CLI looks for there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pulumi_embedded.backend import replace_file
from pulumi_embedded.errors import EngineError, StateWriteFailed
from pulumi_embedded.model import Program
from pulumi_embedded.secrets import SecretsManager
from pulumi_embedded.types import Value

_NAMES = ("Pulumi.yaml", "Pulumi.yml")


@dataclass(frozen=True)
class Settings:
    """Configuration of a stack.

    Attributes:
        file: the stack's settings file (it need not exist).
        root: folder of Pulumi.yaml.
        config: values by full key, secrets still encrypted in ``secure``.
        secure: ciphertexts by full key.
        salt: ``encryptionsalt``, if any.
    """

    file: Path
    root: Path
    config: dict[str, str] = field(default_factory=dict)
    secure: dict[str, str] = field(default_factory=dict)
    salt: str | None = None

    def plain(self, manager: SecretsManager) -> dict[str, str]:
        """All configuration, secrets decrypted."""
        return {**self.config, **{key: manager.decrypt(sealed) for key, sealed in self.secure.items()}}


def load(program: Program) -> Settings:
    """Read a program's settings.

    Raises:
        EngineError: a file is not YAML.
    """
    folder = program.main if program.main.is_dir() else program.main.parent
    root = program.root or _project_root(folder)
    project = next((_read(root / name) for name in _NAMES if (root / name).is_file()), {})
    file = program.settings or root / str(project.get("stackConfigDir") or "") / f"Pulumi.{program.stack}.yaml"
    stack = _read(file) if file.is_file() else {}
    config: dict[str, str] = {}
    secure: dict[str, str] = {}
    for key, value in (project.get("config") or {}).items():
        given = value.get("value", value.get("default")) if isinstance(value, dict) else value
        if given is not None:
            config[_full(str(key), program.project)] = _text(given)
    for key, value in (stack.get("config") or {}).items():
        full = _full(str(key), program.project)
        if isinstance(value, dict) and set(value) == {"secure"}:
            secure[full] = str(value["secure"])
            config.pop(full, None)
        elif value is not None:
            config[full] = _text(value)
    for key, value in program.config.items():
        config[_full(key, program.project)] = value
        secure.pop(_full(key, program.project), None)
    return Settings(file, root, config, secure, stack.get("encryptionsalt"))


def save_salt(settings: Settings, salt: str) -> str | None:
    """Write the salt where the CLI looks for it; returns a warning when the file cannot be written.

    Without it the CLI would make a new salt and could not read the secrets of the state.
    """
    if settings.salt is not None:
        return None
    try:
        text = settings.file.read_text(encoding="utf-8") if settings.file.is_file() else ""
        replace_file(settings.file, f"encryptionsalt: {salt}\n{text}")
    except (OSError, StateWriteFailed) as error:
        return f"{settings.file}: cannot write encryptionsalt, which the Pulumi CLI would need ({error})"
    return None


def _project_root(folder: Path) -> Path:
    for candidate in (folder, *folder.resolve().parents):
        if any((candidate / name).is_file() for name in _NAMES):
            return candidate
    return folder


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{path}: cannot be read ({' '.join(str(error).split())})"
        raise EngineError(message) from None
    return raw if isinstance(raw, dict) else {}


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
