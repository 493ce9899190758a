"""The guard measured: how many disguised numbers it finds, and how many clean texts it stops."""

from __future__ import annotations

from collections import Counter

from shared.egress import findings
from tests.tried import Tried
from tests.unit.made_up_texts import (
    GLUED,
    REGIONS,
    SCRIPTS,
    SEPARATORS,
    clean_texts,
    disguised_numbers,
    licence_texts,
)

SMALL_STRIDE = 97
"""Of the disguised numbers, every so manieth is tried at small size: no dimension of them repeats in such steps."""
CLEAN_TEXTS, CLEAN_AT_FULL_SIZE = 200, 6_000
MOST_ALARMS = 0.002
TOLD_ALARMS = {"address with a long id", "order number", "order of a bank", "hashed picture", "parcel", "ULID"}
TOLD_ALARMS |= {"credit code", "credit code in words"}
"""What may by chance be a valid identity number, a mobile number or a passport as well."""


def rules(text: str) -> set[str]:
    return {finding.rule for finding in findings(text)}


def test_every_number_in_every_disguise_is_found(tried: Tried, full_size: bool) -> None:
    """Promise 9: every region's numbers, mobiles, passports and permits, in every script, separator, glue and address."""
    stride = 1 if full_size else SMALL_STRIDE
    texts, missed, seen = 0, [], set[str]()
    for rule, what, text in disguised_numbers(stride):
        texts += 1
        seen.update(what.split(", "))
        if rule not in rules(text):
            missed.append((what, text))
    assert ([], set()) == (missed, {*SCRIPTS, *SEPARATORS, *GLUED} - seen)
    assert len([each for each in seen if each.startswith("resident of ")]) == len(REGIONS)
    tried(9, "disguised identities", texts=texts, missed=len(missed))


def test_false_alarms_on_made_up_clean_texts_are_those_that_are_told(tried: Tried, full_size: bool) -> None:
    """Promise 9: of what newsrooms and machines write, the guard stops just the few that docs/security.md tells."""
    alarms: Counter[str] = Counter()
    texts = 0
    for kind, text in clean_texts(CLEAN_AT_FULL_SIZE if full_size else CLEAN_TEXTS):
        texts += 1
        alarms[kind] += bool(findings(text))
    stopped = {kind for kind, count in alarms.items() if count}
    assert set() == stopped - TOLD_ALARMS
    assert max(alarms.values()) <= CLEAN_AT_FULL_SIZE * MOST_ALARMS
    tried(
        9,
        "clean texts",
        texts=texts,
        false_alarms=alarms.total(),
        rate=f"{100 * alarms.total() / texts:.4f} %",
    )


def test_licence_numbers_pass_but_for_three_provinces() -> None:
    """A licence's number in a sentence passes, but where it is a mobile number as well: 13, 14 and 15 begin both."""
    stopped = Counter(region[:2] for region, text in licence_texts() if findings(text))
    assert {"13", "14", "15"} == set(stopped)
