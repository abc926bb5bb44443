"""Rules of the EU AI Act."""
