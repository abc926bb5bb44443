"""An embedded Pulumi engine: plan, up, refresh and destroy of Python programs, in process, with no CLI.

It reads and writes the very checkpoint of Pulumi's file backend (deployment v3, passphrase secrets), so the CLI
can take over at any time. It hosts dynamic providers; resources of any other package are planned by echoing
their inputs and refused at ``up`` with the command that installs Pulumi. Names are imported on first use, so
``import engine`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.backend import Backend as Backend
    from engine.errors import Cancelled as Cancelled
    from engine.errors import CorruptCheckpoint as CorruptCheckpoint
    from engine.errors import DiskFull as DiskFull
    from engine.errors import EngineError as EngineError
    from engine.errors import ProgramFailed as ProgramFailed
    from engine.errors import Protected as Protected
    from engine.errors import StackLocked as StackLocked
    from engine.errors import StateWriteFailed as StateWriteFailed
    from engine.errors import StepsFailed as StepsFailed
    from engine.errors import Unsupported as Unsupported
    from engine.errors import WrongPassphrase as WrongPassphrase
    from engine.model import Cancellation as Cancellation
    from engine.model import Diagnostic as Diagnostic
    from engine.model import Event as Event
    from engine.model import GraphResource as GraphResource
    from engine.model import Options as Options
    from engine.model import Program as Program
    from engine.model import PropertyChange as PropertyChange
    from engine.model import Result as Result
    from engine.model import Step as Step
    from engine.model import StepFailed as StepFailed
    from engine.model import StepFinished as StepFinished
    from engine.model import StepStarted as StepStarted
    from engine.operations import destroy as destroy
    from engine.operations import outputs as outputs
    from engine.operations import preview as preview
    from engine.operations import refresh as refresh
    from engine.operations import resources as resources
    from engine.operations import up as up
    from engine.secrets import Passphrase as Passphrase
    from engine.values import UNKNOWN as UNKNOWN
    from engine.values import Secret as Secret

_HOMES = {
    "engine.backend": ("Backend",),
    "engine.errors": (
        "Cancelled",
        "CorruptCheckpoint",
        "DiskFull",
        "EngineError",
        "ProgramFailed",
        "Protected",
        "StackLocked",
        "StateWriteFailed",
        "StepsFailed",
        "Unsupported",
        "WrongPassphrase",
    ),
    "engine.model": (
        "Cancellation",
        "Diagnostic",
        "Event",
        "GraphResource",
        "Options",
        "Program",
        "PropertyChange",
        "Result",
        "Step",
        "StepFailed",
        "StepFinished",
        "StepStarted",
    ),
    "engine.operations": ("destroy", "outputs", "preview", "refresh", "resources", "up"),
    "engine.secrets": ("Passphrase",),
    "engine.values": ("UNKNOWN", "Secret"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - a list of the table above


def __getattr__(name: str) -> object:
    """Import the module that holds a public name when it is first asked for."""
    if name not in _HOME_OF:
        message = f"module 'engine' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
