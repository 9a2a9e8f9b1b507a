"""SOAP 1.2, WS-Addressing and MTOM as pure codecs: bytes and values in, bytes, values or events out; no I/O."""
