"""What an environment file can say: closed, frozen models, one module a domain."""
