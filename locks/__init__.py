"""Hashed locks without addresses: data of the package, read by mlstrata.environments.installation."""
