"""What is kept of identifiers and persons, in SQL."""
