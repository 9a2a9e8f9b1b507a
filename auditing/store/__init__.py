"""The trail's database: records in their chain, what they are found by, and checkpoints."""
