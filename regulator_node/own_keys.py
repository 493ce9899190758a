"""What proves who this regulator is: its signing key, its TLS key with the certificate, and at the nation the CA.

All of it lies in the data folder, readable by its owner only. What is missing or damaged is named, with the mend.
"""

from __future__ import annotations

from datetime import timedelta

from regulator_node.national import OfficeSettings
from regulator_node.settings import RegulatorSettings
from shared.clock import Clock, micros
from shared.database import Database
from shared.errors import FailedPrecondition
from shared.evidence.keys import KeyFileError, SigningKey
from shared.network import NetworkView
from shared.trust.authority import Authority
from shared.trust.credentials import Credentials


def load_signing_key(settings: RegulatorSettings) -> SigningKey:
    """Reads the signing key.

    Args:
        settings: say where it is.

    Returns:
        The key.

    Raises:
        FailedPrecondition: KEY_UNREADABLE.
    """
    file = settings.signing_key_file
    try:
        return SigningKey.load(file)
    except KeyFileError as error:
        raise FailedPrecondition(f"{error} ({file})", "KEY_UNREADABLE") from error
    except OSError as error:
        message = f"the signing key {file} cannot be read: restore it from a backup, or let its owner run the node"
        raise FailedPrecondition(message, "KEY_UNREADABLE") from error


def load_credentials(settings: RegulatorSettings) -> Credentials:
    """Reads the TLS key and the certificates.

    Raises:
        FailedPrecondition: KEY_UNREADABLE, KEY_OF_ANOTHER_NODE.
    """
    folder = settings.credentials_folder
    try:
        credentials = Credentials.load(folder)
    except OSError as error:
        message = f"the TLS key in {folder} cannot be read: restore it from a backup, or let its owner run the node"
        raise FailedPrecondition(message, "KEY_UNREADABLE") from error
    if credentials.name != settings.name:
        message = f"{folder} holds the TLS key of {credentials.name}, not of {settings.name}: restore the right one"
        raise FailedPrecondition(message, "KEY_OF_ANOTHER_NODE")
    return credentials


def load_authority(settings: RegulatorSettings) -> Authority:
    """Reads the nation's CA.

    Raises:
        FailedPrecondition: KEY_UNREADABLE.
    """
    folder = settings.authority_folder
    try:
        return Authority.load(folder)
    except OSError as error:
        message = f"the CA in {folder} cannot be read: restore it from a backup, or let its owner run the node"
        raise FailedPrecondition(message, "KEY_UNREADABLE") from error


def check_signing_key(view: NetworkView, name: str, key: SigningKey) -> None:
    """Checks that the directory knows a node by the key that it holds.

    Args:
        view: the documents held.
        name: the node.
        key: its key.

    Raises:
        FailedPrecondition: SIGNING_KEY_UNKNOWN.
    """
    if key.verifying_key not in view.directory.keys_of(name):
        raise FailedPrecondition(
            f"the directory knows {name} by another signing key: restore signing.pem from the backup",
            "SIGNING_KEY_UNKNOWN",
        )


def office_settings(settings: RegulatorSettings) -> OfficeSettings:
    """Returns what the national office is set to."""
    return OfficeSettings(settings.public_endpoint, timedelta(hours=settings.certificate_lifetime_hours))


async def issue_own(
    database: Database, authority: Authority, request: str, settings: RegulatorSettings, clock: Clock
) -> str:
    """Signs the nation's own certificate with its own CA, for the hosts of both of its endpoints, and records it.

    Args:
        database: the register.
        authority: the CA.
        request: PKCS #10 in PEM that names the nation.
        settings: of the nation.
        clock: tells the time.

    Returns:
        The chain in PEM.
    """
    now = clock()
    lifetime = timedelta(hours=settings.certificate_lifetime_hours)
    issued = authority.sign_request(request, settings.name, lifetime, now, extra_hosts=settings.hosts)
    await database.write(
        lambda transaction: transaction.execute(
            "INSERT INTO certificate (serial_number, name, issue_time, expire_time) VALUES (?, ?, ?, ?)",
            (issued.serial_number, issued.name, micros(now), micros(issued.expire_time)),
        )
    )
    return issued.chain_pem
