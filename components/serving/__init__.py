"""The prediction process of one AI system."""
