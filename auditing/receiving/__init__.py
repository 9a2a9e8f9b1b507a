"""Syslog comes in (ITI-20): frames, connections, and what keeps records in groups."""
