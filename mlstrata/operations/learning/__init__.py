"""The process that has systems learn again: it carries out operations, so it lives among them and not in services."""
