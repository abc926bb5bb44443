"""When a system learns again by itself: the alerts that ask for it, what bounds it, and what became of each."""
