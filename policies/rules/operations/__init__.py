"""Rules about running a platform."""
