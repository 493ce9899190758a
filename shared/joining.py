"""How a node joins the network with a token file, and what proves afterwards who it is.

Joining can be begun again after any failure with the same folder: keys that were made are kept, and the nation answers
the same token with the same keys by the same certificate. The first directory is believed because it comes from the
nation whose CA the token file brings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared.channel import officer_channel, translated
from shared.durable_files import make_folder
from shared.errors import AlreadyExists, FailedPrecondition
from shared.evidence.hashing import ProofError
from shared.evidence.keys import KeyFileError, SigningKey
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import enrolment_service_pb2, enrolment_service_pb2_grpc
from shared.settings import FILE_NAME
from shared.trust.credentials import IDENTITY_FILE, Credentials
from shared.trust.enrolment import enrolment_request
from shared.trust.names import NATION, tls_host
from shared.trust.tokens import EnrolmentToken

ENROL_SECONDS: Final = 30.0
"""How long the nation may take to answer an enrolment."""


def prepare_folder(folder: Path) -> None:
    """Makes a data folder, for its owner only.

    Args:
        folder: the data folder.

    Raises:
        AlreadyExists: FOLDER_HOLDS_NODE.
    """
    if (folder / FILE_NAME).exists():
        raise AlreadyExists(f"{folder} holds a node already: serve it, or choose another folder", "FOLDER_HOLDS_NODE")
    make_folder(folder)


def make_keys(signing_key_file: Path, credentials_folder: Path, name: str) -> None:
    """Makes the keys that a folder lacks; keys that are there are kept.

    Args:
        signing_key_file: where the key for entries is kept.
        credentials_folder: where the TLS key is kept.
        name: the node.
    """
    if not signing_key_file.exists():
        SigningKey.generate().save(signing_key_file)
    make_folder(credentials_folder)
    if not (credentials_folder / IDENTITY_FILE).exists():
        Credentials.create(credentials_folder, name)


def load_signing_key(file: Path) -> SigningKey:
    """Reads the key with which a node signs entries.

    Raises:
        FailedPrecondition: KEY_UNREADABLE.
    """
    try:
        return SigningKey.load(file)
    except KeyFileError as error:
        raise FailedPrecondition(f"{error} ({file})", "KEY_UNREADABLE") from error
    except OSError as error:
        message = f"the signing key {file} cannot be read: restore it from a backup, or let its owner run the node"
        raise FailedPrecondition(message, "KEY_UNREADABLE") from error


def load_credentials(folder: Path, name: str) -> Credentials:
    """Reads a node's TLS key and certificates.

    Raises:
        FailedPrecondition: KEY_UNREADABLE, KEY_OF_ANOTHER_NODE, CREDENTIALS_DAMAGED.
    """
    try:
        credentials = Credentials.load(folder)
    except OSError as error:
        message = f"the TLS key in {folder} cannot be read: restore it from a backup, or let its owner run the node"
        raise FailedPrecondition(message, "KEY_UNREADABLE") from error
    if credentials.name != name:
        message = f"{folder} holds the TLS key of {credentials.name}, not of {name}: restore the right one"
        raise FailedPrecondition(message, "KEY_OF_ANOTHER_NODE")
    return credentials


def check_signing_key(
    view: NetworkView, name: str, key: SigningKey, mend: str = "restore the key from the backup of this folder"
) -> None:
    """Checks that the directory knows a node by the key that it holds.

    Args:
        view: the documents held.
        name: the node.
        key: the key that it signs with.
        mend: what to do where it does not.

    Raises:
        FailedPrecondition: SIGNING_KEY_UNKNOWN.
    """
    if key.verifying_key not in view.directory.keys_of(name):
        raise FailedPrecondition(f"the directory knows {name} by another signing key: {mend}", "SIGNING_KEY_UNKNOWN")


async def join_network(
    token: EnrolmentToken, secret: str, credentials: Credentials, key: SigningKey, endpoint: str, view: NetworkView
) -> None:
    """Joins the network: asks the nation, believes its documents and installs the certificate.

    Args:
        token: where to join, and as whom.
        secret: the token's secret.
        credentials: the node's TLS key, to be certified.
        key: the node's key for entries.
        endpoint: host:port of a regulator's network listener; empty for a provider.
        view: stores the nation's documents.

    Raises:
        RemoteError: the nation refused, or could not be reached.
        FailedPrecondition: the nation's answer does not prove itself.
    """
    request = enrolment_request(secret, credentials.certificate_request(), key, endpoint)
    response = await ask_to_join(token, request)
    try:
        await view.install(response.documents)
    except ProofError as error:
        raise FailedPrecondition(f"the nation's answer does not prove itself: {error}", "DOCUMENTS_WRONG") from error
    check_signing_key(view, token.node_name, key)
    credentials.install(response.certificate_chain, list(view.directory.ca_certificates))


async def ask_to_join(
    token: EnrolmentToken, request: enrolment_service_pb2.EnrolRequest
) -> enrolment_service_pb2.EnrolResponse:
    """Asks the nation that a token file names, believing no other CA than the token file's.

    Args:
        token: where to join.
        request: the request.

    Returns:
        The nation's answer.

    Raises:
        RemoteError: the nation refused, or could not be reached.
    """
    channel = officer_channel(token.endpoint, token.ca_certificate, server_name=tls_host(NATION))
    try:
        stub = enrolment_service_pb2_grpc.EnrolmentServiceStub(channel)  # type: ignore[no-untyped-call]
        response: enrolment_service_pb2.EnrolResponse = await translated(stub.Enrol(request, timeout=ENROL_SECONDS))
        return response
    finally:
        await channel.close()
