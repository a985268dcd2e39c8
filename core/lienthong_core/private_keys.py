"""Private keys as PEM, the form in which they are kept in files."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key


def private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as PEM (PKCS 8), without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_ed25519_key(file: Path) -> Ed25519PrivateKey:
    """Return the key of a PEM file; raises OSError if it holds none of this kind that can be read."""
    key = _load(file)
    if not isinstance(key, Ed25519PrivateKey):
        raise OSError(f"{file} holds another kind of private key than Ed25519")
    return key


def load_elliptic_curve_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key of a PEM file; raises OSError if it holds none of this kind that can be read."""
    key = _load(file)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise OSError(f"{file} holds another kind of private key than an elliptic curve's")
    return key


def _load(file: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(file.read_bytes(), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise OSError(f"{file} does not hold a private key in PEM that can be read") from error
