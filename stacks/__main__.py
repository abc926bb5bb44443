"""The program: builds the environment that the stack is named after, under the Pulumi CLI and the embedded engine."""

import pulumi

from mlstrata.environments import SpecErrors
from mlstrata.stacks.program import build

try:
    build(pulumi.get_stack())
except SpecErrors as errors:
    # A mistake in the file is the user's to mend: the message alone, no traceback.
    raise pulumi.RunError(str(errors)) from None
