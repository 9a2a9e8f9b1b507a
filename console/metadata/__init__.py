"""From what a person says of a file to a DocumentEntry, and back to what a person reads."""
