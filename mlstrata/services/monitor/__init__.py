"""What is seen in recorded predictions: drift, live quality, fairness; compared with what the model was trained on."""
