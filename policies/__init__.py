"""Policies: governance and the EU AI Act, checked on the resources that a program registers."""
