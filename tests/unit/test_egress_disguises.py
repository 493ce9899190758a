"""Each disguise by itself: every character that is meant to be seen through, and the texts that need no such look."""

from __future__ import annotations

import pytest

from shared.egress import findings
from shared.egress.disguises import _FOLD, EncodedTooOften, folded, readings

MOBILE = "13800138000"
ALL_DIGITS = "19234567800"
CHINESE = {
    "0": "〇零○◯洞",
    "1": "一壹壱弌幺么",
    "2": "二贰貳貮弐弍两兩",
    "3": "三叁叄参參弎",
    "4": "四肆",
    "5": "五伍",
    "6": "六陆陸",
    "7": "七柒漆拐",
    "8": "八捌",
    "9": "九玖勾",
}
LIKE_LETTERS = {
    "C": "СϹᴄСⒸ🅒🄲𝐂🅲🇨",
    "D": "ᴅⒹ🅓🄳🅳🇩",
    "E": "ЕΕᴇⒺ🅔🄴🅴🇪",
    "G": "ԌɢⒼ🅖🅶🇬",
    "H": "НΗʜⒽ🅗🅷🇭",
    "M": "МΜᴍⓂ🅜🅼🇲",
    "P": "РΡᴘⓅ🅟🅿🇵",
    "S": "ЅꜱⓈ🅢🆂🇸",
    "c": "сϲⓒ",
    "e": "еⓔ",
    "p": "рⓟ",
    "s": "ѕⓢ",
}
LIKE_X = "ХΧ×✕✖✗✘╳⨯⨉☓❌Ⅹメ乂叉十Ⲭ𐌢хχⅹⓍⓧ🅧🆇🇽𝐗Ｘｘ\U0001cced"
DASHES = "-~¯ˉ˗‾⁃−─━┄┅┈┉╌╍╴╶ー➖–—－"
DOTS, SLASHES = ".·•‧∙⋅・。․", "/\\⁄∕⧵⧸"
SPACES, APOSTROPHES = " \u2800\u3000\u00a0\u2028\t", "'‘’ʼ`´"


class Unfoldable(str):
    """A text that is passed only where the guard has no need to look at it closely."""

    def translate(self, table: object) -> str:
        raise RuntimeError(str(self))


def rules(text: str) -> set[str]:
    return {finding.rule for finding in findings(text)}


def is_passed_unfolded(text: str) -> bool:
    return not findings(Unfoldable(text))


def test_sees_every_chinese_digit() -> None:
    """Guards: every way to write a digit in Chinese counts as its value, alone among plain digits and on and on."""
    for value, forms in CHINESE.items():
        place = ALL_DIGITS.index(value)
        for form in forms:
            assert f"#{value}#" == folded(f"甲{form}乙")
            assert {"MOBILE_NUMBER"} == rules(ALL_DIGITS[:place] + form + ALL_DIGITS[place + 1 :])
            assert {"MOBILE_NUMBER"} == rules(f"13{form * 9}") == rules(f"{form * 3}甲{form * 3}13{form * 9}")


def test_sees_every_letter_of_a_passport_and_every_x() -> None:
    """Guards: letters of other alphabets, in circles, squares and flags are the letter that they look like."""
    for letter, forms in LIKE_LETTERS.items():
        digits = "0000001801" if letter in "HM" else "00000018"
        missed = [form for form in forms if "PASSPORT_NUMBER" not in rules(f"，{form}{digits}")]
        assert (letter, []) == (letter, missed)
    assert [] == [form for form in LIKE_X if "IDENTITY_NUMBER" not in rules(f"33010618800101009{form}")]
    for first in ("🅐", "🅰", "🇦", "\U0001ccd6", "Ⓐ", "🄰", "𝐀", "Ａ"):
        assert "ABCDEFGHIJKLMNOPQRSTUVWXYZ" == folded("".join(chr(ord(first) + place) for place in range(26)))
    assert "MC#,#" == folded("🅪甲，甲")


def test_sees_every_mark_that_groups_a_number() -> None:
    """Guards: every dash, dot, slash, space and apostrophe is the mark it looks like, and any other mark is another."""
    marks = {"-": DASHES, ".": DOTS, "/": SLASHES, "_": "_＿‿", " ": SPACES, "'": APOSTROPHES}
    for mark, forms in marks.items():
        assert mark * len(forms) == folded(forms)
    assert ",,,,," == folded("，：（☎\U0001fae9")
    assert "###" == folded("甲жꀀ")
    assert "" == folded("\u115f\u1160\u3164\uffa0\ufffc\u200b\u0332\x00\U000e0000\U000e0fff\u0903")
    assert [",", ","] == [folded("\U000e1000"), folded("\U000dffff")]


def test_sees_letters_that_stand_for_digits() -> None:
    """Guards: O, I and l are 0 and 1 in a word of 11 to 18 characters that is otherwise digits, seven at least."""
    found = ["l3800138000", "I38OOl38000", "o13800138000", "33O1O6188OO1O1OO14", "33O10618800101009x"]
    passed = ["I38OOl38OOO", "13800138OOOa", "aI3800138000", "OIl" * 4]

    assert [] == [text for text in found if not rules(text)]
    assert [] == [text for text in passed if rules(text)]
    assert [] == [form for form in "ОΟоοO" if rules(f"1380{form}138000") != {"MOBILE_NUMBER"}]
    assert [] == [form for form in "ІΙIl" if rules(f"{form}3800138000") != {"MOBILE_NUMBER"}]
    assert "13800138000" == folded("l38OOI38000") == folded("I38oO138000")


