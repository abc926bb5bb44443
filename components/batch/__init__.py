"""Systems that score by schedule."""
