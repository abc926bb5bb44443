"""What may talk to what."""
