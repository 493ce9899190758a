"""What is done to a regulator's data folder while its node is stopped: joining again, recovering its log, its next key,
and accepting the nation's log from a new start.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, closing

from regulator_node import accepted_logs
from regulator_node.nation_recovery import NationRecovered, recover_nation
from regulator_node.own_keys import issue_own
from regulator_node.own_log import Recovered, recover
from regulator_node.parts import Parts, open_parts
from regulator_node.settings import RegulatorSettings
from shared.alarms import Alarms
from shared.clock import system_clock
from shared.evidence.keys import SigningKey
from shared.folder_lock import FolderLock
from shared.joining import join_network
from shared.membership import Membership
from shared.signing_keys import use_next_key
from shared.told_head import ToldHead
from shared.trust.authority import Authority
from shared.trust.names import NATION
from shared.trust.tokens import parse_token_for


async def rejoin(settings: RegulatorSettings, token_text: str) -> None:
    """Gets a new certificate for a province whose own has ended, with a token that the nation made for that.

    Args:
        settings: of the province.
        token_text: the token file's text.

    Raises:
        InvalidInput: the token is damaged, or another node's.
        RemoteError: the nation refused, or could not be reached.
        FailedPrecondition: FOLDER_IN_USE and what else keeps the node from starting.
    """
    token, secret = parse_token_for(token_text, settings.name)
    async with _opened(settings, newer_key=True) as parts:
        key = parts.register_log.key
        await join_network(token, secret, parts.credentials, key, settings.network_endpoint, parts.view)


async def recover_log(settings: RegulatorSettings) -> Recovered:
    """Brings a province's log to where the nation holds it; see `own_log.recover`.

    Raises:
        FailedPrecondition: LOG_FORKED; FOLDER_IN_USE and what else keeps the node from starting.
        RemoteError: the nation could not be reached, or refused.
    """
    async with _opened(settings, newer_key=True) as parts:
        peer = Membership(parts.view, parts.credentials).peer(NATION)
        try:
            return await recover(parts.database, parts.register_log, parts.view, peer, system_clock)
        finally:
            await peer.close()


async def recover_nations(
    settings: RegulatorSettings, without: Collection[str], *, also_forked: bool
) -> NationRecovered:
    """Puts the nation in order after an older backup of it was put back; see `nation_recovery.recover_nation`.

    Raises:
        FailedPrecondition: PROVINCE_AWAY; LOG_FORKED; FOLDER_IN_USE and what else keeps the node from starting.
    """
    async with _opened(settings, newer_key=True) as parts:
        if parts.authority is not None:
            await _certify_anew(parts, parts.authority)
        return await recover_nation(
            parts.database,
            parts.register_log,
            parts.view,
            Membership(parts.view, parts.credentials).peer,
            system_clock,
            without=without,
            also_forked=also_forked,
        )


async def accept_log(settings: RegulatorSettings, told: ToldHead) -> None:
    """Accepts the nation's log from a new start at a province; see `accepted_logs.accept_log`.

    Raises:
        FailedPrecondition: NOTHING_TO_ACCEPT; HEAD_NOT_SHOWN; FOLDER_IN_USE and what else keeps the node from starting.
        RemoteError: the nation could not be reached, or refused.
    """
    async with _opened(settings) as parts:
        peer = Membership(parts.view, parts.credentials).peer(NATION)
        try:
            alarms = Alarms(settings.folder, system_clock)
            await accepted_logs.accept_log(parts.database, parts.view, peer, alarms, settings.jurisdiction, told)
        finally:
            await peer.close()


async def use_signing_key(settings: RegulatorSettings) -> SigningKey:
    """Puts the next signing key to use; see `signing_keys.use_next_key`."""
    async with _opened(settings) as parts:
        return use_next_key(settings.signing_key_file, parts.view, settings.name)


async def _certify_anew(parts: Parts, authority: Authority) -> None:
    """Has the CA in the folder sign the nation's certificate, and trusts that CA beside those of the directory held.

    A register that was put back may be older than both: the certificate has ended, or is by a CA that no province trusts.
    """
    request = parts.credentials.certificate_request()
    chain = await issue_own(parts.database, authority, request, parts.settings, parts.trust_clock)
    others = [pem for pem in parts.view.directory.ca_certificates if pem != authority.certificate_pem]
    parts.credentials.install(chain, [*others, authority.certificate_pem])


@asynccontextmanager
async def _opened(settings: RegulatorSettings, *, newer_key: bool = False) -> AsyncIterator[Parts]:
    with closing(FolderLock(settings.folder, "data of a regulator")):
        parts = await open_parts(settings, system_clock, newer_key=newer_key)
        try:
            yield parts
        finally:
            await parts.database.close()
