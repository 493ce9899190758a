"""PKCS #10 requests: what a node or an officer sends to be certified, and what is believed of it.

Of a request only its public key is taken, and only after the key signed it: every name in a certificate comes from the
authority. The request still has to name its SPIFFE ID, so that a request made for one node never serves another.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from shared.errors import InvalidInput, Violation
from shared.trust.names import spiffe_id

MAX_REQUEST_BYTES: Final = 8192
"""Longest request that is read, in bytes of PEM."""

UNREADABLE: Final = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What is raised for a request or a certificate that cannot be read."""


def certificate_request(name: str, tls_key: ec.EllipticCurvePrivateKey) -> str:
    """Makes a request for a certificate.

    Args:
        name: the node, or the officer's post.
        tls_key: its P-256 key, which signs the request.

    Returns:
        PEM.

    Raises:
        InvalidInput: NAME_WRONG, the name is that of neither.
    """
    alternative_names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id(name))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.add_extension(alternative_names, critical=True).sign(tls_key, SHA256())
    return request.public_bytes(Encoding.PEM).decode("ascii")


def requested_key(csr_pem: str) -> ec.EllipticCurvePublicKey:
    """Returns the public key in a request, whatever it names.

    Args:
        csr_pem: PEM, at most 8,192 bytes.

    Raises:
        InvalidInput: CERTIFICATE_REQUEST_WRONG, it cannot be read or its key is not P-256.
    """
    return _key(_parse(csr_pem))


def check_certificate_request(csr_pem: str, name: str) -> ec.EllipticCurvePublicKey:
    """Checks that a request is for one name and that whoever made it holds the key.

    Args:
        csr_pem: PEM, at most 8,192 bytes.
        name: the node or the officer's post that it has to name.

    Returns:
        The public key to certify.

    Raises:
        InvalidInput: CERTIFICATE_REQUEST_WRONG, saying what to correct; NAME_WRONG, the name itself is malformed.
    """
    request = _parse(csr_pem)
    key = _key(request)
    if not _signature_holds(request):
        raise _wrong("sign the request with the key that is in it, by SHA-256")
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        uris = []
    if uris != [spiffe_id(name)]:
        raise _wrong(f"name exactly one URI in the request, {spiffe_id(name)}")
    return key


def _parse(csr_pem: str) -> x509.CertificateSigningRequest:
    try:
        pem = csr_pem.encode("ascii")
        if len(pem) > MAX_REQUEST_BYTES:
            raise _wrong("send a request of at most 8,192 bytes")
        return x509.load_pem_x509_csr(pem)
    except UNREADABLE as error:
        raise _wrong("send a PKCS #10 request in PEM") from error


def _key(request: x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    try:
        key = request.public_key()
    except UNREADABLE as error:
        raise _wrong("use a P-256 key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _wrong("use a P-256 key")
    return key


def _signature_holds(request: x509.CertificateSigningRequest) -> bool:
    try:
        return isinstance(request.signature_hash_algorithm, SHA256) and request.is_signature_valid
    except UNREADABLE:
        return False


def _wrong(mend: str) -> InvalidInput:
    reason = "CERTIFICATE_REQUEST_WRONG"
    return InvalidInput(
        f"the certificate request cannot be used: {mend}", reason, [Violation("certificate_request", reason, mend)]
    )
