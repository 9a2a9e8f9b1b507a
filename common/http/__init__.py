"""The server of HTTP/1.1: knows framing, connections and processes, and nothing of what is served."""
