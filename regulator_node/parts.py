"""What a regulator's node is made of, opened from its data folder and checked to belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from regulator_node.log import RegisterLog
from regulator_node.own_keys import load_authority
from regulator_node.settings import MIGRATIONS, RegulatorSettings
from shared.changes import Changes
from shared.clock import Clock
from shared.database import Database, open_database
from shared.event_engine import keep_event_engine
from shared.joining import check_signing_key, load_credentials, load_signing_key
from shared.network import NetworkView
from shared.trust.authority import Authority
from shared.trust.credentials import Credentials

_MEND: Final = (
    "restore the key from the backup of this folder, or run regulator-node recover where a register older than the key was"
    " put back"
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a regulator is made of.

    Attributes:
        settings: see RegulatorSettings.
        clock: tells the time by which the provisions are judged.
        trust_clock: tells the machine's time, by which certificates and tokens are judged.
        database: the register.
        view: the documents held.
        credentials: the TLS key and certificate.
        register_log: appends to the own log.
        log_changes: told when any log in the register grew.
        authority: the CA; None at a province.
    """

    settings: RegulatorSettings
    clock: Clock
    trust_clock: Clock
    database: Database
    view: NetworkView
    credentials: Credentials
    register_log: RegisterLog
    log_changes: Changes
    authority: Authority | None


async def open_parts(
    settings: RegulatorSettings, clock: Clock, trust_clock: Clock | None = None, *, newer_key: bool = False
) -> Parts:
    """Opens the keys and the register, and checks that they belong together.

    Args:
        settings: of the node.
        clock: tells the time.
        trust_clock: tells the machine's time; None for the same.
        newer_key: whether the signing key may be newer than the directory held: one that is brought up to date next.

    Returns:
        The parts; their database is to be closed.

    Raises:
        FailedPrecondition: what is missing or does not fit, with the mend.
    """
    keep_event_engine()
    key = load_signing_key(settings.signing_key_file)
    credentials = load_credentials(settings.credentials_folder, settings.name)
    authority = load_authority(settings) if settings.is_nation else None
    database = open_database(settings.database, MIGRATIONS)
    try:
        view = NetworkView(database)
        await view.load()
        if not newer_key:
            check_signing_key(view, settings.name, key, _MEND)
        register_log = RegisterLog(settings.name, settings.jurisdiction, key)
        await database.write(lambda transaction: register_log.create(transaction, clock()))
    except BaseException:
        await database.close()
        raise
    return Parts(settings, clock, trust_clock or clock, database, view, credentials, register_log, Changes(), authority)
