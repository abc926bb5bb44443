"""The `mlstrata` command: thin, it calls the rooms and shows what they answer."""
