"""An environment's objects as files."""
