"""The audit trail on the command line: how it is asked, and how it is shown."""
