"""The life of documents against a simple model of it."""
