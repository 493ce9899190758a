"""The egress guard on single texts. Every person's number here is made up: nobody alive was born before 1900."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import sys
import unicodedata
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from shared.egress import MAX_CHARACTERS, Finding, findings
from shared.provisions.credit_codes import kinds_of_uscc
from shared.provisions.identity_numbers import check_character, is_id_number
from shared.provisions.regions import PROVINCES
from tests.unit.made_up_texts import REGIONS

CORPORA = Path(__file__).parent / "corpora"
MOBILE = "13800138000"
ID_NUMBER = "330106188001010014"

unhurried = settings(deadline=None, max_examples=200)


def corpus(name: str) -> list[str]:
    lines = (CORPORA / name).read_text(encoding="utf-8").split("\n")
    return [line for line in lines if line and not line.startswith("#")]


def rules(text: str) -> set[str]:
    return {finding.rule for finding in findings(text)}


def id_number(region: str, birth_date: datetime.date, serial: int) -> str:
    digits = f"{region}{birth_date:%Y%m%d}{serial:03}"
    return digits + check_character(digits)


# What is found


@pytest.mark.parametrize("line", corpus("disguised_numbers.tsv"))
def test_finds_every_disguise_of_the_corpus(line: str) -> None:
    """Each disguise that the guard claims to see through is seen through."""
    rule, text = line.split("\t")

    assert rule in rules(json.loads(text))


@pytest.mark.parametrize("region", REGIONS)
def test_finds_identity_numbers_of_every_region(region: str) -> None:
    """Residents of every province, holders of residence permits (81, 82, 83) and foreigners (9) are all protected."""
    resident = id_number(region, datetime.date(1880, 2, 29), 1)
    foreigner = id_number(f"9{region[:2]}156", datetime.date(1899, 12, 31), 123)

    assert [{"IDENTITY_NUMBER"}, {"IDENTITY_NUMBER"}] == [rules(resident), rules(foreigner)]


def test_passes_eighteen_digits_whose_check_character_is_wrong() -> None:
    """The check character tells an identity number from any other number of 18 characters."""
    wrong = [ID_NUMBER[:17] + last for last in "0123456789X" if last != ID_NUMBER[17]]

    assert [set()] * 10 == [rules(text) for text in wrong]


def test_finds_decimal_digits_of_every_script() -> None:
    """A number in any script's digits is a number, also in scripts newer than Python's Unicode."""
    zeros = [code for code in range(0x80, sys.maxunicode + 1) if unicodedata.decimal(chr(code), -1) == 0]
    zeros += [0x10D40, 0x116D0, 0x116DA, 0x11BF0, 0x11DE0, 0x11F50, 0x16130, 0x16D70, 0x1CCF0, 0x1E4F0, 0x1E5F1]
    missed = [hex(zero) for zero in zeros if not rules("".join(chr(zero + int(digit)) for digit in MOBILE))]

    assert (True, []) == (len(zeros) > 70, missed)


def test_finds_numbers_grouped_by_any_space_or_hyphen() -> None:
    """No kind of space or hyphen between the groups hides a number."""
    marks = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Zs", "Zl", "Zp", "Pd"} or chr(code) in "\t\n\r._/\\·・~\u2212"
    ]
    missed = [hex(ord(mark)) for mark in marks if "MOBILE_NUMBER" not in rules(f"1380{mark}0138{mark}000")]

    assert (True, []) == (len(marks) > 50, missed)


def test_finds_numbers_through_any_invisible_character() -> None:
    """Format characters, marks, selectors, controls and fillers between the digits hide nothing."""
    invisible = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cf", "Mn", "Me"} or chr(code) in "\x00\x08\x7f\u115f\u3164\U000e0fff"
    ]
    missed = [hex(ord(mark)) for mark in invisible if "MOBILE_NUMBER" not in rules(f"13800{mark}1380{mark}00")]

    assert (True, []) == (len(invisible) > 1500, missed)


# Random compositions of disguises

DIGIT_FORMS = [
    "０１２３４５６７８９",
    "٠١٢٣٤٥٦٧٨٩",
    "०१२३४५६७८९",
    "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗",
    "⁰¹²³⁴⁵⁶⁷⁸⁹",
    "⓪①②③④⑤⑥⑦⑧⑨",
    "⓿❶❷❸❹❺❻❼❽❾",
    "🄁⑴⑵⑶⑷⑸⑹⑺⑻⑼",
    "🄀⒈⒉⒊⒋⒌⒍⒎⒏⒐",
    "〇一二三四五六七八九",
    "零壹贰叁肆伍陆柒捌玖",
    "零壹貳參肆伍陸柒捌玖",
    "○幺两三四五六七八九",
    "0123456789",
]
LETTER_FORMS = {
    "X": "XxХхΧχ×Ｘｘⓧ𝐗Ⅹ✕",
    "C": "CС𝐂Ⓒ",
    "D": "DＤⒹ",
    "E": "EЕΕ🅴",
    "G": "GＧ🇬",
    "H": "HНΗ",
    "M": "MМΜ",
    "P": "PРΡ",
    "S": "SЅ",
}
INVISIBLE = ["", "", "", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\ufe0f", "\u202d", "\u0332", "\U000e0020"]
MARKS = [" ", "-", ".", "/", "_", "\u3000", "\u00a0", "－", "—", "·", " - "]
# Ways to part a mobile number that no date, price or address shares.
MOBILE_GROUPS = [[3, 7], [3], [5], [6], [7], [4, 7], [3, 6], list(range(1, 11)), [2, 4, 6, 8, 10], []]
ENCODINGS: list[Callable[[str], str]] = [
    lambda text: text,
    quote,
    lambda text: quote(quote(text)),
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    lambda text: "".join(f"&#{ord(character)};" for character in text),
    lambda text: "".join(f"&#x{ord(character):x};" for character in text),
    lambda text: json.dumps(text)[1:-1],
]

digits = st.sampled_from("0123456789")
old_births = st.dates(datetime.date(1800, 1, 1), datetime.date(1899, 12, 31))
id_numbers = st.builds(
    id_number,
    st.one_of(
        st.builds("{}{:04}".format, st.sampled_from([region[:2] for region in REGIONS]), st.integers(0, 9999)),
        st.builds("9{}{:03}".format, st.sampled_from([region[:2] for region in REGIONS]), st.integers(0, 999)),
    ),
    old_births,
    st.integers(0, 999),
)
# 一 in front of a hotline (400, 800) reads as a word; see test_passes_hotlines_after_a_word.
mobile_numbers = st.builds(
    "{}1{}".format,
    st.sampled_from(["", "+86", "86", "0086"]),
    st.builds("{}{}".format, st.sampled_from("3456789"), st.text(digits, min_size=9, max_size=9)).filter(
        lambda rest: rest[:3] not in {"400", "800"}
    ),
)
passports = st.from_regex(
    "([CDEGHMPS]0[0-9]{7}|[DPS]0[0-9]{6}|E[A-HJ-NP-Z]0[0-9]{6}|[DPS]E0[0-9]{6}|[HM]0[0-9]{9})",
    fullmatch=True,
    alphabet=st.characters(codec="ascii"),
)


@st.composite
def disguised(draw: st.DrawFn, number: str, cuts: list[int], mark: str) -> str:
    """A number in a random composition of disguises."""
    shown = []
    for place, character in enumerate(number):
        if character.isdigit():
            form = draw(st.sampled_from(DIGIT_FORMS))[int(character)]
        else:
            form = draw(st.sampled_from(LETTER_FORMS.get(character, character)))
        shown.append((mark if place in cuts else "") + form + draw(st.sampled_from(INVISIBLE)))
    before = draw(st.sampled_from(["", "电话", "证件：", "QQ", "a", "№", "（", "https://example.com/?q="]))
    after = draw(st.sampled_from(["", "号", "abc", "。", "@", "&b=c", "#"]))
    return draw(st.sampled_from(ENCODINGS))(before + "".join(shown) + after)


@unhurried
@given(st.data(), id_numbers)
def test_finds_identity_numbers_in_any_composition_of_disguises(data: st.DataObject, number: str) -> None:
    """No composition of digits, marks, invisible characters, glue and encodings hides an identity number."""
    cuts = data.draw(st.lists(st.integers(1, 17), unique=True))
    text = data.draw(disguised(number, cuts, data.draw(st.sampled_from([*MARKS, ",", "：", "("]))))

    found = findings(text)

    assert "IDENTITY_NUMBER" in {finding.rule for finding in found}
    assert number[:-1] not in repr(found)


@unhurried
@given(st.data(), mobile_numbers)
def test_finds_mobile_numbers_in_any_composition_of_disguises(data: st.DataObject, number: str) -> None:
    """No composition of digits, marks, invisible characters, glue and encodings hides a mobile number."""
    prefix = len(number) - 11
    cuts = [prefix + cut for cut in [0, *data.draw(st.sampled_from(MOBILE_GROUPS))]]
    text = data.draw(disguised(number, cuts, data.draw(st.sampled_from(MARKS))))

    found = findings(text)

    assert "MOBILE_NUMBER" in {finding.rule for finding in found}
    assert number not in repr(found)


@unhurried
@given(st.data(), passports)
def test_finds_passports_in_any_composition_of_disguises(data: st.DataObject, number: str) -> None:
    """No composition of digits, marks, invisible characters, glue and encodings hides a passport or a permit."""
    first = sum(character.isalpha() for character in number)
    cuts = data.draw(st.lists(st.integers(first + 1, len(number) - 1), unique=True))
    text = data.draw(disguised(number, cuts, data.draw(st.sampled_from(MARKS))))

    found = findings(text)

    assert "PASSPORT_NUMBER" in {finding.rule for finding in found}
    assert number not in repr(found)


@unhurried
@given(old_births, st.sampled_from(REGIONS[:31]), st.integers(0, 999))
def test_finds_identity_numbers_of_the_old_form(birth_date: datetime.date, region: str, serial: int) -> None:
    """Fifteen digits with a region and a date are an identity number, because nothing tells them apart."""
    number = f"{region[:2]}0106{birth_date:%y%m%d}{serial:03}"

    assert "IDENTITY_NUMBER" in rules(f"证号{number}，{number[:6]} {number[6:12]} {number[12:]}")


# What passes


def test_the_false_alarm_rate_on_the_clean_corpus_is_zero() -> None:
    """Names of 366 real news units, addresses, dates, codes, hotlines and prices pass, all of them."""
    clean = corpus("news_unit_names.txt") + corpus("clean_texts.txt")
    alarms = [text for text in clean if findings(text)]

    assert (True, [], 0.0) == (len(clean) > 480, alarms, len(alarms) / len(clean))


@unhurried
@given(st.sampled_from(["91", "92", "12", "11", "52", "N1"]), st.sampled_from(REGIONS[:31]), st.data())
def test_passes_credit_codes_that_are_no_identity_number(prefix: str, region: str, data: st.DataObject) -> None:
    """A credit code is public: it passes, alone and in a sentence, whatever its digits look like."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = (
        prefix + region + data.draw(st.text(st.sampled_from(alphabet[:11] + "MAEC" + alphabet), min_size=9, max_size=9))
    )
    code = next((body + last for last in alphabet if kinds_of_uscc(body + last)), "")
    assume(code and not is_id_number(code))

    assert set() == rules(code) | rules(f"统一社会信用代码{code}，在{PROVINCES[region].name_zh}登记") | rules(
        f"USCC {code}"
    )


