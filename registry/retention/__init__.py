"""How long documents are kept: policies as data, and what follows from them. Pure: nothing is read or removed here."""

from pathlib import Path
from typing import Final

SHIPPED: Final = Path(__file__).parent / "nhs.toml"
"""The usual periods of the NHS Records Management Code, as an example to start from."""
