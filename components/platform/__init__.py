"""The place of an environment: on a local target, its ports and its supervisor."""
