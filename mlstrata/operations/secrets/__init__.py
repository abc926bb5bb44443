"""The secrets that an environment on a cluster expects, and what makes them."""
