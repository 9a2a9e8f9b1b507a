"""Measurements: commands that print figures beside floors of the same run, never tests with a clock."""
