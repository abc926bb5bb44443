"""Local services as resources: ports, credentials, one supervisor an environment, its services and their readiness.

The module and class names of the providers in here are a contract: a checkpoint holds each provider as a pickled
reference to them.
"""
