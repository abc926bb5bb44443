"""From bytes of YAML to a spec, or to every error with its place and its fix."""
