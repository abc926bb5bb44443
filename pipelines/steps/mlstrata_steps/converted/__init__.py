"""Models as ONNX: what a pipeline is converted to, what proves the two equal, and what reads such a file."""
