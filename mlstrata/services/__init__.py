"""What runs beside the models: one folder a service, and the settings that components write for it."""
