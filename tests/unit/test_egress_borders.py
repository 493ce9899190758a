"""Where the guard's rules begin and end: tables of texts that are just found, or that just pass. All made up."""

from __future__ import annotations

import pytest

from shared.egress import findings
from shared.provisions.credit_codes import kinds_of_uscc
from shared.provisions.identity_numbers import check_character, is_id_number

ID_NUMBER = "330106188001010014"
ID_WITH_X = "33010618800101009X"
# A mobile number between letters that are hexadecimal digits, and one without the letters.
HEX_MOBILE, MOBILE = "a13800138000b", "13800138000"


def rules(text: str) -> set[str]:
    return {finding.rule for finding in findings(text)}


@pytest.mark.parametrize(
    "text",
    [
        *(f"330106{mark}18800101{mark}0014" for mark in " -./_,'、："),
        "330106,,,,,18800101,,,,,0014",
        f"1{ID_WITH_X}",
        f"12{ID_WITH_X}",
        f"12{ID_WITH_X.lower()}",
        f"12{ID_WITH_X} 5",
        f"{ID_WITH_X} 5",
        f"5 {ID_WITH_X} 5",
        f"{ID_NUMBER} 5",
        f"1{ID_NUMBER}",
        f"{ID_NUMBER}1",
        f"{ID_NUMBER}X",
        f"5 {ID_NUMBER}00",
        f"5 00{ID_NUMBER}",
        f"33010618000101001{check_character('33010618000101001')}",
        "110101800101001",
        "650101801231999",
    ],
)
def test_finds_identity_numbers_at_the_ends_of_groups(text: str) -> None:
    """Guards: an identity number is found as whole groups and at either end of a longer one, X in either case."""
    assert {"IDENTITY_NUMBER"} == rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "330106 18800101 00144",
        "1330106 18800101 0014",
        "330106,,,,,,18800101,0014",
        f"12{ID_WITH_X[:-1]} 5",
        f"12{ID_NUMBER[:-1]} {ID_NUMBER[-1]}",
        "12330106188 00101009X",
        *(body + check_character(body) for body in ("33010617991231001", "33010618801301001", "00010618800101001")),
        # Of the old form, where no card was ever issued: the nation, Taiwan, Hong Kong, Macao, and no region at all.
        *(f"{region}0106800101123" for region in ("10", "71", "81", "82", "16", "66")),
        "330000800101123",
        "330106801301123",
        "330106800132123",
        "3301068001011234",
        "33010680010112",
        "330106,800101,123",
    ],
)
def test_passes_what_is_no_identity_number(text: str) -> None:
    """Guards: digits that cross the end of a group, an impossible region or date, and other lengths are no identity."""
    assert set() == rules(text)


@pytest.mark.parametrize(
    "text",
    [
        *(f"{prefix}{MOBILE}" for prefix in ("", "0", "86", "860", "0086", "00860", "+86")),
        *(f"1{second}900007121" for second in "3456789"),
        "138,0013,8000",
        "138,00138000",
        "86138,0013,8000",
        "86138,00138000",
        "138,0013,8000 5",
        "5 138,0013,8000",
        "1,3,8,0,0,1,3,8,0,0,0",
        "1'3'8'0'0'1'3'8'0'0'0",
        *(f"1380{mark}0138{mark}000" for mark in " -./_"),
        "1380-0138-000,5",
        "5,1380-0138-000",
        "1380     0138000",
        "12345678 13800138000",
    ],
)
def test_finds_mobile_numbers_however_they_are_parted(text: str) -> None:
    """Guards: every prefix and second digit, the usual groups by any mark, and others by the marks that group numbers."""
    assert {"MOBILE_NUMBER"} == rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "12900007121",
        "23900007121",
        "1380013800",
        "087" + MOBILE,
        "1380,0138,000",
        "13,80,01,38,00,0",
        "13800,138000",
        "8613,800138000",
        "1380      0138000",
    ],
)
def test_passes_what_is_no_mobile_number(text: str) -> None:
    """Guards: figures with commas, other prefixes and other lengths are no mobile number."""
    assert set() == rules(text)


