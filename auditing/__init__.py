"""The audit record repository (ITI-20): keeps what others report, in a chain that shows every change."""
