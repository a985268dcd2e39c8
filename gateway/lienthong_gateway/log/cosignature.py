"""Witnesses' cosignatures on checkpoints: C2SP `cosignature/v1` with Ed25519 (https://c2sp.org/tlog-cosignature)."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lienthong_core.private_keys import load_ed25519_key, private_pem
from lienthong_core.secret_files import write_secret
from lienthong_gateway.log.checkpoint import CheckpointFault

_COSIGNATURE_V1 = b"\x04"
_KEY_HASH_BYTES = 4
_TIME_BYTES = 8
_SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class Cosignature:
    """That a witness saw a checkpoint to be consistent with all it had seen before, and when."""

    witness: str
    time: datetime


def read_witness_keys(file: Path) -> tuple["WitnessKey", ...]:
    """Return the keys in a file, one a line; none if there is no file.

    Raises CheckpointFault for what is no key, and for two keys of one name: it is by name that cosignatures are kept.
    """
    otherwise = f"{file} does not hold verifier keys of witnesses, one a line"
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    except UnicodeDecodeError as error:
        raise CheckpointFault(f"{otherwise}: it is not UTF-8") from error
    keys: dict[str, WitnessKey] = {}
    for line in filter(str.strip, lines):
        try:
            key = WitnessKey.parse(line)
        except CheckpointFault as fault:
            raise CheckpointFault(f"{otherwise}: {fault}") from fault
        if key.name in keys:
            raise CheckpointFault(f"{file} has two keys of the name {key.name!r}; a witness has one")
        keys[key.name] = key
    return tuple(keys.values())


class WitnessKey:
    """The public key of a witness, under the name it signs with."""

    def __init__(self, name: str, key: Ed25519PublicKey) -> None:
        """Raises CheckpointFault unless the name is one that a note's signature can carry: no space, no plus."""
        if not name or "+" in name or any(character.isspace() for character in name):
            raise CheckpointFault(f"{name[:80]!r} is no name of a witness: it takes no space and no plus")
        self.name = name
        self._key = key
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self._blob = _COSIGNATURE_V1 + raw
        self.hash = hashlib.sha256(name.encode() + b"\n" + self._blob).digest()[:_KEY_HASH_BYTES]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a C2SP verifier key, `name+hash+key`; raises CheckpointFault if it is none of a witness."""
        name, _, rest = text.strip().partition("+")
        key_hash, _, encoded = rest.partition("+")
        try:
            blob = base64.b64decode(encoded, validate=True)
            parsed = cls(name, Ed25519PublicKey.from_public_bytes(blob[1:]))
        except ValueError as error:
            raise CheckpointFault(f"{text[:80]!r} is not a verifier key of the form name+hash+key") from error
        if blob[:1] != _COSIGNATURE_V1 or key_hash != parsed.hash.hex():
            raise CheckpointFault(f"{text[:80]!r} is not a witness's key for Ed25519 cosignatures (type 4)")
        return parsed

    def __str__(self) -> str:
        """Return the key as `name+hash+key`."""
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(self._blob).decode()}"

    def open(self, text: str, line: str) -> Cosignature:
        """Return what a signature line says about a note's text; raises CheckpointFault if it is not this witness's."""
        prefix = f"— {self.name} "
        try:
            blob = base64.b64decode(line.removeprefix(prefix), validate=True)
        except ValueError:
            blob = b""
        rest = blob[_KEY_HASH_BYTES:]
        if not line.startswith(prefix) or blob[:_KEY_HASH_BYTES] != self.hash:
            raise CheckpointFault(f"the line is no cosignature of {self.name}")
        if len(rest) != _TIME_BYTES + _SIGNATURE_BYTES:
            raise CheckpointFault(f"the cosignature of {self.name} has {len(rest)} bytes")
        seconds = int.from_bytes(rest[:_TIME_BYTES], "big")
        try:
            self._key.verify(rest[_TIME_BYTES:], _signed_text(seconds, text))
            return Cosignature(self.name, datetime.fromtimestamp(seconds, UTC))
        except (InvalidSignature, ValueError, OverflowError) as error:
            raise CheckpointFault(f"the cosignature of {self.name} is not about this checkpoint") from error


class CosigningKey:
    """The private key of a witness."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = WitnessKey(name, key.public_key())

    @classmethod
    def create(cls, name: str) -> Self:
        """Make a new key for a witness of that name."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, name: str, file: Path) -> Self:
        """Read a PEM file; raises OSError if it holds no Ed25519 key."""
        return cls(name, load_ed25519_key(file))

    def save(self, file: Path) -> None:
        """Write a new PEM file that its owner alone can read; raises FileExistsError rather than lose a key."""
        write_secret(file, private_pem(self._key), replace=False)

    def sign(self, text: str, time: datetime) -> str:
        """Return the signature line for a note's text, without a line break."""
        seconds = int(time.timestamp())
        signature = self._key.sign(_signed_text(seconds, text))
        blob = self.verifier.hash + seconds.to_bytes(_TIME_BYTES, "big") + signature
        return f"— {self.verifier.name} {base64.b64encode(blob).decode()}"


def _signed_text(seconds: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()
