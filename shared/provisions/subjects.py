"""The kinds of subject that stand behind a public account, as Art. 7(4) wants them counted apart."""

from __future__ import annotations

from enum import IntEnum


class SubjectKind(IntEnum):
    """The kind of a subject, with the numbers of the wire."""

    UNSPECIFIED = 0
    PERSON = 1
    PARTY_OR_GOVERNMENT = 2
    ENTERPRISE = 3
    PUBLIC_INSTITUTION = 4
    PEOPLES_ORGANISATION = 5
