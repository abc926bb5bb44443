"""The catalog: data, features, models and systems, and how one came from the other."""
