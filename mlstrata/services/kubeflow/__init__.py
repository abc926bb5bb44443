"""Training on a cluster: runs of Kubeflow Pipelines, asked for and followed from here."""
