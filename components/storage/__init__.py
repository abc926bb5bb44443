"""Where artifacts and data lie."""
