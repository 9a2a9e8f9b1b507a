"""The chain that records hang on, and the statements of it that are signed; plain values in and out.

A record's hash is over the hash before it, its number, its time and its bytes, so that none can be changed, taken out,
put in or moved without the hashes from there on being others. Whoever rewrites all of those is found out by a signed
checkpoint, above all by one that is kept elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

GENESIS: Final = hashlib.sha256(b"portolan audit trail 1").digest()
"""The hash before the first record."""

_NUMBERS: Final = struct.Struct(">qq")
_STATEMENT: Final = "portolan audit checkpoint 1\n"


def link(previous: bytes, number: int, received_at: int, raw: bytes) -> bytes:
    """The hash of a record; the time is in microseconds since 1970."""
    digest = hashlib.sha256(previous)
    digest.update(_NUMBERS.pack(number, received_at))
    digest.update(raw)
    return digest.digest()


class BadKey(ValueError):  # noqa: N818
    """A file that holds no key of the kind that is needed; the text says so."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement: at this time, record ``number`` had this hash."""

    number: int
    hash: bytes
    at: int
    key: str
    signature: bytes

    def line(self) -> str:
        """As one line of the file that is kept elsewhere."""
        told = {
            "number": self.number,
            "hash": self.hash.hex(),
            "at": self.at,
            "key": self.key,
            "signature": base64.b64encode(self.signature).decode("ascii"),
        }
        return json.dumps(told)

    @classmethod
    def of_line(cls, line: str) -> Checkpoint:
        """From such a line; ValueError."""
        told = json.loads(line)
        if not isinstance(told, dict):
            raise ValueError("a checkpoint is a JSON object")
        texts = [told.get(name) for name in ("hash", "key", "signature")]
        numbers = [told.get(name) for name in ("number", "at")]
        if not all(type(each) is str for each in texts) or not all(type(each) is int for each in numbers):
            raise ValueError("a checkpoint has number, hash, at, key and signature")
        (hashed, key, signature), (number, at) = map(str, texts), map(int, numbers)  # type: ignore[arg-type]
        return cls(number, bytes.fromhex(hashed), at, key, base64.b64decode(signature, validate=True))


def _stated(number: int, hashed: bytes, at: int) -> bytes:
    return f"{_STATEMENT}{number}\n{hashed.hex()}\n{at}\n".encode("ascii")


class Signer:
    """Signs checkpoints (Ed25519)."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private, self.public = private, private.public_key()
        self.witness = Witness(self.public)

    @classmethod
    def of_pem(cls, pem: bytes) -> Signer:
        """BadKey."""
        try:
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise BadKey("it holds no private key as PEM, without a password") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadKey("its key is not of Ed25519")
        return cls(key)

    def sign(self, number: int, hashed: bytes, at: int) -> Checkpoint:
        """A statement of what is now."""
        return Checkpoint(number, hashed, at, self.witness.name, self._private.sign(_stated(number, hashed, at)))


class Witness:
    """Tells whether checkpoints are those of a key, or of one of several; it needs the public halves only."""

    def __init__(self, public: Ed25519PublicKey, *others: Ed25519PublicKey) -> None:
        self._public = public
        self._keys: Final = {_name_of(key): key for key in (public, *others)}
        self.name: Final = _name_of(public)

    @classmethod
    def of_pem(cls, pem: bytes, *others: bytes) -> Witness:
        """From public keys, or from private ones; BadKey."""
        return cls(*map(_public_of, (pem, *others)))

    def knows(self, point: Checkpoint) -> bool:
        """Whether a checkpoint names one of the keys."""
        return point.key in self._keys

    def confirms(self, point: Checkpoint) -> bool:
        """Whether one of the keys signed exactly this."""
        return any(_is_signed(key, point) for key in self._keys.values())

    def pem(self) -> bytes:
        """The public key."""
        return self._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _name_of(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _public_of(pem: bytes) -> Ed25519PublicKey:
    if b"PRIVATE KEY" in pem:
        return Signer.of_pem(pem).public
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise BadKey("it holds no public key as PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey("its key is not of Ed25519")
    return key


def _is_signed(key: Ed25519PublicKey, point: Checkpoint) -> bool:
    try:
        key.verify(point.signature, _stated(point.number, point.hash, point.at))
    except InvalidSignature:
        return False
    return True


def new_key() -> tuple[bytes, bytes]:
    """A private key and its public half, as PEM."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, Signer(private).witness.pem()
