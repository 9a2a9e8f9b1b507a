"""Access in the Registry: what is known of rights and relationships, and how answers are cut down to it."""
