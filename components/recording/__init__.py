"""The recorder: what was predicted, from what, by which version, and what became known of it."""
