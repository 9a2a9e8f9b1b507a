"""The services' WSDLs and the schemas they import, as files and as they are served.

On disk they refer to each other by file name. Served at `ADDRESS?wsdl` they refer to `ADDRESS?xsd=NAME`, by a relative
URL, so that they can be read through whatever host name and proxy the reader came by.
"""

from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

WSDLS = ("identity.wsdl", "registry.wsdl", "repository.wsdl")
SCHEMAS = ("hl7v3.xsd", "lcm.xsd", "query.xsd", "rim.xsd", "rmd.xsd", "rs.xsd", "xds.xsd", "xml.xsd")
NAMES = WSDLS + SCHEMAS

_FOLDER = Path(__file__).parent
_NO_ADDRESS = b'location="urn:portolan:address"'


def document(name: str, address: str) -> bytes:
    """A file of `NAMES` in UTF-8 as served by the service at this URL; KeyError for any other name."""
    location = escape(address, {'"': "&quot;"}).encode()
    return _served(name).replace(_NO_ADDRESS, b'location="' + location + b'"')


def local_path(name: str) -> Path:
    """Where a file of `NAMES` is on disk, for readers that follow relative imports; KeyError for any other name."""
    if name not in NAMES:
        raise KeyError(name)
    return _FOLDER / name


@cache
def _served(name: str) -> bytes:
    """The file with its imports as queries to the same address."""
    return local_path(name).read_bytes().replace(b'schemaLocation="', b'schemaLocation="?xsd=')
