"""An embedded Pulumi engine: plan, up, refresh and destroy of Python programs, in process, with no CLI.

It reads and writes the very checkpoint of Pulumi's file backend (deployment v3, passphrase secrets), so the CLI
can take over at any time. It hosts dynamic providers; resources of any other package are planned by echoing
their inputs and refused at ``up`` with the command that installs Pulumi. Names are imported on first use, so
``import pulumi_embedded`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi_embedded.backend import Backend as Backend
    from pulumi_embedded.errors import Cancelled as Cancelled
    from pulumi_embedded.errors import CorruptCheckpoint as CorruptCheckpoint
    from pulumi_embedded.errors import DiskFull as DiskFull
    from pulumi_embedded.errors import EngineError as EngineError
    from pulumi_embedded.errors import ProgramFailed as ProgramFailed
    from pulumi_embedded.errors import Protected as Protected
    from pulumi_embedded.errors import StackLocked as StackLocked
    from pulumi_embedded.errors import StateWriteFailed as StateWriteFailed
    from pulumi_embedded.errors import StepsFailed as StepsFailed
    from pulumi_embedded.errors import Unsupported as Unsupported
    from pulumi_embedded.errors import WrongPassphrase as WrongPassphrase
    from pulumi_embedded.model import Cancellation as Cancellation
    from pulumi_embedded.model import Options as Options
    from pulumi_embedded.model import Program as Program
    from pulumi_embedded.operations import destroy as destroy
    from pulumi_embedded.operations import outputs as outputs
    from pulumi_embedded.operations import preview as preview
    from pulumi_embedded.operations import refresh as refresh
    from pulumi_embedded.operations import resources as resources
    from pulumi_embedded.operations import up as up
    from pulumi_embedded.passphrase import Passphrase as Passphrase
    from pulumi_embedded.types import Diagnostic as Diagnostic
    from pulumi_embedded.types import Event as Event
    from pulumi_embedded.types import GraphResource as GraphResource
    from pulumi_embedded.types import PropertyChange as PropertyChange
    from pulumi_embedded.types import Result as Result
    from pulumi_embedded.types import Step as Step
    from pulumi_embedded.types import StepFailed as StepFailed
    from pulumi_embedded.types import StepFinished as StepFinished
    from pulumi_embedded.types import StepStarted as StepStarted
    from pulumi_embedded.values import UNKNOWN as UNKNOWN
    from pulumi_embedded.values import Secret as Secret

_HOMES = {
    "pulumi_embedded.backend": ("Backend",),
    "pulumi_embedded.errors": (
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
    "pulumi_embedded.model": ("Cancellation", "Options", "Program"),
    "pulumi_embedded.operations": ("destroy", "outputs", "preview", "refresh", "resources", "up"),
    "pulumi_embedded.passphrase": ("Passphrase",),
    "pulumi_embedded.types": (
        "Diagnostic",
        "Event",
        "GraphResource",
        "PropertyChange",
        "Result",
        "Step",
        "StepFailed",
        "StepFinished",
        "StepStarted",
    ),
    "pulumi_embedded.values": ("UNKNOWN", "Secret"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - a list of the table above


def __getattr__(name: str) -> object:
    """Import the module that holds a public name when it is first asked for."""
    if name not in _HOME_OF:
        message = f"module 'pulumi_embedded' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
