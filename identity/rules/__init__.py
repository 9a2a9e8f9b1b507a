"""What is decided about identifiers and persons: sentences over values, without any I/O."""
