"""Chains of certificates: read, written, and checked for the key and the name that they are for."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
)

from shared.errors import InvalidInput
from shared.trust.certificate_requests import UNREADABLE
from shared.trust.names import spiffe_id


def check_chain(chain: Sequence[x509.Certificate], name: str, key: ec.EllipticCurvePrivateKey) -> None:
    """Checks that a chain is for a key and a name; an empty one is.

    Args:
        chain: leaf first.
        name: the node that it must name.
        key: the key that it must certify.

    Raises:
        InvalidInput: CERTIFICATE_WRONG.
    """
    if not chain:
        return
    if chain[0].public_key() != key.public_key():
        raise unusable("it is for another key")
    try:
        names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        raise unusable("it names nobody") from None
    if names.get_values_for_type(x509.UniformResourceIdentifier) != [spiffe_id(name)]:
        raise unusable("it is for another name")


def signed_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    """Whether a CA signed a certificate."""
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def certificates_of(pems: str) -> tuple[x509.Certificate, ...]:
    """Reads certificates in PEM; raises InvalidInput CERTIFICATE_WRONG."""
    try:
        return tuple(x509.load_pem_x509_certificates(pems.encode("ascii")))
    except UNREADABLE as error:
        raise unusable("it cannot be read") from error


def pem_of(certificates: Sequence[x509.Certificate]) -> bytes:
    """Writes certificates in PEM."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def unusable(why: str) -> InvalidInput:
    """Makes the error for a certificate that cannot be used."""
    return InvalidInput(f"the certificate cannot be used, {why}: ask the nation for a new one", "CERTIFICATE_WRONG")