@pytest.mark.parametrize(
    "text",
    [
        *(f"{letter}00000018" for letter in "CDEGHMPS"),
        *(f"{letter}0000018" for letter in "DPS"),
        *(f"{letters}0000018" for letters in ("EA", "EH", "EJ", "EN", "EP", "EZ", "DE", "PE", "SE")),
        *(f"{letters}0000018" for letters in ("CA", "CH", "CJ", "CM", "CP", "CZ")),
        *(f"{letter}0000001801" for letter in "HM"),
        *(f"证件{number}。" for number in ("e00000018", "ea0000018", "p0000018", "h0000001801")),
        "passporte00000018",
        "Huzhaoe00000018",
        *(f"E{mark}00000018" for mark in (" ", "-", " - ", "/", "_")),
        *(f"e{mark}00000018" for mark in (" ", "-", " - ", ".")),
        *(f"E{mark}A{other}0000018" for mark in (" ", "...", "-") for other in ("", " ", " - ")),
        *(f"S{mark}E 000{mark}0018" for mark in (" ", " - ")),
        *(f"C{mark}A 000{mark}0018" for mark in (" ", " - ")),
        "E0 0 - 0 - 0-0-0-1-8",
        "E00000018 1",
        "H4000000018",
        "M 800-000-0018",
        "h4000000018",
    ],
)
def test_finds_passports_and_permits_of_every_series(text: str) -> None:
    """Guards: each series with its count of digits, letters apart or not; a permit is one where a hotline ends like it."""
    assert {"PASSPORT_NUMBER"} == rules(text)


@pytest.mark.parametrize(
    "text",
    [
        *(f"{letter}00000018" for letter in "ABFIJKLNOQRTUVWXYZ"),
        *(f"{letters}0000018" for letters in ("EI", "EO", "CI", "CN", "CO", "DA")),
        *(f"{letter}0000018" for letter in "CEGHM"),
        *(f"{letter}000000180" for letter in "CDEGPSHM"),
        *(f"{letter}00000018012" for letter in "HM"),
        "size 00000018",
        "e.g. 00000018",
        "SIZE 00000018",
        "U.S.E 00000018",
        "a.e.00000018",
        "it's 00000018",
        "list/e/00000018",
        "id_e_00000018",
        "image00000018",
        "1e00000018",
        "e00000018a",
        "e 00000018a",
        "E    00000018",
        "E    A0000018",
        "e    00000018",
        "BE A0000018",
        "E A00000018",
        "TEAM 4000000018",
    ],
)
def test_passes_what_is_no_passport(text: str) -> None:
    """Guards: other letters and counts, ends of words, slugs and paths are no passport."""
    assert set() == rules(text)


@pytest.mark.parametrize("mark", ["-", ".", "/"])
def test_tells_dates_from_mobile_numbers(mark: str) -> None:
    """Guards: a date and digits behind it pass; what only begins or ends as a date does is read as the digits it has."""
    clean = ["1985-12-31 123", "1885-01-01 123", "1985-1-2 12345", "1985-12-3 1234", "1985-12-3 1234"]
    digits = ["1785-12-31 123", "1985-12-31123", "1985-13-31 123", "1985-12-32 123", "1985-12-34567"]
    digits += ["1381-1985-1-31", "1985-1-31-1381", "1985-1-0 12345", "1985-0-1 12345"]

    assert [] == [text for text in clean if rules(text.replace("-", mark))]
    assert [] == [text for text in digits if {"MOBILE_NUMBER"} != rules(text.replace("-", mark))]
    other = {"-": ".", ".": "/", "/": "-"}[mark]
    assert {"MOBILE_NUMBER"} == rules(f"1985{mark}12{other}31 123")
    assert set() == rules(f"E2014{mark}12{mark}31")


