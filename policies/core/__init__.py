"""A rule, the graph it looks at, and its outcome."""
