"""Real servers for the tests: started on free loopback ports in temporary folders, and stopped by their process id."""