@unhurried
@given(st.uuids(version=4), st.binary(max_size=8), st.datetimes(datetime.datetime(1970, 1, 1)))
@example(uuid.UUID("abcde138-4013-4800-8013-a13800138000"), b"", datetime.datetime(1999, 12, 31, 13, 59, 59, 123))
def test_passes_what_machines_write(identifier: uuid.UUID, content: bytes, time: datetime.datetime) -> None:
    """UUIDs with three letters or more, digests and times in a log are no alarm, whatever their digits are."""
    assume(sum(character.isalpha() for character in str(identifier)) >= 3)
    texts = [str(identifier), hashlib.sha256(content).hexdigest(), time.isoformat("T"), time.isoformat(" ")]

    assert [] == [text for text in texts if "MOBILE_NUMBER" in rules(text) or "PASSPORT_NUMBER" in rules(text)]


@pytest.mark.parametrize("word", ["", "热线", "统一", "第一", "电话："])
@pytest.mark.parametrize("hotline", ["400-820-8820", "4008208820", "400 8208 820", "800-820-8820", "12345", "12377"])
def test_passes_hotlines_after_a_word(word: str, hotline: str) -> None:
    """Contact data of organisations passes, also where 一 in front would make eleven digits of it."""
    assert set() == rules(f"全国{word}{hotline}")


