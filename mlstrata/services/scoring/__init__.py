"""Batch scoring on a cluster: a pod has no disk that stays, so version and output come from and go to MLflow."""
