"""Holds what the Registry's database says against what the Repository's store keeps, and against itself."""
