"""What a command, a page or a service asks for: typed results, nothing printed."""
