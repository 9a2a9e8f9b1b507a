"""The Registry's schema, step by step from the first one on."""
