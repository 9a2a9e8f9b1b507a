"""What the command line does with what access decisions go by: files in and out, papers, explanations."""
