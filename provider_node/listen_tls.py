"""TLS of a local API on host:port: which certificate the node shows there, and by which CA it knows its backends.

The certificate is the node's own of the network, or one by the provider's own CA; either is used anew by the next
handshake after it was renewed. The CA of the backends is the provider's own and never the network's: else each node and
each officer of the network could read identities.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from provider_node.settings import ProviderSettings
from shared.errors import FailedPrecondition
from shared.trust.certificate_requests import UNREADABLE
from shared.trust.credentials import Credentials
from shared.trust.key_files import read_private_file

Pair = tuple[bytes, bytes]
"""Private key and certificate chain in PEM."""

log = structlog.get_logger(__name__)


def read_backend_ca(settings: ProviderSettings, network_cas: Sequence[str]) -> str:
    """Reads the certificates of the CA by which the node knows its backends.

    Args:
        settings: name its file.
        network_cas: PEM of the network's own CAs.

    Returns:
        PEM; empty where backends are known otherwise.

    Raises:
        FailedPrecondition: BACKEND_CA_WRONG; BACKEND_CA_OF_NETWORK, it is the network's own.
    """
    if not settings.backend_ca_file:
        return ""
    path = Path(settings.backend_ca_file)
    try:
        text = path.read_text("ascii")
        found = x509.load_pem_x509_certificates(text.encode())
        authorities = [each for each in found if _is_authority(each)]
    except (OSError, *UNREADABLE) as error:
        message = f"the backends' CA {path} cannot be read ({type(error).__name__}): write its certificate there in PEM"
        raise FailedPrecondition(message, "BACKEND_CA_WRONG") from None
    if found != authorities:
        message = f"{path} holds a certificate that may sign none: put that of the backends' CA there"
        raise FailedPrecondition(message, "BACKEND_CA_WRONG")
    known = [x509.load_pem_x509_certificate(each.encode()).public_key() for each in network_cas]
    if any(each.public_key() in known for each in found):
        message = f"{path} is the CA of the network, whose members are no backends: use a CA of the provider's own"
        raise FailedPrecondition(message, "BACKEND_CA_OF_NETWORK")
    return text


def listener_credentials(
    settings: ProviderSettings, own: Credentials, backend_ca: str
) -> grpc.ServerCredentials | None:
    """Returns the credentials of the local API.

    Args:
        settings: say whether it speaks TLS, and with which certificate.
        own: the node's, of the network.
        backend_ca: as `read_backend_ca` returns it; with it, whoever shows no certificate of that CA is not let in.

    Returns:
        Credentials that use what is newest at each handshake; None where there is no TLS.

    Raises:
        FailedPrecondition: LISTEN_CERTIFICATE_WRONG.
    """
    if not settings.speaks_tls:
        return None
    if not settings.listen_certificate_file:
        return own.server_credentials(require_client=bool(backend_ca), client_ca=backend_ca)
    handed = read_listen_certificate(settings)

    def configuration(pair: Pair) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([pair], backend_ca.encode() or None)

    def newest() -> grpc.ServerCertificateConfiguration | None:
        nonlocal handed
        try:
            found = read_listen_certificate(settings)
        except FailedPrecondition as error:
            # Half renewed, or gone: the one in use still serves, and the next handshake looks again.
            log.warning("listen_certificate_unusable", reason=error.reason)
            return None
        if found == handed:
            return None
        handed = found
        return configuration(found)

    return grpc.dynamic_ssl_server_credentials(configuration(handed), newest, bool(backend_ca))


def read_listen_certificate(settings: ProviderSettings) -> Pair:
    """Reads the provider's own certificate for the local API, with its key.

    Raises:
        FailedPrecondition: LISTEN_CERTIFICATE_WRONG, KEY_FILE_OPEN, KEY_FILE_MISSING.
    """
    path, key_path = Path(settings.listen_certificate_file), Path(settings.listen_key_file)
    try:
        key_pem, chain_pem = read_private_file(key_path), path.read_bytes()
        key = load_pem_private_key(key_pem, password=None)
        fits = x509.load_pem_x509_certificates(chain_pem)[0].public_key() == key.public_key()
    except (OSError, TypeError, *UNREADABLE) as error:
        message = (
            f"{path} or {key_path} cannot be read ({type(error).__name__}): write certificate and key there in PEM"
        )
        raise FailedPrecondition(message, "LISTEN_CERTIFICATE_WRONG") from None
    if not fits:
        message = f"the key in {key_path} is not that of the first certificate in {path}: put the right one there"
        raise FailedPrecondition(message, "LISTEN_CERTIFICATE_WRONG")
    return key_pem, chain_pem


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False
