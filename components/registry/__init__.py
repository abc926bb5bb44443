"""The registry of models: tracking, versions with lineage, artifacts."""
