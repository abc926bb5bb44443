"""What hands graphs to the policies: Pulumi's analyzer protocol, plain Kubernetes YAML."""
