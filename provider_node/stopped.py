"""What is done to a provider's data folder while its node is stopped: joining again, its next key, what the nation lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from provider_node import lost_runs
from provider_node.bootstrap import Parts, open_parts
from provider_node.settings import ProviderSettings
from shared.clock import system_clock
from shared.evidence.keys import SigningKey
from shared.folder_lock import FolderLock
from shared.joining import join_network
from shared.membership import Membership
from shared.signing_keys import use_next_key
from shared.told_head import ToldHead
from shared.trust.names import NATION
from shared.trust.tokens import parse_token_for


async def rejoin(settings: ProviderSettings, token_text: str) -> None:
    """Gets a new certificate for a provider whose own has ended, with a token that the nation made for that.

    Args:
        settings: of the provider.
        token_text: the token file's text.

    Raises:
        InvalidInput: the token is damaged, or another node's.
        RemoteError: the nation refused, or could not be reached.
        FailedPrecondition: FOLDER_IN_USE and what else keeps the node from starting.
    """
    token, secret = parse_token_for(token_text, settings.name)
    async with _opened(settings) as parts:
        await join_network(token, secret, parts.credentials, parts.key, "", parts.view)


async def accept_log(settings: ProviderSettings, told: ToldHead) -> int:
    """Files again what the nation acknowledged and lost; see `lost_runs.accept_log`.

    Raises:
        FailedPrecondition: NOTHING_TO_ACCEPT; HEAD_NOT_SHOWN; FOLDER_IN_USE and what else keeps the node from starting.
        RemoteError: the nation could not be reached, or refused.
    """
    async with _opened(settings) as parts:
        peer = Membership(parts.view, parts.credentials).peer(NATION)
        try:
            return await lost_runs.accept_log(parts.database, parts.view, peer, told)
        finally:
            await peer.close()


async def use_signing_key(settings: ProviderSettings) -> SigningKey:
    """Puts the next signing key to use; see `signing_keys.use_next_key`."""
    async with _opened(settings) as parts:
        return use_next_key(settings.signing_key_file, parts.view, settings.name)


@asynccontextmanager
async def _opened(settings: ProviderSettings) -> AsyncIterator[Parts]:
    with closing(FolderLock(settings.folder, "provider node")):
        parts = await open_parts(settings, system_clock)
        try:
            yield parts
        finally:
            await parts.close()