def test_seams_part_different_kinds_of_digits() -> None:
    """Guards: digits of one kind next to those of another are two groups, whichever comes first."""
    kinds = {
        "2": ["13800138000"],
        "二": ["一三八〇〇一三八〇〇〇", "壹叁捌零零壹叁捌零零零"],
        "２": ["１３８００１３８０００", "١٣٨٠٠١٣٨٠٠٠"],
        "②": ["①③⑧⓪⓪①③⑧⓪⓪⓪", "❶❸❽⓿⓿❶❸❽⓿⓿⓿"],
    }
    missed = [
        text
        for digit, numbers in kinds.items()
        for other in kinds.keys() - {digit}
        for number in numbers
        for text in (other + number, number + other)
        if rules(text) != {"MOBILE_NUMBER"}
    ]
    assert [] == missed
    assert ["1010", "1010", "20"] == [folded("🔟⑩"), folded("⑩🔟"), folded("٢\U0001ccf0")]
    assert {"MOBILE_NUMBER"} == rules("1\u20e33\u20e38\u20e300138000")


def test_decodes_every_way_to_encode() -> None:
    """Guards: percent-encoding of UTF-8 and GB 18030, references and escapes of every length, each round after round."""
    says = {
        "%31": "1", "%u0031": "1", r"\u0031": "1", r"\x31": "1", r"\U00000031": "1", "&#49;": "1", "&#x31;": "1",
        "%E4%B8%80": "一", r"\u4e00": "一", r"\ud835\udfcf": "𝟏", r"\U0001D7CF": "𝟏", r"\U0010FFFF": "\U0010ffff",
        "&amp;#49;": "&#49;", "%2531": "%31", r"a\u0031%31&#49;": "a111", "%D2%BB": "һ",
    }  # fmt: skip
    for text, meant in says.items():
        assert [text, meant] == list(readings(text))[:2]
    assert ["%D2%BB%A1", "一\ufffd"] == list(readings("%D2%BB%A1"))[:2]
    for plain in ("plain", "u\ud800", "\ud800"):
        assert [plain] == list(readings(plain))
    assert {"MOBILE_NUMBER"} == rules(rf"\ud800 {MOBILE}")
    assert {"MOBILE_NUMBER"} == rules("%D2%BB%C8%FD" + "%B0%CB" * 9)


def test_decodes_four_rounds_and_no_more() -> None:
    """Guards: what is encoded four times over is read, and what is encoded once more is refused."""
    four, five = (f"%{'25' * rounds}31" for rounds in (3, 4))

    assert "1" == list(readings(four))[-1]
    assert 5 == len(list(readings(four)))
    with pytest.raises(EncodedTooOften):
        list(readings(five))
    assert {"MOBILE_NUMBER"} == rules(f"{four}3800138000")
    assert {"UNREADABLE_TEXT"} == rules(f"{five}3800138000")


def test_remembers_no_more_than_the_basic_plane() -> None:
    """Guards: whatever is sent, the table of what characters mean stays below 65,536 rows."""
    folded("\U00010000\U00010001\uffff")

    assert [True, False, False] == [each in _FOLD for each in (0xFFFF, 0x10000, 0x10001)]


def test_nothing_that_is_passed_unfolded_says_a_digit() -> None:
    """Guards: of all characters, only digits and Chinese digits are passed over that say a digit, and those are counted."""
    counted = {*"0123456789", *"".join(CHINESE.values())}
    characters = [chr(code) for code in (*range(0x11000), *range(0x1F000, 0x20000), *range(0xE0000, 0xE1002))]
    says_digit = [each for each in characters if any(map(str.isdigit, folded(each))) and each not in counted]
    says_nothing = [each for each in characters if not folded(each)]

    assert (True, True) == ("廿" in says_digit, "\u200b" in says_nothing)
    assert [] == [each for each in [*says_digit, *says_nothing, "%", "&", "\\"] if is_passed_unfolded(each)]
    assert [] == [each for each in counted if is_passed_unfolded(each * 7)]
    assert {"MOBILE_NUMBER"} == rules("1仨亖亖亖亖亖亖亖亖亖")


def test_ordinary_text_needs_no_closer_look() -> None:
    """Guards: names and sentences in Chinese and English with six digits at most are passed as they are, for speed."""
    ordinary = [
        "",
        *CHINESE["7"],
        "一" * 6,
        "2014年8月7日",
        "123456",
        "第一财经日报（上海）2014",
        "“News”",
        "甲" * 16384,
    ]
    ordinary += [
        *map(chr, range(0x20, 0x7F)),
        *"\t\n\r",
        "ÀÖØöøÿ",
        "ぁゖァヺ",
        "、。《》「」『』【】（）“”‘’！？：；，·—…",
    ]
    tens = "亖什仨卄卅卌廾廿拾"  # which Unicode knows to be numbers
    looked_at = {"%", "&", "\\"}

    assert looked_at == {text for text in ordinary if not is_passed_unfolded(text)}
    assert [] == [
        chr(code) for code in range(0x4E00, 0xA000) if not is_passed_unfolded(chr(code)) and chr(code) not in tens
    ]
    assert [False] * 3 == [is_passed_unfolded(text) for text in ("1234567", "ꀀ", "䷿")]


def test_reads_texts_up_to_their_greatest_length() -> None:
    """Guards: 16,384 characters are read to the last, and one more is refused."""
    assert {"MOBILE_NUMBER"} == rules(MOBILE.rjust(16384))
    assert {"UNREADABLE_TEXT"} == rules("a" * 16385)
