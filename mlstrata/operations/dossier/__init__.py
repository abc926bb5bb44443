"""What is known of a system, for its dossier."""
