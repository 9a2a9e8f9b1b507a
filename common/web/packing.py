"""Answers packed by gzip (RFC 1952) for those who take them so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import zlib
else:
    try:
        from zlib_ng import zlib_ng as zlib
    except ImportError:  # not built for this machine: the same format, twice as slow
        import zlib

_GZIP: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 2  # from here on it takes longer than a network of today needs for what it saves


def packed(data: bytes) -> bytes:
    """The data as one gzip member."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(data) + packer.flush()
