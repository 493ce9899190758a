"""A provider's licence on the wire and as the rules see it (Art. 4): the one place where both are known."""

from __future__ import annotations

from datetime import UTC

from shared.pb.filingnet.network.v1 import directory_pb2
from shared.provisions.licences import Licence, LicenceState


def licence_from_wire(message: directory_pb2.Licence) -> Licence:
    """Reads a licence."""
    return Licence(
        message.number,
        message.start_time.ToDatetime(UTC),
        message.end_time.ToDatetime(UTC),
        LicenceState(message.state),
    )


def licence_of(node: directory_pb2.Node) -> Licence | None:
    """Returns the licence of a node of the directory; None where the directory names none."""
    return licence_from_wire(node.licence) if node.HasField("licence") else None


def licence_to_wire(licence: Licence) -> directory_pb2.Licence:
    """Returns the message of a licence."""
    message = directory_pb2.Licence(number=licence.number, state=int(licence.state))  # type: ignore[arg-type]
    message.start_time.FromDatetime(licence.start_time)
    message.end_time.FromDatetime(licence.end_time)
    return message
