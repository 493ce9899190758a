"""What the nation alone holds: the CA, by which it also certifies itself.

It lies in the data folder, readable by its owner only. What is missing or damaged is named, with the mend.
"""

from __future__ import annotations

from datetime import timedelta

from regulator_node.enrolments import OfficeSettings
from regulator_node.issued_certificates import record_certificate
from regulator_node.settings import RegulatorSettings
from shared.clock import Clock
from shared.database import Database
from shared.errors import FailedPrecondition
from shared.trust.authority import Authority
from shared.trust.authority_files import load_authority_in_use


def load_authority(settings: RegulatorSettings) -> Authority:
    """Reads the nation's CA.

    Raises:
        FailedPrecondition: KEY_UNREADABLE.
    """
    folder = settings.authority_folder
    try:
        return load_authority_in_use(folder)
    except OSError as error:
        message = f"the CA in {folder} cannot be read: restore it from a backup, or let its owner run the node"
        raise FailedPrecondition(message, "KEY_UNREADABLE") from error


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
    await database.write(lambda transaction: record_certificate(transaction, issued, now))
    return issued.chain_pem
