"""Where the registry keeps metadata: tables, and the statements on them."""
