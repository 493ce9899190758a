"""The provider's own standing in the network: what a regulator judges its filings by, read from the directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.errors import FailedPrecondition
from shared.evidence.names import regulator_of
from shared.mapping.licence import licence_of
from shared.network import NetworkView
from shared.provisions.filings import FilingContext, ProviderState
from shared.provisions.licences import Licence
from shared.provisions.policy import Policy
from shared.provisions.provider_standing import LicenceSpan, licence_span


@dataclass(frozen=True, slots=True)
class Standing:
    """A provider as its regulator sees it.

    Attributes:
        name: the provider's node name.
        jurisdiction: GB/T 2260; its regulator is the one it files with (Art. 3).
        licence: None where the directory has none (Art. 4).
        state: whether it may take part.
        policies: in order of version.
        former: the jurisdictions that it filed in before it was transferred, oldest first (Art. 3).
    """

    name: str
    jurisdiction: str
    licence: Licence | None
    state: ProviderState
    policies: Sequence[Policy]
    former: tuple[str, ...] = ()

    @property
    def regulator(self) -> str:
        """The node name of the regulator it files with."""
        return regulator_of(self.jurisdiction)

    @property
    def left(self) -> tuple[str, ...]:
        """The node names of the regulators that it filed with before, each once, and no longer files with."""
        return tuple(dict.fromkeys(regulator_of(each) for each in self.former if each != self.jurisdiction))

    def context(self, now: datetime) -> FilingContext:
        """Returns what filings made now are judged against."""
        return FilingContext(
            licence=self.licence,
            provider_state=self.state,
            provider_jurisdiction=self.jurisdiction,
            regulator_jurisdiction=self.jurisdiction,
            policies=self.policies,
            now=now,
        )


ReadStanding = Callable[[], Standing]
"""Reads the provider's standing by the newest documents."""


def read_standing(view: NetworkView, name: str) -> Standing:
    """Reads a provider's standing from the documents a node holds.

    Args:
        view: the documents.
        name: the provider's node name.

    Raises:
        FailedPrecondition: NOT_JOINED, or NOT_IN_DIRECTORY where the nation removed it.
    """
    node = view.directory.node(name)
    if node is None:
        raise FailedPrecondition(f"the directory has no {name}: ask the nation's office why", "NOT_IN_DIRECTORY")
    former = tuple(each.jurisdiction for each in node.former_jurisdictions)
    return Standing(name, node.jurisdiction, licence_of(node), ProviderState(node.state), view.policies, former)


def own_licence(standing: ReadStanding) -> LicenceSpan:
    """Reads when the provider's own licence holds (Art. 4): never, where the directory no longer has the provider.

    Args:
        standing: reads its standing.
    """
    try:
        return licence_span(standing().licence)
    except FailedPrecondition:
        return licence_span(None)
