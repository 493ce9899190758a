"""Unified social credit codes (GB 32100): the public number of an organisation, and what kinds of subject it can name.

The first character is the department that registered the organisation, the second what it registered it as. That is
enough to refuse an enterprise that is filed as a government body, and too little to tell every kind apart: where the
register leaves a choice, every kind it allows is returned.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import mul
from typing import Final

from shared.errors import InvalidInput, Violation
from shared.provisions.subjects import SubjectKind

_ALPHABET: Final = b"0123456789ABCDEFGHJKLMNPQRTUWXY"
_FORM: Final = re.compile("[1-9ANY][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
# The check character weighs 1, so that a whole code adds up to a multiple of 31.
_WEIGHTS: Final = tuple(pow(3, position, 31) for position in range(17)) + (1,)
_VALUES: Final = bytes.maketrans(_ALPHABET, bytes(range(31)))

_PARTY: Final = SubjectKind.PARTY_OR_GOVERNMENT
_ENTERPRISE: Final = SubjectKind.ENTERPRISE
_INSTITUTION: Final = SubjectKind.PUBLIC_INSTITUTION
_ORGANISATION: Final = SubjectKind.PEOPLES_ORGANISATION
_NONE: Final[frozenset[SubjectKind]] = frozenset()

# By registering department: 1 staffing commissions, 2 foreign affairs, 3 justice, 4 culture, 5 civil affairs, 6 tourism,
# 7 religious affairs, 8 trade unions, 9 market supervision, A the armed forces, N agriculture, Y others.
_BY_DEPARTMENT: Final[dict[str, frozenset[SubjectKind]]] = {
    "1": frozenset({_PARTY, _INSTITUTION, _ORGANISATION}),
    "2": frozenset({_ORGANISATION}),
    "3": frozenset({_ENTERPRISE, _INSTITUTION, _ORGANISATION}),
    "4": frozenset({_ORGANISATION}),
    "5": frozenset({_ORGANISATION}),
    "6": frozenset({_ORGANISATION}),
    "7": frozenset({_ORGANISATION}),
    "8": frozenset({_ORGANISATION}),
    "9": frozenset({_ENTERPRISE}),
    "A": frozenset({_PARTY, _INSTITUTION}),
    "N": frozenset({_ENTERPRISE, _ORGANISATION}),
    "Y": frozenset({_PARTY, _ENTERPRISE, _INSTITUTION, _ORGANISATION}),
}
# Where the second character says more: 11 organs, 12 public institutions, 13 people's organisations, 54 self-government at
# the grass roots (villages, neighbourhoods), A1 institutions of the armed forces.
_BY_PREFIX: Final[dict[str, frozenset[SubjectKind]]] = {
    "11": frozenset({_PARTY}),
    "12": frozenset({_INSTITUTION}),
    "13": frozenset({_ORGANISATION}),
    "54": frozenset({_PARTY, _ORGANISATION}),
    "A1": frozenset({_INSTITUTION}),
}


@lru_cache(maxsize=16384)
def kinds_of_uscc(text: str) -> frozenset[SubjectKind]:
    """Returns the kinds of subject that a credit code can name (GB 32100, 5.2 and 5.3).

    Args:
        text: 18 characters, capitals.

    Returns:
        The kinds, or the empty set where the form or the check character is wrong.
    """
    if _FORM.fullmatch(text) is None or sum(map(mul, text.encode().translate(_VALUES), _WEIGHTS)) % 31:
        return _NONE
    return _BY_PREFIX.get(text[:2]) or _BY_DEPARTMENT[text[0]]


def check_uscc(text: str) -> frozenset[SubjectKind]:
    """Checks a credit code (GB 32100).

    Args:
        text: 18 characters, capitals.

    Returns:
        The kinds of subject it can name; never empty.

    Raises:
        InvalidInput: USCC_WRONG with one violation that names the wrong part, never the code.
    """
    kinds = kinds_of_uscc(text)
    if kinds:
        return kinds
    if _FORM.fullmatch(text) is None:
        mend = "give 18 characters: registering department, 7 digits, then capitals and digits without I, O, S, V, Z"
    else:
        mend = "the check character does not fit; copy the code from the certificate again"
    raise InvalidInput("the credit code does not hold", "USCC_WRONG", [Violation("uscc", "USCC_WRONG", mend)])
