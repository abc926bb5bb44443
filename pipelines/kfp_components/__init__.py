"""The training pipeline's steps as components.

Each is a thin wrapper, because Kubeflow copies its source into the compiled file: it unpacks parameters, calls one
function of `mlstrata_steps` and writes its outputs. Documents whose numbers matter exactly travel as JSON text:
Kubeflow's own structures turn 1 into 1.0, which to a classifier can mean another thing.
"""
