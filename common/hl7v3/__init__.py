"""Messages of HL7 v3 as XML: the only room that knows them. Nothing is read or sent here."""
