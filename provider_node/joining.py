"""How a provider's data folder comes to be: it joins the network with the token file that the nation made for it.

Can be begun again after any failure with the same arguments; the settings are written last, and a folder that has them
holds a node and is never made over.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from provider_node.listen_tls import read_backend_ca, read_listen_certificate
from provider_node.master_key import add_master_key_version, load_master_keys
from provider_node.settings import MIGRATIONS, ProviderSettings
from provider_node.vault import open_vault
from shared.clock import Clock, system_clock
from shared.database import open_database
from shared.durable_files import PRIVATE, write_new_file
from shared.errors import InvalidInput, Violation
from shared.folder_lock import FolderLock
from shared.joining import join_network, load_credentials, load_signing_key, make_keys, prepare_folder
from shared.network import NetworkView
from shared.provisions.verification import load_verifier
from shared.trust.tokens import EnrolmentToken, make_bearer

PROVIDER = "provider/"


def provider_name(token: EnrolmentToken) -> str:
    """Returns the name of the provider that a token is for.

    Raises:
        InvalidInput: TOKEN_FOR_ANOTHER, it is for a regulator.
    """
    if not token.node_name.startswith(PROVIDER):
        mend = "use the token file that was made for a provider"
        raise InvalidInput(
            f"the token is for {token.node_name}: {mend}",
            "TOKEN_FOR_ANOTHER",
            [Violation("token_file", "TOKEN_FOR_ANOTHER", mend)],
        )
    return token.node_name


async def join_provider(
    settings: ProviderSettings, token: EnrolmentToken, secret: str, clock: Clock = system_clock
) -> None:
    """Joins the network as a provider.

    Args:
        settings: of the provider, named as the token says.
        token: where to join, and as whom.
        secret: the token's secret.
        clock: tells the time.

    Raises:
        AlreadyExists: FOLDER_HOLDS_NODE.
        RemoteError: the nation refused, or could not be reached.
        FailedPrecondition: the settings, the master key or the nation's answer cannot be used.
    """
    prepare_folder(settings.folder)
    with closing(FolderLock(settings.folder, "provider node")):
        _make_secrets(settings)
        load_verifier(settings.verifier, clock)
        settings.backend_token()
        read_backend_ca(settings, [token.ca_certificate])
        if settings.listen_certificate_file:
            read_listen_certificate(settings)
        make_keys(settings.signing_key_file, settings.credentials_folder, settings.name)
        # Whatever could not be opened later is better known now, before the token is used.
        vault = open_vault(settings.vault_folder, load_master_keys(settings.master_key_source))
        await vault.close()
        database = open_database(settings.database, MIGRATIONS, key=vault.database_key)
        try:
            view = NetworkView(database)
            await view.load()
            key = load_signing_key(settings.signing_key_file)
            credentials = load_credentials(settings.credentials_folder, settings.name)
            await join_network(token, secret, credentials, key, "", view)
        finally:
            await database.close()
        settings.write()


def _make_secrets(settings: ProviderSettings) -> None:
    if not settings.master_key:
        master_key = Path(settings.master_key_source.removeprefix("file:"))
        if not master_key.exists():
            add_master_key_version(master_key)
    if settings.backend_token_file and not Path(settings.backend_token_file).exists():
        token, _ = make_bearer()
        write_new_file(Path(settings.backend_token_file), f"{token}\n".encode("ascii"), PRIVATE)
