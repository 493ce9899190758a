"""One revision of an account's filing as the register holds it, and its place in the order of pages.

Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from typing import NamedTuple

from regulator_node.register import FILED, WITHDRAWN


class Position(NamedTuple):
    """A place in the order of filings: by filed time, then jurisdiction, then log index. No two filings share one."""

    filed_time: int
    jurisdiction: str
    log_index: int


class RegisteredFiling(NamedTuple):
    """A row of the register, in the order of `tables.FILING_COLUMNS`."""

    jurisdiction: str
    log_index: int
    provider: str
    account_id: bytes
    revision: int
    display_name: str
    category: str
    subject_kind: int
    person_reference: bytes | None
    uscc: str | None
    organisation_name: str
    subject_region: str
    state: int
    filed_time: int
    effective_time: int
    superseded_time: int | None
    decided_time: int | None
    reason: str
    fields: str
    note: str

    @property
    def position(self) -> Position:
        """Where it stands in the order of pages."""
        return Position(self.filed_time, self.jurisdiction, self.log_index)

    @property
    def etag(self) -> str:
        """Changes whenever the filing is decided or another revision takes its place."""
        return etag_of(self.revision, self.state, self.decided_time)

    def known_at(self, time: int | None) -> RegisteredFiling:
        """Returns the filing without what happened to it after a time; itself where the time is None."""
        if time is None:
            return self
        filing = self
        if filing.superseded_time is not None and filing.superseded_time > time:
            filing = filing._replace(superseded_time=None)
        if filing.decided_time is not None and filing.decided_time > time and filing.state != WITHDRAWN:
            filing = filing._replace(state=FILED, decided_time=None, reason="", fields="", note="")
        return filing


def etag_of(revision: int, state: int, decided_time: int | None) -> str:
    """Returns the etag of a revision (RFC 9110, strong): all that can change of it, as numbers."""
    return f"{revision}-{state}-{decided_time or 0:x}"
