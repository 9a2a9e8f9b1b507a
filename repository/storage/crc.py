"""The CRC-32 that is stored with each document and made again of every byte that is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zlib import crc32
else:
    try:
        from zlib_ng.zlib_ng import crc32
    except ImportError:  # not built for this machine: the same sum, several times slower
        from zlib import crc32

__all__ = ["crc32"]
