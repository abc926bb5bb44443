"""Models that others made, kept as ONNX files: matched with the declared columns, and asked as our own are."""
