"""mlstrata: one file describes an ML platform environment; its resources, releases and evidence follow from it."""
