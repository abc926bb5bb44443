"""The program: builds the environment that the stack is named after, under the Pulumi CLI and the embedded engine."""

from mlstrata.stacks.program import main

main()
