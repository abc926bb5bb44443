"""The gateway in front of the systems: typed settings, and pure renderers of Envoy's configuration."""
