"""What was predicted, from what, by which version: on disk before the answer goes out, then in a store."""
