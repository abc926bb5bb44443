"""The remedies, by what they mend; each policy names its own."""
