"""Renders what Prometheus scrapes, what it alerts on and whom Alertmanager tells: from typed settings to text."""
