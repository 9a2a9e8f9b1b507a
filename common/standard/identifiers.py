"""Namespaces and well-known names (ITI TF-2x appendix V; ITI TF-3 4.2.5)."""

from typing import Final

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
LCM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
QUERY: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
XDS: Final = "urn:ihe:iti:xds-b:2007"
RMD: Final = "urn:ihe:iti:rmd:2017"
HL7_V3: Final = "urn:hl7-org:v3"
XOP: Final = "http://www.w3.org/2004/08/xop/include"

OBJECT_TYPE: Final = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"

SUBMISSION_SET_NODE: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
FOLDER_NODE: Final = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"

EMPTY_SHA1: Final = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

NHS_NUMBER: Final = "2.16.840.1.113883.2.1.4.1"
"""The assigning authority of NHS Numbers."""
