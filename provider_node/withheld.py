"""What waits at this node while the provider may not file (Arts. 4 and 8(2)): accounts and labels, never a report.

Sent all the same, it would be refused by a signed rejection and stop its account until somebody sends it again by hand.
"""

from __future__ import annotations

from provider_node.standing import ReadStanding
from shared.clock import Clock
from shared.delivery.worker import Withheld
from shared.errors import FilingnetError
from shared.mapping.stated import stated_from_wire
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.licences import licence_refusal
from shared.provisions.provider_standing import ProviderState
from shared.provisions.suspension import Withholding


def withheld_now(standing: ReadStanding, clock: Clock) -> Withheld | None:
    """Says what waits at this moment, and why; None where everything may be sent.

    Args:
        standing: reads the provider's standing.
        clock: tells the time.
    """
    try:
        now = standing()
    except FilingnetError:
        # Who is not in the directory sends and is told so.
        return None
    reason = ""
    if now.state is ProviderState.SUSPENDED:
        reason = f"NODE_SUSPENDED: {now.name} is suspended and files nothing: settle the suspension with the nation"
    elif refusal := licence_refusal(now.licence, clock()):
        reason = f"{refusal.rule}: {refusal.mend}"
    if not reason:
        return None
    withholding = Withholding()
    return Withheld(reason, lambda raw: withholding.waits(stated_from_wire(entry_pb2.Entry.FromString(raw))))