@pytest.mark.parametrize(
    ("number_by_itself", "texts"),
    [
        (False, ["1985-1999 123", "138.00 1380.00", "138.00---1380.00", "0.13 8001.38 0.00", "138001.38 0.00"]),
        (False, ["138.111.38.111", "138.0.138.255", "1.38.0.0"]),
        (True, ["138-1985-1999", "1985-1999-138", "1985-1999138", "138001380.00", "138.00----1380.00"]),
        (True, ["1.38.00 1380.00", "138.00 138.000", "138.00 138.00.0", "8613800.13 80.00", "013.80 01380.00"]),
        (True, ["138.1.138.1111", "138.001.38.000", "138.256.138.11", "13.8.0.138.0.000", "1.3.8.138.111.11"]),
        (True, ["138.1.138.111.1", "1-400-820-8820", "1 4008208820", "1400.820.8820"]),
    ],
)
def test_tells_years_prices_and_addresses_from_mobile_numbers(number_by_itself: bool, texts: list[str]) -> None:
    """Guards: spans of years, rows of prices and IPv4 addresses pass; a digit too many and they are mere digits."""
    assert [{"MOBILE_NUMBER"} if number_by_itself else set()] * len(texts) == [rules(text) for text in texts]


@pytest.mark.parametrize("length", [32, 40, 56, 64, 96, 128])
def test_passes_digests_of_exactly_their_length(length: int) -> None:
    """Guards: a digest passes with a mobile number inside, in either case; a character more or fewer and it is none."""
    digest = f"cd{HEX_MOBILE}{'e' * (length - 15)}"

    assert [set(), set()] == [rules(digest), rules(f"sha:{digest.upper()}。")]
    assert [{"MOBILE_NUMBER"}] * 3 == [rules(text) for text in (digest[:-1], digest + "e", digest + "g")]
    assert {"MOBILE_NUMBER"} == rules(f"{'0' * (length - 15)}c-{MOBILE}-d")


def test_passes_uuids_of_their_form_only() -> None:
    """Guards: a UUID of RFC 9562 passes with a mobile number inside; another version or variant, or a part more, is none."""
    uuid = "abcde138-4013-4800-8013-a13800138000"
    clean = [uuid, uuid.upper(), *(uuid.replace("-48", f"-{version}8") for version in "1235678")]
    clean += [uuid.replace("-80", f"-{variant}0") for variant in "9ab"]
    digits = [uuid.replace("-48", "-98"), uuid.replace("-48", "-08"), uuid.replace("-80", "-70"), f"{uuid}z"]
    digits += [uuid.replace("-80", "-c0"), "01234138-4013-4800-8013-013800138000"]

    assert [set()] * len(clean) == [rules(text) for text in clean]
    assert [] == [text for text in digits if "MOBILE_NUMBER" not in rules(text)]


def credit_codes_with(inside: str) -> list[str]:
    """Makes credit codes with some text at their ends, valid first, then with every wrong check character."""
    body = ("91330000" + inside).ljust(17, "0")
    codes = [body + last for last in "0123456789ABCDEFGHJKLMNPQRTUWXY"]
    return sorted(codes, key=lambda code: not kinds_of_uscc(code))


def test_passes_credit_codes_for_their_check_character_alone() -> None:
    """Guards: a credit code with a passport in it passes when its check character is right, and else is a passport."""
    valid, *wrong = credit_codes_with("E00000018")
    letters = [code for code in wrong if not code[-1].isdigit()]

    assert (True, 20) == (bool(kinds_of_uscc(valid)), len(letters[:20]))
    assert {frozenset({"PASSPORT_NUMBER"})} == {frozenset(rules(code)) for code in letters}
    assert [set()] * 4 == [rules(text) for text in (valid, f"代码{valid}。", f"{valid}，{valid}", f"ID{valid}号")]
    assert {"PASSPORT_NUMBER"} == rules(f"{valid}，E00000018") == rules(f"E00000018，{valid}")


def test_a_credit_code_that_is_an_identity_number_too_is_found() -> None:
    """Guards: no exemption hides an identity number whose check character is right."""
    both = next(
        code
        for serial in range(1000)
        for day in range(10, 29)
        for code in [f"5201031880{11}{day}{serial:03}"]
        for code in [code + check_character(code)]
        if is_id_number(code) and kinds_of_uscc(code)
    )
    assert {"IDENTITY_NUMBER"} == rules(both)
