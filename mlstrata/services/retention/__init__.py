"""What an environment on this machine keeps, how long, and what removes the rest."""
