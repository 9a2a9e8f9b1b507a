"""Starting the services: a supervisor, one server process for each, and the factories of their workers."""
