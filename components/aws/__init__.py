"""The ground that a platform stands on in an AWS account: what `stacks/aws.py` builds, a module a concern."""
