"""Keys that sign tokens and statements: ES256, named by their RFC 7638 thumbprint."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import jwt
import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from lienthong_core.private_keys import load_elliptic_curve_key, private_pem
from lienthong_core.secret_files import write_secret


class SigningKey:
    """A P-256 private key that signs JSON Web Signatures."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._public_jwk = public_jwk(key.public_key())

    @classmethod
    def create(cls) -> Self:
        """Make a new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a PEM file; raises OSError if it holds no elliptic-curve key."""
        return cls(load_elliptic_curve_key(file))

    def save(self, file: Path) -> None:
        """Write a PEM file that its owner alone can read."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_secret(file, private_pem(self._key))

    @property
    def key_id(self) -> str:
        """The key's RFC 7638 thumbprint."""
        return str(self._public_jwk["kid"])

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as it stands in a JWK set."""
        return dict(self._public_jwk)

    def sign(self, claims: Mapping[str, Any], *, token_type: str) -> str:
        """Return a compact JWS of `claims`; `token_type` becomes its `typ`."""
        return jwt.encode(dict(claims), self._key, algorithm="ES256", headers=self._headers(token_type))

    def sign_canonical(self, claims: Mapping[str, Any], *, token_type: str) -> str:
        """Return a compact JWS whose payload is the canonical JSON (RFC 8785) of `claims`: evidence that is kept.

        Raises ValueError for what canonical JSON cannot hold.
        """
        payload = rfc8785.dumps(dict(claims))
        return jwt.PyJWS().encode(payload, self._key, algorithm="ES256", headers=self._headers(token_type))

    def _headers(self, token_type: str) -> dict[str, str]:
        return {"typ": token_type, "kid": self.key_id}


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    """Return a P-256 public key as a JWK whose `kid` is its RFC 7638 thumbprint."""
    jwk: dict[str, Any] = ECAlgorithm.to_jwk(key, as_dict=True)
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(json.dumps(required, sort_keys=True, separators=(",", ":")).encode()).digest()
    kid = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {**required, "kid": kid, "alg": "ES256", "use": "sig"}
