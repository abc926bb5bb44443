"""The Pulumi program: `mlstrata up` and a typed `pulumi up` both run it; add resources of your own below."""

from mlstrata.stacks.program import main

main()
