"""Joining the network: what a node sends with its one-time token, and what the nation checks of it.

A node proves that it holds both of its keys: the TLS key signs the certificate request, the signing key signs the
token. Neither private key ever leaves it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.errors import InvalidInput, Violation
from shared.evidence.keys import KeyFileError, SigningKey, VerifyingKey
from shared.pb.filingnet.network.v1 import enrolment_service_pb2
from shared.trust.certificate_requests import certificate_request, check_certificate_request, requested_key

__all__ = ["build_enrolment", "certificate_request", "check_enrolment", "enrolment_request", "keys_digest"]

_PROOF_PREFIX: Final = b"filingnet enrolment v1\n"


def build_enrolment(
    secret: str, name: str, tls_key: ec.EllipticCurvePrivateKey, signing_key: SigningKey, endpoint: str
) -> enrolment_service_pb2.EnrolRequest:
    """Makes the request with which a node joins.

    Args:
        secret: the token's secret.
        name: the node.
        tls_key: its P-256 key.
        signing_key: its Ed25519 key for entries.
        endpoint: host:port of a regulator's network listener; empty for a provider.

    Raises:
        InvalidInput: NAME_WRONG, it is not a node's name.
    """
    return enrolment_request(secret, certificate_request(name, tls_key), signing_key, endpoint)


def enrolment_request(
    secret: str, csr_pem: str, signing_key: SigningKey, endpoint: str
) -> enrolment_service_pb2.EnrolRequest:
    """Makes the request with which a node joins out of a certificate request that is made already.

    Args:
        secret: the token's secret.
        csr_pem: the certificate request that the node's credentials made.
        signing_key: its Ed25519 key for entries.
        endpoint: host:port of a regulator's network listener; empty for a provider.
    """
    return enrolment_service_pb2.EnrolRequest(
        token=secret,
        certificate_request=csr_pem,
        signing_public_key=signing_key.public_bytes,
        signing_key_proof=signing_key.sign(_PROOF_PREFIX + secret.encode()),
        endpoint=endpoint,
    )


def check_enrolment(request: enrolment_service_pb2.EnrolRequest, node: str) -> None:
    """Checks a request to join against the node that its token is for.

    Args:
        request: keeps the contract's field rules.
        node: the node that the token is for.

    Raises:
        InvalidInput: the certificate request names another node, is not P-256 or is not signed by its key; the signing
            key did not sign the token; a regulator gives no endpoint, or a provider gives one.
    """
    check_certificate_request(request.certificate_request, node)
    if not _proven(request):
        raise _wrong("signing_key_proof", "SIGNING_KEY_PROOF_WRONG", "sign the token with the signing key itself")
    if node.startswith("provider/") and request.endpoint:
        raise _wrong("endpoint", "ENDPOINT_WRONG", "leave it empty: nobody calls a provider")
    if not node.startswith("provider/") and not request.endpoint:
        raise _wrong("endpoint", "ENDPOINT_WRONG", "give host:port of the network listener: others call a regulator")


def keys_digest(request: enrolment_service_pb2.EnrolRequest) -> bytes:
    """Returns what tells whether a request to join is by the same keys as another, 32 bytes.

    Requests differ each time they are signed; the keys in them do not.

    Raises:
        InvalidInput: CERTIFICATE_REQUEST_WRONG, there is no P-256 key in the certificate request.
    """
    key = requested_key(request.certificate_request)
    # The first part says its own length (DER), so that no other pair of keys has these bytes.
    tls_key = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(tls_key + request.signing_public_key).digest()


def _proven(request: enrolment_service_pb2.EnrolRequest) -> bool:
    try:
        key = VerifyingKey(request.signing_public_key)
    except KeyFileError:
        return False
    return key.verifies(request.signing_key_proof, _PROOF_PREFIX + request.token.encode())


def _wrong(field: str, reason: str, mend: str) -> InvalidInput:
    return InvalidInput(f"the request to join cannot be used: {mend}", reason, [Violation(field, reason, mend)])
