"""Whether a regulator takes in what a provider sends that was transferred, or has to wait for what it does not hold yet."""

from __future__ import annotations

from dataclasses import replace

from regulator_node.register_departures import departures_held
from shared.database import Transaction
from shared.errors import Unavailable
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.provisions.filings import FilingContext
from shared.provisions.transfers import Filer, Transfers, filer_at


def transfers_of(node: directory_pb2.Node | None, known: int) -> Transfers | None:
    """Returns a provider's transfers; None where neither the directory nor the provider knows of one.

    Args:
        node: as the directory names it.
        known: how many the provider knows of.
    """
    if node is None or (not known and not node.former_jurisdictions):
        return None
    return Transfers(node.jurisdiction, tuple(former.jurisdiction for former in node.former_jurisdictions), known)


def admitted(
    transaction: Transaction, provider: str, context: FilingContext, transfers: Transfers
) -> tuple[Filer, FilingContext]:
    """Tells what a provider is to this regulator, and by what its batch is judged: what still arrives, as before.

    Args:
        transaction: the write of the batch; the caller holds the log's lock.
        provider: the sender.
        context: that the batch is judged against.
        transfers: of the provider.

    Raises:
        Unavailable: DIRECTORY_BEHIND or HISTORY_AWAITED: the batch is to be sent again.
    """
    own = context.regulator_jurisdiction
    filer = filer_at(own, transfers, departures_held(transaction, provider))
    if filer is Filer.UNHEARD:
        message = "this regulator has not heard of the transfer yet: send again once it has the newest directory"
        raise Unavailable(message, "DIRECTORY_BEHIND")
    if filer is Filer.AWAITED:
        message = f"the history of {provider} has not all come from regulator/{transfers.former[-1]}: send again"
        raise Unavailable(message, "HISTORY_AWAITED")
    if filer is Filer.LEAVING:
        context = replace(context, provider_jurisdiction=own)
    return filer, context
