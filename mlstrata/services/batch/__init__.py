"""Scores files and tables as a job, with the model, checks and limits that the API of a system has."""