# Where numbers end


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("", f"2014{MOBILE}"),
        ("", f"{MOBILE}1"),
        ("", f"20140807{MOBILE}1"),
        ("MOBILE_NUMBER", f"2014 {MOBILE} 1"),
        ("MOBILE_NUMBER", f"2014年{MOBILE}"),
        ("MOBILE_NUMBER", f"a{MOBILE}b"),
        ("", f"12{ID_NUMBER}34"),
        ("IDENTITY_NUMBER", f"{ID_NUMBER}34"),
        ("IDENTITY_NUMBER", f"12{ID_NUMBER}"),
        ("IDENTITY_NUMBER", "1233010618800101009X"),
        ("IDENTITY_NUMBER", f"12 {ID_NUMBER} 34"),
        ("", "E000000180"),
        ("", "image00000018"),
        ("PASSPORT_NUMBER", "IMAGE00000018"),
        ("", "list/e/00000018"),
        ("", "10120190017"),
        ("MOBILE_NUMBER", "13120170002"),
    ],
)
def test_numbers_begin_and_end_with_a_group(rule: str, text: str) -> None:
    """Digits glued to other digits are another number; an identity number is proved by its check character."""
    assert ({rule} if rule else set()) == rules(text)


# How it fails


class Broken(str):
    """A text that fails while it is read."""

    def translate(self, table: object) -> str:
        raise RuntimeError(str(self))


