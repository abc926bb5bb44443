"""The catalog of an environment: what data, models and systems there are, and how one came from the other."""
