"""What every operation starts from: one environment's file, its folders, its state and its engine options."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.components import guests
from mlstrata.environments import EnvironmentSpec, Loaded, SystemSpec, Workspace, load_with_places
from mlstrata.environments.layers import stack_of
from mlstrata.environments.spec.base import choice
from mlstrata.files import write_private
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.state import State
    from mlstrata.operations.targets import Target


SUBSTRATE, PLATFORM = "substrate", "platform"


@dataclass(frozen=True)
class Deployment:
    """One environment; what its state records is read once, by whoever asks first.

    Attributes:
        workspace: where environments and state live.
        loaded: the environment's file, valid, with the place of each value in it.
        is_substrate: it is the ground of the environment in its cloud, a stack of its own, not the platform.
        is_alone: it is one layer of its environment, asked for by its name: operations leave the others as they are.
    """

    workspace: Workspace
    loaded: Loaded
    is_substrate: bool = False
    is_alone: bool = False

    @classmethod
    def open(cls, name: str, layer: str = "") -> Deployment:
        """Load the environment `name`; of an environment in a cloud all its layers, or one by its name.

        Raises:
            UsageError: no such environment, or no such layer of it; the message lists those there are.
            SpecErrors: the file is not a valid environment.
        """
        workspace = Workspace.find()
        workspace.hand_on()
        guests.load(workspace)
        path = workspace.environment_file(name)
        if not path.exists():
            known = workspace.environment_files()
            raise UsageError(
                f"no environment '{name}': {path} does not exist; {choice(name, known)}; write that file or name one "
                "of these"
            )
        found = cls(workspace, load_with_places(path))
        if not layer:
            return found
        known_layers = [one.layer for one in found.layers]
        if layer not in known_layers:
            raise UsageError(f"--layer: got '{layer}' of '{name}'; {choice(layer, known_layers)}")
        return replace(found, is_substrate=layer == SUBSTRATE, is_alone=True)

    @property
    def spec(self) -> EnvironmentSpec:
        """Return the environment as its file describes it."""
        return self.loaded.spec

    def reopened(self) -> Deployment:
        """Return the same environment with its state unread: for what goes on after a change of it."""
        return Deployment(self.workspace, self.loaded, self.is_substrate, self.is_alone)

    @property
    def layers(self) -> tuple[Deployment, ...]:
        """Return the stacks that an operation is about, in the order in which they are made."""
        return (self,) if self.is_alone else self.all_layers

    @property
    def all_layers(self) -> tuple[Deployment, ...]:
        """Return the stacks that the environment is made of, in that order."""
        from mlstrata.environments.spec.target import AwsTarget

        if not isinstance(self.spec.target, AwsTarget):
            return (self,)
        platform = Deployment(self.workspace, self.loaded)
        return (replace(platform, is_substrate=True), platform)

    @property
    def layer(self) -> str:
        """Return what the stack is of its environment."""
        return SUBSTRATE if self.is_substrate else PLATFORM

    @property
    def file(self) -> Path:
        """Return the environment's file."""
        return self.workspace.environment_file(self.name)

    @cached_property
    def target(self) -> Target:
        """Return what carries operations out where the environment is."""
        from mlstrata.operations.targets import target_of

        return target_of(self)

    @cached_property
    def state(self) -> State:
        """Return what the state records of the environment.

        Raises:
            CorruptCheckpoint: it is not a checkpoint.
        """
        from mlstrata.operations.state import State

        return State.read(self.backend, self.workspace.project, self.stack)

    def system(self, name: str) -> SystemSpec:
        """Return the declared system `name`.

        Raises:
            UsageError: there is none; the message lists those there are.
        """
        for system in self.spec.systems:
            if system.name == name:
                return system
        known = [system.name for system in self.spec.systems]
        raise UsageError(f"{self.file}: no system '{name}'; {choice(name, known)}")

    @property
    def name(self) -> str:
        """Return the environment's name."""
        return self.spec.name

    @property
    def stack(self) -> str:
        """Return the name of the stack."""
        return stack_of(self.name) if self.is_substrate else self.name

    @property
    def home(self) -> Path:
        """Return the folder of everything a local environment owns."""
        return self.workspace.home(self.name)

    @property
    def passphrase_file(self) -> Path:
        """Return the file that holds the passphrase of the environment's secrets."""
        return self.home / "passphrase"

    @property
    def checkpoint(self) -> Path:
        """Return the file of the environment's state."""
        return self.workspace.root / ".pulumi" / "stacks" / self.workspace.project / f"{self.stack}.json"

    @property
    def settings(self) -> Path:
        """Return the stack's settings file, which holds the salt of its secrets as under the Pulumi CLI."""
        return self.workspace.root / f"Pulumi.{self.stack}.yaml"

    @cached_property
    def backend(self) -> pulumi_embedded.Backend:
        """Return the state's backend: Pulumi's file backend in the workspace."""
        import pulumi_embedded

        return pulumi_embedded.Backend(self.workspace.root)

    @property
    def program(self) -> pulumi_embedded.Program:
        """Return the Pulumi program that the environment is made of."""
        import pulumi_embedded

        return pulumi_embedded.Program(
            project=self.workspace.project, stack=self.stack, main=self.workspace.program, settings=self.settings
        )

    def passphrase(self, *, create: bool = False) -> str:
        """Return the passphrase: from Pulumi's variables, else the environment's own file.

        Args:
            create: generate one, readable by its owner only, where there is none yet.

        Raises:
            UsageError: the file named by the variable is missing, state exists without a passphrase or the reverse,
                or git would take the one to be generated.
        """
        if "PULUMI_CONFIG_PASSPHRASE" in os.environ:
            return os.environ["PULUMI_CONFIG_PASSPHRASE"]
        if named := os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
            return _read(Path(named), "PULUMI_CONFIG_PASSPHRASE_FILE names it: correct the variable or unset it")
        if self.passphrase_file.exists():
            self._refuse_lost_state()
            return _read(self.passphrase_file, "make it readable for you")
        if self.checkpoint.exists():
            raise UsageError(
                f"{self.passphrase_file}: the passphrase of the existing state {self.checkpoint} is gone; "
                "put the file back or set PULUMI_CONFIG_PASSPHRASE"
            )
        passphrase = secrets.token_urlsafe(32)
        if create:
            self._refuse_what_git_takes(self.passphrase_file)
            write_private(self.passphrase_file, passphrase + "\n")
        return passphrase

    def options(
        self,
        *,
        create: bool = False,
        refresh: bool = False,
        on_event: Callable[[pulumi_embedded.Event], None] | None = None,
        approve: Callable[[pulumi_embedded.Result], None] | None = None,
    ) -> pulumi_embedded.Options:
        """Return the engine's options for one run."""
        import pulumi_embedded
        from mlstrata.operations.interruption import Interruption

        if create:
            self.workspace.keep_from_git()
        return pulumi_embedded.Options(
            cancel=Interruption(),
            refresh=refresh,
            passphrase=pulumi_embedded.Passphrase(self.passphrase(create=create)),
            on_event=on_event or (lambda _event: None),
            approve=approve,
        )

    def _refuse_lost_state(self) -> None:
        """Refuse to make anew what is there: its keys, certificates and passwords would be others from then on."""
        configured = self.home / "config"
        if configured.is_dir() and not self.checkpoint.exists():
            raise UsageError(
                f"{self.checkpoint}: the state of {self.name} is gone, and {configured} of it is there; put the state "
                f"back (a copy of yours, or {self.checkpoint.name}.bak beside it), or remove {self.home} to begin anew"
            )

    def _refuse_what_git_takes(self, secret: Path) -> None:
        if self.workspace.is_taken_by_git(secret):
            raise UsageError(
                f"{secret}: git would take this secret with `git add -A`; let {self.workspace.root / '.mlstrata'}"
                "/.gitignore hold `*`, and `git rm --cached` what is committed of that folder already"
            )


def _read(path: Path, fix: str) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise UsageError(f"{path}: cannot read the passphrase ({error.strerror}); {fix}") from None
