"""Asks another node for the hashes of ranges of a log, as the contract has it (WitnessService.GetRangeRoots)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.channel import Peer, translated
from shared.evidence.hashing import UnusableProof
from shared.pb.filingnet.network.v1 import witness_service_pb2 as wire
from shared.pb.filingnet.network.v1 import witness_service_pb2_grpc

MAX_RANGES: Final = 256
"""Most ranges that one call may name."""

MAX_ENTRIES: Final = 65_536
"""Most entries out of whose bytes one call may have hashes computed."""

CALL_SECONDS: Final = 60.0
"""Deadline of a call: the entries of a whole page are read for it."""

Range = tuple[int, int]
"""First index and the index after the last."""


async def ask_roots(
    peer: Peer, ranges: Sequence[Range], *, callers_log: bool = False, from_entries: bool = False
) -> wire.GetRangeRootsResponse:
    """Asks a regulator.

    Args:
        peer: the regulator.
        ranges: subtrees of the log's tree, at most 256.
        callers_log: the caller's own log as the nation holds it, instead of the regulator's.
        from_entries: computed anew from stored bytes, instead of from what was acknowledged.

    Returns:
        The answer, with as many hashes as ranges.

    Raises:
        RemoteError: it did not answer, or refused.
        UnusableProof: it answered another number of ranges.
    """
    request = wire.GetRangeRootsRequest(
        ranges=[wire.LogRange(start=start, end=end) for start, end in ranges],
        callers_log=callers_log,
        from_entries=from_entries,
    )
    stub = peer.stub(witness_service_pb2_grpc.WitnessServiceStub)
    answer: wire.GetRangeRootsResponse = await translated(stub.GetRangeRoots(request, timeout=CALL_SECONDS))
    if len(answer.roots) != len(ranges):
        raise UnusableProof("The regulator answered another number of ranges than it was asked about; ask again.")
    return answer


async def read_roots(peer: Peer, ranges: Sequence[Range]) -> Sequence[bytes]:
    """Asks a regulator for hashes of its own log, as they were acknowledged; see `ask_roots`."""
    return (await ask_roots(peer, ranges)).roots
