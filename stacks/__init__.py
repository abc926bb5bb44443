"""The Pulumi program: what an environment's file becomes on its target."""
