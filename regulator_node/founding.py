"""How a regulator's data folder comes to be: the nation is founded, a province joins with a token file.

Both can be begun again after any failure, with the same arguments: keys that were made are kept, what the nation said
is asked for again, and the settings are written last. A folder with settings is a node, and is never made over.
"""

from __future__ import annotations

from contextlib import closing

from regulator_node.log import RegisterLog
from regulator_node.nation_documents import NationDocuments
from regulator_node.own_keys import issue_own, load_authority
from regulator_node.settings import MIGRATIONS, RegulatorSettings
from shared.clock import Clock, system_clock
from shared.database import Database, open_database
from shared.durable_files import make_folder
from shared.errors import FailedPrecondition
from shared.evidence.keys import SigningKey
from shared.folder_lock import FolderLock
from shared.joining import (
    check_signing_key,
    join_network,
    load_credentials,
    load_signing_key,
    make_keys,
    prepare_folder,
)
from shared.mapping.policy import policy_to_wire
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.provisions.policy import initial_policy
from shared.trust.authority import CERTIFICATE_FILE, Authority
from shared.trust.credentials import Credentials
from shared.trust.tokens import EnrolmentToken


async def found_nation(settings: RegulatorSettings, clock: Clock = system_clock) -> None:
    """Founds the network: the CA, the first directory with the nation in it, the first policy.

    Args:
        settings: of the nation.
        clock: tells the time.

    Raises:
        AlreadyExists: the folder holds a node.
        FailedPrecondition: an earlier attempt founded the network with other settings.
    """
    prepare_folder(settings.folder)
    with closing(FolderLock(settings.folder, "data of a regulator")):
        key, credentials = _own_keys(settings)
        authority = _own_authority(settings, clock)
        database = open_database(settings.database, MIGRATIONS)
        try:
            await _state_foundation(settings, database, authority, key, clock)
            chain = await issue_own(database, authority, credentials.certificate_request(), settings, clock)
        finally:
            await database.close()
        credentials.install(chain, [authority.certificate_pem])
        settings.write()


async def join_province(
    settings: RegulatorSettings, token: EnrolmentToken, secret: str, clock: Clock = system_clock
) -> None:
    """Joins the network as a province.

    Args:
        settings: of the province, named as the token says.
        token: where to join, and as whom.
        secret: the token's secret.
        clock: tells the time.

    Raises:
        AlreadyExists: the folder holds a node.
        RemoteError: the nation refused, or could not be reached.
        FailedPrecondition: the nation's answer does not prove itself.
    """
    prepare_folder(settings.folder)
    with closing(FolderLock(settings.folder, "data of a regulator")):
        key, credentials = _own_keys(settings)
        database = open_database(settings.database, MIGRATIONS)
        try:
            view = NetworkView(database)
            await view.load()
            await join_network(token, secret, credentials, key, settings.network_endpoint, view)
            log = RegisterLog(settings.name, settings.jurisdiction, key)
            await database.write(lambda transaction: log.create(transaction, clock()))
        finally:
            await database.close()
        settings.write()


def _own_keys(settings: RegulatorSettings) -> tuple[SigningKey, Credentials]:
    make_keys(settings.signing_key_file, settings.credentials_folder, settings.name)
    credentials = load_credentials(settings.credentials_folder, settings.name)
    return load_signing_key(settings.signing_key_file), credentials


def _own_authority(settings: RegulatorSettings, clock: Clock) -> Authority:
    folder = settings.authority_folder
    if (folder / CERTIFICATE_FILE).exists():
        return load_authority(settings)
    make_folder(folder)
    return Authority.create(folder, clock())


async def _state_foundation(
    settings: RegulatorSettings, database: Database, authority: Authority, key: SigningKey, clock: Clock
) -> None:
    view = NetworkView(database)
    await view.load()
    own = directory_pb2.Node(
        name=settings.name,
        role=directory_pb2.NODE_ROLE_NATIONAL_REGULATOR,
        jurisdiction=settings.jurisdiction,
        title=settings.title,
        endpoint=settings.network_endpoint,
        state=directory_pb2.NODE_STATE_ACTIVE,
    )
    own.signing_keys.add(key_id=key.key_id, public_key=key.public_bytes).start_time.FromDatetime(clock())
    log = RegisterLog(settings.name, settings.jurisdiction, key)
    documents = NationDocuments(database, log, view, clock, on_change=lambda: None)
    await documents.found(own, authority.certificate_pem, policy_to_wire(initial_policy()))
    stated = view.directory.node(settings.name)
    if stated is None or (stated.title, stated.endpoint) != (own.title, own.endpoint):
        raise FailedPrecondition(
            f"the network was founded in {settings.folder} with another title or endpoint: give the same again",
            "FOUNDED_OTHERWISE",
        )
    check_signing_key(view, settings.name, key)
