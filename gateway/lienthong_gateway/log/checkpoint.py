"""Signed checkpoints: C2SP `tlog-checkpoint` in C2SP `signed-note` with Ed25519."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lienthong_core.private_keys import load_ed25519_key, private_pem
from lienthong_core.secret_files import write_secret
from lienthong_gateway.log.merkle import EMPTY_ROOT, HASH_BYTES

ORIGIN = "lienthong.sandbox.test/exchange-log"
_ED25519 = b"\x01"
_KEY_HASH_BYTES = 4


class CheckpointFault(Exception):  # noqa: N818 (names what is wrong)
    """A checkpoint is not what it should be; the message says what is wrong with it."""


@dataclass(frozen=True)
class Checkpoint:
    """How many entries the log has, and the root of their tree."""

    size: int
    root: bytes

    def text(self) -> str:
        """Return the note's text: origin, size, root."""
        return f"{ORIGIN}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


EMPTY = Checkpoint(0, EMPTY_ROOT)
"""What anybody knows of a log before seeing anything of it."""


def read_note(note: str) -> Checkpoint:
    """Return what a note says, whoever signed it; raises CheckpointFault if it is no checkpoint of this log."""
    text = note_text(note)
    try:
        _, size, root = text.split("\n")[:3]
        checkpoint = Checkpoint(int(size), base64.b64decode(root, validate=True))
    except ValueError as error:
        message = "the checkpoint is not origin, size and root"
        raise CheckpointFault(message) from error
    if len(checkpoint.root) != HASH_BYTES or not text.startswith(checkpoint.text()):
        message = f"the checkpoint is not one of {ORIGIN}"
        raise CheckpointFault(message)
    return checkpoint


def note_text(note: str) -> str:
    """Return what is signed of a note: all before the blank line that the signatures follow."""
    return note.partition("\n\n")[0] + "\n"


def note_digest(note: str) -> str:
    """Return what the next entry names a checkpoint by: SHA-256, hex, of its signed note without cosignatures."""
    return hashlib.sha256(note.encode()).hexdigest()


class VerifierKey:
    """The public key that checkpoints are checked with."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.hash = hashlib.sha256(ORIGIN.encode() + b"\n" + _ED25519 + self.raw).digest()[:_KEY_HASH_BYTES]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a C2SP verifier key, `name+hash+key`; raises CheckpointFault if it is none of this log's origin."""
        name, _, rest = text.strip().partition("+")
        key_hash, _, key = rest.partition("+")
        try:
            raw = base64.b64decode(key, validate=True)
            parsed = cls(Ed25519PublicKey.from_public_bytes(raw[1:]))
        except ValueError as error:
            # Not quoted: whoever named the wrong file may have named a private key.
            raise CheckpointFault("what was named is not a verifier key of the form name+hash+key") from error
        if name != ORIGIN or raw[:1] != _ED25519 or key_hash != parsed.hash.hex():
            message = f"{text[:80]!r} is not an Ed25519 verifier key of {ORIGIN}"
            raise CheckpointFault(message)
        return parsed

    def __str__(self) -> str:
        """Return the key as `name+hash+key`."""
        return f"{ORIGIN}+{self.hash.hex()}+{base64.b64encode(_ED25519 + self.raw).decode()}"

    def open(self, note: str) -> Checkpoint:
        """Return what a signed note says; raises CheckpointFault if it is malformed or not signed with this key."""
        text, separator, signatures = note.partition("\n\n")
        if not separator or not self._signed(f"{text}\n", signatures):
            message = "the checkpoint carries no valid signature of the log's key"
            raise CheckpointFault(message)
        return read_note(note)

    def _signed(self, text: str, signatures: str) -> bool:
        prefix = f"— {ORIGIN} "
        for line in signatures.splitlines():
            if not line.startswith(prefix):
                continue
            try:
                blob = base64.b64decode(line.removeprefix(prefix), validate=True)
                if blob[:_KEY_HASH_BYTES] == self.hash:
                    self._key.verify(blob[_KEY_HASH_BYTES:], text.encode())
                    return True
            except (ValueError, InvalidSignature):
                return False
        return False


class CheckpointKey:
    """The private key that the gateway signs checkpoints with."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = VerifierKey(key.public_key())

    @classmethod
    def create(cls) -> Self:
        """Make a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a PEM file; raises OSError if it holds no Ed25519 key."""
        return cls(load_ed25519_key(file))

    def save(self, file: Path) -> None:
        """Write a PEM file that its owner alone can read."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_secret(file, private_pem(self._key))

    def sign(self, checkpoint: Checkpoint) -> str:
        """Return the checkpoint as a signed note."""
        text = checkpoint.text()
        blob = self.verifier.hash + self._key.sign(text.encode())
        return f"{text}\n— {ORIGIN} {base64.b64encode(blob).decode()}\n"
