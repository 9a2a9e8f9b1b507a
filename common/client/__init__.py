"""The way out over HTTP: kept-alive connections, SOAP messages sent and answers read."""
