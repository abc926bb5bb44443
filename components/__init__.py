"""Pulumi components: one folder a capability, in it its arguments and one module a target."""
