"""What the registry demands of a submission and what it makes of it; values in, values out."""
