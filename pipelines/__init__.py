"""Pipelines in the language of Kubeflow Pipelines v2, compiled to one file that every target runs."""
