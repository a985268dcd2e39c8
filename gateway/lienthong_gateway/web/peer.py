"""A client's certificate as gRPC describes it, so that the pipeline sees no difference."""

from collections.abc import Iterable

from cryptography import x509

from lienthong_gateway.call import Peer


class Peers:
    """Reads certificates that a TLS handshake has accepted, each one once."""

    def __init__(self) -> None:
        self._known: dict[str, Peer] = {}

    def peer(self, chain: Iterable[str]) -> Peer:
        """Return what is known of the connection whose client showed `chain`, PEM; empty if it showed nothing."""
        certificate = next(iter(chain), None)
        if certificate is None:
            return {}
        if certificate not in self._known:
            # One entry a certificate of this sandbox's authority, so it stays as small as the membership is.
            self._known[certificate] = {"peer_uri": _uris(certificate), "x509_pem_cert": (certificate.encode(),)}
        return self._known[certificate]


def _uris(certificate: str) -> tuple[bytes, ...]:
    extensions = x509.load_pem_x509_certificate(certificate.encode()).extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(uri.encode() for uri in names.get_values_for_type(x509.UniformResourceIdentifier))
