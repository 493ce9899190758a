"""A licence is the same on both sides of the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.mapping.licence import licence_from_wire, licence_of, licence_to_wire
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.provisions.licences import LicenceState
from tests.unit.provision_samples import LICENCE


@pytest.mark.parametrize("state", [state for state in LicenceState if state])
def test_licence_comes_back_as_it_went(state: LicenceState) -> None:
    """Number, times and state, to the microsecond; and the message keeps to its contract's names of the states."""
    licence = replace(LICENCE, state=state)
    message = licence_to_wire(licence)
    assert f"LICENCE_STATE_{state.name}" == directory_pb2.LicenceState.Name(message.state)
    assert licence == licence_from_wire(message) == licence_of(directory_pb2.Node(licence=message))


def test_no_licence_is_none() -> None:
    """A node without a licence has none, and not an empty one."""
    assert None is licence_of(directory_pb2.Node())
