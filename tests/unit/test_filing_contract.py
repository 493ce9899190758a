"""The short cut past protovalidate lets nothing pass that protovalidate would refuse."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.mapping.filing_contract import _surely_kept, entry_violations
from shared.pb.filingnet.network.v1 import decision_pb2, entry_pb2
from shared.validation import field_violations
from tests.integration.filing_samples import made_up_entry, made_up_filing

TEXTS = st.one_of(
    st.sampled_from(
        ["", "样例", "样" * 65, "a" * 101, "x\u0007", "x\u2028", "x\u200b", "x\u00a0y", "x\u3000y", "\U0001f600"]
    ),
    st.text(max_size=70),
)
NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 4, 5, 6, 100_000, 100_001, 1_000_000, 1_000_001])
CODES = st.sampled_from(["", "lifestyle", "Lifestyle", "a", "a" * 41, "life-style", "lifestyle\n"])
PLACES = st.sampled_from(["", "330000", "330100", "930000", "330000\n", "３30000"])
IDS = st.sampled_from(["", "0d9e7a3c-2f52-4c3a-9d7e-6f1f6f0f9a11", "0d9e7a3c2f524c3a9d7e6f1f6f0f9a11", "x" * 36])
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "account_id": IDS,
        "revision": NUMBERS,
        "action": NUMBERS,
        "display_name": TEXTS,
        "category": CODES,
        "subject_kind": NUMBERS,
        "uscc": st.sampled_from(["", "91330000000000012B", "9133000000000001ＢB", "x" * 18]),
        "person_reference": st.binary(max_size=17),
        "organisation_name": TEXTS,
        "subject_region": PLACES,
        "agreement_version": NUMBERS,
        "withdrawal_reason": NUMBERS,
    },
)
ENTRY_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "entry_id": IDS,
        "origin": st.sampled_from(["", "provider/wave", "provider/W", "regulator/330000", "provider/wave\n"]),
        "jurisdiction": PLACES,
        "sequence": NUMBERS,
    },
)
TIMES = ["identity_verified_time", "reviewed_time", "effective_time"]


@given(CHANGES, ENTRY_CHANGES, st.sets(st.sampled_from([*TIMES, "created_time"]), max_size=1))
def test_what_passes_keeps_the_contract(
    changes: dict[str, Any], entry_changes: dict[str, Any], cleared: set[str]
) -> None:
    """Whatever is changed in a good filing, what the short cut lets pass has no violation."""
    entry = entry_pb2.Entry.FromString(made_up_entry(made_up_filing(**changes), **entry_changes))
    for name in cleared:
        (entry.filing if name in TIMES else entry).ClearField(name)
    if _surely_kept(entry):
        assert [] == field_violations(entry)
    assert field_violations(entry) == entry_violations(entry)


def test_good_filings_take_the_short_cut() -> None:
    """An ordinary filing passes without protovalidate, of an organisation and of a person."""
    person = made_up_filing(subject_kind="SUBJECT_KIND_PERSON", person_reference=bytes(16), organisation_name="")
    for filing in (made_up_filing(), person):
        assert _surely_kept(entry_pb2.Entry.FromString(made_up_entry(filing)))


def test_other_kinds_are_judged_whole() -> None:
    """An entry that holds no filing is left to protovalidate."""
    entry = entry_pb2.Entry(filing_decision=decision_pb2.FilingDecision())
    assert field_violations(entry) == entry_violations(entry) != []
