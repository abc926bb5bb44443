"""What makes somebody's own repository, says what a machine lacks for it, and what a newer version asks of it."""
