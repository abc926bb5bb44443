"""What ails an environment on its cluster on any day after the first, each with what to do about it."""
