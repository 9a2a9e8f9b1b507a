"""What can be seen of a running service: log, correlation, metrics and health.

Nothing is imported here, since the metrics library looks for its directory when it is imported.
"""
