"""The registry on one machine: MLflow's own server, started over a database that is whole."""
