"""Clients of other people's APIs: MLflow, Kubeflow Pipelines, Kubernetes."""
