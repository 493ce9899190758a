"""The short cut past protovalidate lets no request of an intake pass that protovalidate would refuse."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from regulator_node.intake_servicer import surely_kept
from shared.pb.filingnet.network.v1 import entry_pb2, intake_service_pb2
from shared.validation import field_violations

BYTES = st.sampled_from([0, 1, 63, 64, 65, 256, 257]).map(bytes)
ENTRIES = st.lists(st.sampled_from([1, 0, 65_536, 65_537]).map(bytes), max_size=3) | st.sampled_from(
    [[b"x"] * 1000, [b"x"] * 1001]
)


@given(header=BYTES, signature=BYTES, entries=ENTRIES, transfers=st.sampled_from([0, 1, -1, 64, 65]))
def test_what_passes_keeps_the_contract(header: bytes, signature: bytes, entries: list[bytes], transfers: int) -> None:
    """Both judge alike: what is refused by one is refused by the other."""
    batch = entry_pb2.SignedBatchHeader(header=header, signature=signature)
    request = intake_service_pb2.SubmitEntriesRequest(batch=batch, entries=entries, transfers=transfers)
    assert surely_kept(request) == (field_violations(request) == [])


def test_a_request_without_a_batch_does_not_pass() -> None:
    """What is not there has no length."""
    assert not surely_kept(intake_service_pb2.SubmitEntriesRequest(entries=[b"x"]))
