"""Files on their way to the Repository: found, described, and submitted once however often it is tried."""