def test_fails_closed_on_its_own_errors() -> None:
    """A failure inside the guard stops the text and says nothing of it."""
    found = findings(Broken(f"电话{MOBILE}"))

    assert ["GUARD_FAILED"] == [finding.rule for finding in found]
    assert ["GUARD_FAILED"] == [finding.rule for finding in findings(None)]  # type: ignore[arg-type]
    assert MOBILE not in repr(found)


def test_refuses_what_it_cannot_read() -> None:
    """Too long a text, half a character and encoding without end are findings, not errors and not passes."""
    endless = f"%{'25' * 8}31"
    texts = ["a" * (MAX_CHARACTERS + 1), "新闻\ud83d", "\udc80", endless]

    assert [{"UNREADABLE_TEXT"}] * 4 == [rules(text) for text in texts]
    assert set() == rules("新" * MAX_CHARACTERS)
    assert {"UNREADABLE_TEXT", "MOBILE_NUMBER"} == rules(f"\ud800{MOBILE}")


@settings(unhurried, max_examples=500)
@given(
    st.text(
        st.one_of(st.characters(), st.characters(categories=["Cs"]), st.sampled_from("%&#;\\ux0139E一")), max_size=60
    )
)
def test_never_raises_and_never_fails(text: str) -> None:
    """Whatever text comes, the guard answers, and its own code is not the reason."""
    found = findings(text)

    assert "GUARD_FAILED" not in {finding.rule for finding in found}


def test_a_finding_has_no_room_for_a_value() -> None:
    """A finding names the rule and the mend, the same for every text, so that no value can leave with it."""
    other = findings("13900139000")

    assert ["rule", "mend"] == [field.name for field in dataclasses.fields(Finding)]
    assert other == findings(MOBILE)
