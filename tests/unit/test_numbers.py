"""Numbers with a grammar of their own: identity numbers, credit codes, licences, regions. All made up."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.provisions.credit_codes import check_uscc, kinds_of_uscc
from shared.provisions.identity_numbers import check_character, check_id_number, is_id_number
from shared.provisions.licences import LicenceClass, parse_licence_number
from shared.provisions.regions import PROVINCES, region_of
from shared.provisions.subjects import SubjectKind

# A made-up person is born before 1900, so that the number can be nobody's.
BODY = "33010618850101001"


def made_up(body: str) -> str:
    """Completes 17 digits with their check character."""
    return body + check_character(body)


@pytest.mark.parametrize(
    ("body", "region", "foreign"),
    [
        (BODY, "330000", False),
        ("81000018850101001", "810000", False),
        ("82000018850101001", "820000", False),
        ("83000018850101001", "710000", False),
        ("93315618850101001", "330000", True),
    ],
)
def test_art_6_1_every_family_of_numbers(body: str, region: str, foreign: bool) -> None:
    """Art. 6(1): cards of residents, permits 81 to 83 and permanent residence cards are read alike."""
    read = check_id_number(made_up(body))
    assert (region, foreign, datetime.date(1885, 1, 1)) == (read.region, read.foreign, read.birth_date)


@pytest.mark.parametrize("body", ["00010618850101001", "33010618850231001", "33010617991231001"])
def test_impossible_numbers(body: str) -> None:
    """A region that is none, a day that is none and a birth before 1800 are refused."""
    assert not is_id_number(made_up(body))


@given(st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_found(place: int, step: int) -> None:
    """MOD 11-2 finds every single wrong digit."""
    digits = list(made_up(BODY))
    digits[place] = str((int(digits[place]) + step) % 10)
    assert not is_id_number("".join(digits))


def test_error_never_repeats_the_number() -> None:
    """What is said of a wrong number says the mend and not the number."""
    wrong = BODY + ("0" if check_character(BODY) != "0" else "1")
    with pytest.raises(InvalidInput) as raised:
        check_id_number(wrong)
    said = f"{raised.value.message} {raised.value.violations}"
    assert not any(part in said for part in (wrong, wrong[6:14], wrong[:6]))


def test_birth_in_the_future() -> None:
    """With a day given, a birth after it is refused."""
    with pytest.raises(InvalidInput):
        check_id_number(made_up("33010618990101001"), datetime.date(1898, 12, 31))


@pytest.mark.parametrize(
    ("prefix", "kinds"),
    [
        ("11", {SubjectKind.PARTY_OR_GOVERNMENT}),
        ("12", {SubjectKind.PUBLIC_INSTITUTION}),
        ("13", {SubjectKind.PEOPLES_ORGANISATION}),
        ("51", {SubjectKind.PEOPLES_ORGANISATION}),
        ("91", {SubjectKind.ENTERPRISE}),
    ],
)
def test_art_7_4_credit_code_tells_the_kind(prefix: str, kinds: set[SubjectKind]) -> None:
    """Art. 7(4): the registering department of a credit code bounds the kind of its subject."""
    codes = [f"{prefix}330000000000012{check}" for check in "0123456789ABCDEFGHJKLMNPQRTUWXY"]
    assert [kinds] == [set(kinds_of_uscc(code)) for code in codes if kinds_of_uscc(code)]


@pytest.mark.parametrize(
    "text", ["", "91330000000000012", "91330000000000012I", "913300000000000120", "9133000000000001２K"]
)
def test_wrong_credit_codes(text: str) -> None:
    """A code of another length, alphabet or check character is refused, and the error does not hold it."""
    with pytest.raises(InvalidInput) as raised:
        check_uscc(text)
    assert not text or text not in f"{raised.value.message} {raised.value.violations}"


@pytest.mark.parametrize(
    ("number", "jurisdiction", "licence_class", "year"),
    [
        ("10120190017", "100000", LicenceClass.PUBLISH, 2019),
        ("13120170002", "130000", LicenceClass.PUBLISH, 2017),
        ("41120181101", "410000", LicenceClass.PUBLISH, 2018),
        ("33320240001", "330000", LicenceClass.PLATFORM, 2024),
    ],
)
def test_art_4_published_licence_numbers(
    number: str, jurisdiction: str, licence_class: LicenceClass, year: int
) -> None:
    """Art. 4: published licence numbers read as jurisdiction, class, year and serial."""
    read = parse_licence_number(number)
    assert (jurisdiction, licence_class, year) == (read.jurisdiction, read.licence_class, read.year)


@pytest.mark.parametrize("number", ["", "1012019001", "10420190017", "48120190017", "10119190017", "１0120190017"])
def test_wrong_licence_numbers(number: str) -> None:
    """An impossible jurisdiction, class or year is refused."""
    with pytest.raises(InvalidInput):
        parse_licence_number(number)


def test_regions_are_whole() -> None:
    """The nation and 34 provinces, with 71, 81 and 82; districts read as their province; others are refused."""
    assert len(PROVINCES) == 35
    assert [region_of("330106"), region_of("710000")] == ["330000", "710000"]
    for code in ("", "33010", "990000", "３３0106"):
        with pytest.raises(InvalidInput):
            region_of(code)
