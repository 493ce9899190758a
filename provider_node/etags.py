"""Etags: the version of a row as a word, so that nobody overwrites what they have not seen."""

from __future__ import annotations

from shared.errors import Conflict


def etag_of(version: int) -> str:
    """Returns the etag of a row's version."""
    return f"v{version}"


def check_etag(etag: str, version: int, what: str) -> None:
    """Checks that the caller saw the newest version.

    Args:
        etag: as the caller sent it; empty to overwrite whatever there is.
        version: the row's version now.
        what: the thing, for the error's sentence.

    Raises:
        Conflict: ETAG_STALE.
    """
    if etag and etag != etag_of(version):
        raise Conflict(f"the {what} was changed since it was read: read it again, then decide", "ETAG_STALE")
