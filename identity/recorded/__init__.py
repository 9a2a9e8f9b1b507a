"""Recorded responses of nobody who exists: a stand-in for the national record, for tests and first runs."""
