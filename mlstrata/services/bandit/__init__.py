"""A multi-armed bandit that routes requests between versions, as a Seldon Core v1 router."""
