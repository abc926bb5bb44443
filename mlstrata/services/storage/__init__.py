"""Where models and other artifacts lie, and how they move from one place to another."""
