"""What the standard says, as tables: written once, read by reader, writer, rules, search and manual."""
