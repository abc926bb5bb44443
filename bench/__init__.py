"""Measurements as ratios of things timed in the same run; nothing here is a test."""
