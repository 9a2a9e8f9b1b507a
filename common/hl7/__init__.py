"""Values of HL7 version 2 as document sharing metadata carries them; no I/O."""
