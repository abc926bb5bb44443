"""What is declared about an AI system, and its resources beneath it."""
