"""Corpora for the guard that are computed: every disguise of every kind of number, and many texts that name nobody.

Numbers of persons are made up: births before 1900, telephone numbers and passports of zeros mostly. What is clean is
made as the real thing is: codes with their check characters, addresses with numbers and times in them, order numbers.
The same numbers and texts come on every run.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import random
import uuid
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final
from urllib.parse import quote

from shared.cluster.made_up import code_check_character, licence_number
from shared.provisions.identity_numbers import check_character
from shared.provisions.regions import NATION, PROVINCES

REGIONS: Final = [code for code in PROVINCES if code != NATION] + ["830000"]

SCRIPTS: Final = {
    "plain": "0123456789",
    "full-width": "０１２３４５６７８９",
    "circled": "⓪①②③④⑤⑥⑦⑧⑨",
    "negative circled": "⓿❶❷❸❹❺❻❼❽❾",
    "in parentheses": "🄁⑴⑵⑶⑷⑸⑹⑺⑻⑼",
    "with full stop": "🄀⒈⒉⒊⒋⒌⒍⒎⒏⒐",
    "Arabic-Indic": "٠١٢٣٤٥٦٧٨٩",
    "extended Arabic-Indic": "۰۱۲۳۴۵۶۷۸۹",
    "Devanagari": "०१२३४५६७८९",
    "bold": "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗",
    "superscript": "⁰¹²³⁴⁵⁶⁷⁸⁹",
    "Chinese": "〇一二三四五六七八九",
    "Chinese with zero as a word": "零一二三四五六七八九",
    "formal": "零壹贰叁肆伍陆柒捌玖",
    "traditional": "零壹貳參肆伍陸柒捌玖",
    "as said by telephone": "洞幺两三四五六拐八勾",
    "spoken": "零幺二三四五六七八九",
}
SEPARATORS: Final = {
    "nothing": "",
    "space": " ",
    "ideographic space": "\u3000",
    "no-break space": "\u00a0",
    "hyphen": "-",
    "dash": "—",
    "minus sign": "\u2212",
    "full-width hyphen": "－",
    "dot": ".",
    "middle dot": "·",
    "slash": "/",
    "underscore": "_",
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "variation selector": "\ufe0f",
}
GLUED: Final[dict[str, Callable[[str], str]]] = {
    "alone": lambda text: text,
    "letters before": lambda text: f"ID{text}",
    "letters after": lambda text: f"{text}abc",
    "words before": lambda text: f"证件号{text}",
    "words after": lambda text: f"{text}号",
    "words around": lambda text: f"加我{text}聊聊",
    "in brackets": lambda text: f"（{text}）",
    "in an address's path": lambda text: f"https://example.com/u/{text}/",
    "in an address's query": lambda text: f"https://example.com/?q={text}&p=1",
    "percent-encoded in an address": lambda text: f"https://example.com/?q={quote(text)}",
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "character references": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "escapes of JSON": lambda text: json.dumps(text)[1:-1],
}


def numbers_of_people() -> Iterator[tuple[str, str, str]]:
    """Gives the rule, the kind and a number, for every kind and region."""
    for place, region in enumerate(REGIONS):
        digits = f"{region}{datetime.date(1880, 1, 1) + datetime.timedelta(days=97 * place):%Y%m%d}{place + 1:03}"
        yield "IDENTITY_NUMBER", f"resident of {region}", digits + check_character(digits)
        digits = f"9{region[:2]}156{datetime.date(1890, 2, 3):%Y%m%d}{place + 1:03}"
        yield "IDENTITY_NUMBER", f"foreigner in {region}", digits + check_character(digits)
    for prefix in ("", "+86", "86", "0086"):
        for second in "3456789":
            yield "MOBILE_NUMBER", f"mobile {prefix}1{second}", f"{prefix}1{second}900007{second}21"
    for letters in ("E", "G", "EA", "D", "S", "P", "DE", "SE", "PE"):
        yield "PASSPORT_NUMBER", f"passport {letters}", letters + "000000018"[-(9 - len(letters)) :]
    for letters, digits in (("C", "00000018"), ("CA", "0000018"), ("H", "0000001801"), ("M", "0000001801")):
        yield "PASSPORT_NUMBER", f"permit {letters}", letters + digits


def disguised_numbers(stride: int = 1) -> Iterator[tuple[str, str, str]]:
    """Gives the rule that has to find it, what it is, and a text: every number in every script, separator and glue.

    Args:
        stride: gives every so manieth only.
    """
    place = 0
    for rule, kind, number in numbers_of_people():
        for script, digits in SCRIPTS.items():
            shown = [digits[int(character)] if character.isdigit() else character for character in number]
            for separator, mark in SEPARATORS.items():
                for groups in (shown, _grouped(rule, number, shown)) if mark else (shown,):
                    text = mark.join(groups)
                    for glue, around in GLUED.items():
                        if rule == "PASSPORT_NUMBER" and glue == "letters before" and mark and groups is shown:
                            # A letter apart from its digits, at the end of other letters: "size 12345678" is no passport.
                            continue
                        place += 1
                        if place % stride == 0:
                            yield rule, f"{kind}, {script}, {separator}, {glue}", around(text)


def _grouped(rule: str, number: str, shown: list[str]) -> list[str]:
    """Parts a number as people do: 6-8-4 for an identity card, 3-4-4 for a mobile, in twos for the rest."""
    if rule == "MOBILE_NUMBER":
        first = len(number) - 11
        cuts = [0, first, first + 3, first + 7, len(shown)] if first else [0, 3, 7, len(shown)]
    elif rule == "IDENTITY_NUMBER":
        cuts = [0, 6, 14, 18]
    else:
        letters = sum(character.isalpha() for character in number)
        cuts = [0, letters + 2, letters + 4, len(shown)]
    return ["".join(shown[start:end]) for start, end in pairwise(cuts)]


_USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_KINDS: Final = ("11", "12", "13", "51", "52", "53", "91", "92", "93", "N1", "31", "Y1")


def credit_codes(chance: random.Random, count: int) -> Iterator[str]:
    """Gives valid credit codes (GB 32100) of all kinds and counties; organisation codes of digits, as most are."""
    for _ in range(count):
        code = "".join(chance.choice("0123456789" if chance.random() < 0.8 else "MA0123456789") for _ in range(8))
        county = f"{chance.choice(REGIONS[:31])[:2]}{chance.randint(1, 20):02}{chance.randint(1, 30):02}"
        body = chance.choice(_USCC_KINDS) + county + code + code_check_character(code)
        total = sum(_USCC_ALPHABET.index(each) * pow(3, place, 31) for place, each in enumerate(body))
        yield body + _USCC_ALPHABET[-total % 31]


def clean_texts(count: int) -> Iterator[tuple[str, str]]:
    """Gives the kind and a text that names nobody: `count` of each kind, as they stand in names, notes and reasons."""
    chance = random.Random(20140807)
    for code in credit_codes(chance, count):
        yield "credit code", code
        yield "credit code in words", f"统一社会信用代码：{code}，登记在案"
    for kind, make in _CLEAN.items():
        for _ in range(count):
            yield kind, make(chance)


def _day(chance: random.Random) -> datetime.datetime:
    return datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=chance.randrange(26 * 365 * 86400))


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choices("0123456789", k=count))


def _isbn(chance: random.Random) -> str:
    digits = f"9787{_digits(chance, 8)}"
    check = -sum(int(each) * (1, 3)[place % 2] for place, each in enumerate(digits)) % 10
    return f"ISBN 978-7-{digits[4:7]}-{digits[7:12]}-{check}"


def _ulid(chance: random.Random) -> str:
    return "01" + "".join(chance.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=24))


def _uuid(chance: random.Random, version: int) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=version))


_CLEAN: Final[dict[str, Callable[[random.Random], str]]] = {
    "article of a portal": lambda c: (
        f"http://politics.example.cn/n1/{_day(c):%Y/%m%d}/c1001-{c.randint(10**7, 10**8)}.html"
    ),
    "article by time": lambda c: f"https://news.example.com/{_day(c):%Y-%m/%d}/content_{c.randint(10**6, 10**7)}.htm",
    "address with a time": lambda c: f"https://example.com/a?t={int(_day(c).timestamp())}",
    "address with milliseconds": lambda c: (
        f"https://example.com/a?_={int(_day(c).timestamp()) * 1000 + c.randint(0, 999)}"
    ),
    "address with a long id": lambda c: f"https://example.com/group/{c.randint(6 * 10**18, 7 * 10**18)}/",
    "address with a short id": lambda c: f"https://example.com/p/{c.randint(1, 10**8)}",
    "order number": lambda c: f"订单号{_day(c):%Y%m%d%H%M%S}{_digits(c, 6)}",
    "order of a bank": lambda c: f"流水号 42000{_digits(c, 5)}{_day(c):%Y%m%d}{_digits(c, 10)}",
    "parcel": lambda c: f"快递单号SF{_digits(c, 13)}",
    "ISBN": _isbn,
    "ISSN": lambda c: f"ISSN {_digits(c, 4)}-{_digits(c, 4)}",
    "serial of a paper": lambda c: f"国内统一刊号CN{c.randint(10, 65)}-{_digits(c, 4)}",
    "hotline 400": lambda c: f"全国热线400-{_digits(c, 3)}-{_digits(c, 4)}",
    "hotline 95": lambda c: f"客服电话95{_digits(c, 3)}",
    "hotline": lambda c: f"拨打{c.choice(('12345', '12377', '12315', '110', '119', '12388', '12321'))}举报",
    "landline": lambda c: f"电话：0{c.randint(10, 99)}{c.randint(0, 9)}-{c.randint(2, 8)}{_digits(c, 6)}",
    "landline abroad": lambda c: f"+86-{c.choice(('10', '21', '20', '571'))}-{c.randint(2, 8)}{_digits(c, 7)}",
    "postal code": lambda c: f"邮编{_digits(c, 6)}",
    "day": lambda c: f"{_day(c):%Y-%m-%d}",
    "day in Chinese": lambda c: f"{_day(c):%Y年%m月%d日%H时}",
    "time": lambda c: _day(c).isoformat(),
    "time with milliseconds": lambda c: f"{_day(c):%Y-%m-%d %H:%M:%S}.{c.randint(0, 999):03}",
    "SHA-256": lambda c: hashlib.sha256(c.randbytes(8)).hexdigest(),
    "SHA-1": lambda c: hashlib.sha1(c.randbytes(8)).hexdigest(),
    "MD5": lambda c: hashlib.md5(c.randbytes(8)).hexdigest(),
    "UUID of chance": lambda c: _uuid(c, 4),
    "UUID of a name": lambda c: _uuid(c, 5),
    "ULID": _ulid,
    "version": lambda c: f"v{c.randint(0, 20)}.{c.randint(0, 40)}.{c.randint(0, 400)}",
    "address of a machine": lambda c: ".".join(str(c.randint(1, 254)) for _ in range(4)),
    "price": lambda c: f"售价{c.randint(1, 99999)}.{c.randint(0, 99):02}元",
    "figure": lambda c: f"阅读量{c.randint(10**6, 10**9):,}",
    "hashed picture": lambda c: f"P{_day(c):%Y%m%d}{_digits(c, 12)}.jpg",
    "group": lambda c: f"QQ群 {c.randint(2, 9)}{_digits(c, 8)}",
    "document number": lambda c: f"国新发〔{c.randint(2010, 2026)}〕{c.randint(1, 400)}号",
}


def licence_texts() -> Iterator[tuple[str, str]]:
    """Gives the region and a text with the number of a licence, of every region, class and a year."""
    for region in [NATION, *REGIONS[:31]]:
        for licence_class in (1, 2, 3):
            for year in range(2005, 2027):
                number = licence_number(region, year % 50 + licence_class, licence_class, year)
                yield region, f"互联网新闻信息服务许可证编号：{number}"
