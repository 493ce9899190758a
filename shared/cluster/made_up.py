"""Made-up subjects for demos, tests and benchmarks: valid in form, and nobody's.

A made-up person is born before 1900, so that no living person carries the number, and is called by a number
("样例一号", sample one) instead of a name. Credit codes, licence numbers and telephone numbers are computed from the
number as well. Everything is the same on every run.
"""

from __future__ import annotations

import datetime
from typing import Final

from shared.provisions.identity_numbers import check_character
from shared.provisions.regions import NATION
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import OrganisationIdentity, PersonIdentity

_NUMERALS: Final = str.maketrans("0123456789", "〇一二三四五六七八九")
_FIRST_BIRTH: Final = datetime.date(1850, 1, 1)
_BIRTH_DAYS: Final = (datetime.date(1900, 1, 1) - _FIRST_BIRTH).days
_SEQUENCES: Final = 1000
_PHONES: Final = 10_000
_ORGANISATIONS: Final = 1_000_000
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODE_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_REGISTERED_AS: Final = {
    SubjectKind.PARTY_OR_GOVERNMENT: "11",
    SubjectKind.PUBLIC_INSTITUTION: "12",
    SubjectKind.PEOPLES_ORGANISATION: "13",
    SubjectKind.ENTERPRISE: "91",
}


def person(number: int, region: str = "110000") -> PersonIdentity:
    """Makes up a person.

    Args:
        number: which one, from 1; the same number is the same person, other numbers below 18 million are others.
        region: GB/T 2260 province of the identity card; the nation issues none, so 100000 stands for Beijing.

    Returns:
        A name that says it is a sample, an identity number of somebody born before 1900, and a mobile number.
    """
    day = _FIRST_BIRTH + datetime.timedelta(days=number % _BIRTH_DAYS)
    province = "11" if region == NATION else region[:2]
    digits = f"{province}0101{day:%Y%m%d}{number // _BIRTH_DAYS % _SEQUENCES:03d}"
    return PersonIdentity(
        real_name=f"样例{str(number).translate(_NUMERALS)}号",
        id_number=digits + check_character(digits),
        phone=f"1390000{number % _PHONES:04d}",
    )


def organisation(number: int, name: str, kind: SubjectKind, region: str) -> OrganisationIdentity:
    """Makes up the identity of an organisation: its name is given, its credit code and its operator are made up.

    Args:
        number: which one, from 1.
        name: its public name.
        kind: any kind of subject but a person.
        region: GB/T 2260 province, or 100000 for the nation.

    Returns:
        The identity; its operator is the made-up person of the same number.
    """
    return OrganisationIdentity(
        organisation_name=name, uscc=credit_code(number, kind, region), operator=person(number, region)
    )


def credit_code(number: int, kind: SubjectKind, region: str) -> str:
    """Makes up a unified social credit code (GB 32100) with both of its check characters right.

    Args:
        number: which one, from 0 to 999,999.
        kind: decides the department that would have registered it.
        region: GB/T 2260 province, or 100000 for the nation.

    Returns:
        18 characters.
    """
    code = f"YY{number % _ORGANISATIONS:06d}"
    body = _REGISTERED_AS[kind] + region + code + code_check_character(code)
    total = sum(_ALPHABET.index(character) * pow(3, place, 31) for place, character in enumerate(body))
    return body + _ALPHABET[-total % 31]


def code_check_character(code: str) -> str:
    """Returns the check character of an organisation code of 8 characters (GB 11714, MOD 11)."""
    # The organisation code has its own alphabet of 36, in which a letter counts from A as 10 on.
    total = sum(int(character, 36) * weight for character, weight in zip(code, _CODE_WEIGHTS, strict=True))
    return "0123456789X"[-total % 11]


def licence_number(region: str, serial: int, licence_class: int = 3, year: int = 2019) -> str:
    """Makes up the number of an internet news information service licence.

    Args:
        region: GB/T 2260 province that would have issued it, or 100000 for the nation.
        serial: from 0 to 9999.
        licence_class: 1 publish, 2 reprint, 3 platform.
        year: of issue.

    Returns:
        11 digits.
    """
    return f"{region[:2]}{licence_class}{year:04d}{serial:04d}"
