"""The policy pack: `pulumi preview --policy-pack policies` starts this file and talks to it."""

from mlstrata.policies.adapters.pulumi_analyzer import serve

if __name__ == "__main__":
    serve()
