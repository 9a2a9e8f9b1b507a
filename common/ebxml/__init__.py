"""Registry objects and registry messages as XML: the only room that knows ebRIM. No I/O."""
