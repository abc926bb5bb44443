"""Serves the released versions of one system: an MLServer runtime, and the settings it shares with who starts it."""
