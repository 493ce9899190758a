"""A provider that moves is transferred, with its history (Art. 3): which regulator takes its entries, and when.

The nation's directory says from when a provider files with another regulator. What is on its way to the old one still
arrives there, and a departure closes it: the provider's last entry in that log. The nation hands the history down, which
ends with the departure; only then does the new regulator take entries, so that nothing is judged without what it follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from shared.errors import FailedPrecondition, Violation
from shared.provisions.refusals import Refusal


class Filer(Enum):
    """What a provider is to a regulator."""

    HERE = auto()
    """It files here."""
    AWAITED = auto()
    """It files here from now on, but its history has not all come yet."""
    LEAVING = auto()
    """It files elsewhere, and what was on its way here still arrives."""
    ELSEWHERE = auto()
    """It files elsewhere."""
    UNHEARD = auto()
    """It was transferred, and this regulator's directory is too old to tell."""


@dataclass(frozen=True, slots=True)
class Transfers:
    """A provider's transfers as a directory tells of them.

    Attributes:
        jurisdiction: where it files now.
        former: where it filed before, oldest first; the place in it, from 1, is the number of the transfer.
        known: how many transfers the provider itself knows of.
    """

    jurisdiction: str
    former: tuple[str, ...] = ()
    known: int = 0


@dataclass(frozen=True, slots=True)
class DepartureRecord:
    """What a provider states last in a log: which transfer it is, and where it files from now on."""

    number: int
    to_jurisdiction: str


def filer_at(regulator: str, transfers: Transfers, departed: int) -> Filer:
    """Tells what a provider is to a regulator.

    Args:
        regulator: the regulator's jurisdiction.
        transfers: of the provider, by the regulator's directory.
        departed: the number of the newest departure of the provider that the regulator holds; 0 for none.
    """
    made = len(transfers.former)
    if transfers.known > made:
        return Filer.UNHEARD
    if transfers.jurisdiction == regulator:
        return Filer.HERE if departed >= made else Filer.AWAITED
    if made and transfers.former[-1] == regulator and departed < made:
        return Filer.LEAVING
    return Filer.ELSEWHERE


def judge_departure(record: DepartureRecord, transfers: Transfers, filer: Filer) -> Refusal | None:
    """Judges a departure: it closes the newest transfer, at the regulator that the provider leaves.

    Returns:
        None where it may enter the log, else DEPARTURE_WRONG.
    """
    if (
        filer is Filer.LEAVING
        and record.number == len(transfers.former)
        and record.to_jurisdiction == transfers.jurisdiction
    ):
        return None
    mend = "depart from the regulator that the directory names last, for the jurisdiction that it names now"
    return Refusal("DEPARTURE_WRONG", (Violation("departure", "DEPARTURE_WRONG", mend),))


def check_transfer(name: str, here: str, to: str, former: Sequence[str], departed: int) -> None:
    """Checks that the nation may transfer a provider.

    Args:
        name: the provider's node name.
        here: where it files now.
        to: where it is to file.
        former: where it filed before.
        departed: the number of the newest departure of the provider that the nation holds; 0 for none.

    Raises:
        FailedPrecondition: FILES_THERE_ALREADY; PROVIDER_MOVES, the transfer before is not complete.
    """
    if to == here:
        raise FailedPrecondition(
            f"{name} files with regulator/{to} already: there is nothing to do", "FILES_THERE_ALREADY"
        )
    if departed < len(former):
        raise FailedPrecondition(
            f"{name} is still on its way from regulator/{former[-1]}: try again once its departure from there has arrived",
            "PROVIDER_MOVES",
        )
