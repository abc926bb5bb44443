"""The whole learning loop, run once and told as it happens: traffic, drift, alert, training, rollout."""
