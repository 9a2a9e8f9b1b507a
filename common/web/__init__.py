"""The way in over HTTP: bodies read within bounds, envelopes opened, answers and faults sent."""
