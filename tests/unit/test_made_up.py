"""Made-up subjects have to pass every check of form and be nobody; the sample input has to be the real list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from shared.clock import system_clock
from shared.cluster import made_up
from shared.cluster.sample import news_units
from shared.provisions.credit_codes import check_uscc
from shared.provisions.identity_numbers import check_id_number
from shared.provisions.licences import LicenceClass, LicenceNumber, parse_licence_number
from shared.provisions.policy import initial_policy
from shared.provisions.regions import PROVINCES
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import FormVerifier

REGIONS = st.sampled_from(sorted(PROVINCES))
ORGANISATIONS = st.sampled_from(sorted(set(SubjectKind) - {SubjectKind.UNSPECIFIED, SubjectKind.PERSON}))


@given(st.integers(1, 18_000_000), REGIONS)
async def test_a_made_up_person_passes_verification_and_was_born_before_1900(number: int, region: str) -> None:
    """Nobody alive carries a made-up number, and the real checks accept it."""
    identity = made_up.person(number, region)
    verification = await FormVerifier(system_clock).verify_person(identity)
    assert ("110000" if region == "100000" else region) == verification.region
    assert check_id_number(identity.id_number).birth_date.year < 1900
    assert identity.real_name.startswith("样例")


def test_made_up_people_differ() -> None:
    """One identity is one subject, so ten thousand made-up people need ten thousand numbers."""
    people = [made_up.person(number) for number in range(1, 40_000)]
    assert len(people) == len({identity.id_number for identity in people})
    assert len(people) == len({identity.real_name for identity in people})


@given(st.integers(0, 999_999), ORGANISATIONS, REGIONS)
async def test_a_made_up_organisation_passes_verification_as_its_kind(
    number: int, kind: SubjectKind, region: str
) -> None:
    """The registering department of a made-up credit code registers that kind of subject, in that region."""
    verification = await FormVerifier(system_clock).verify_organisation(
        made_up.organisation(number, "样例单位", kind, region)
    )
    assert region == verification.region
    assert kind in verification.kinds


@given(st.integers(0, 999_999), ORGANISATIONS, REGIONS)
def test_a_made_up_credit_code_satisfies_an_outside_check(number: int, kind: SubjectKind, region: str) -> None:
    """Another implementation of GB 32100 finds both check characters right as well."""
    code = made_up.credit_code(number, kind, region)
    assert code == uscc.validate(code)


def test_the_check_character_of_an_organisation_code_is_that_of_the_standards_own_example() -> None:
    """The code inside a made-up credit code holds by its own standard, GB 11714, whose example is D2143569-X."""
    assert "X" == made_up.code_check_character("D2143569")


@pytest.mark.parametrize("region", ["100000", "330000"])
def test_a_made_up_licence_number_reads_as_it_was_made(region: str) -> None:
    """A made-up provider holds a licence that intake can read: issued there, of that class."""
    expected = LicenceNumber(region, LicenceClass.PLATFORM, 2019, 17)
    assert expected == parse_licence_number(made_up.licence_number(region, 17))


def test_the_sample_is_the_whole_list() -> None:
    """The demo files every row of the real list, with regions, kinds and categories that the network knows."""
    units = news_units()
    assert len(units) == 366
    assert (units[0].name, units[0].region, units[0].kind) == ("人民网", "100000", "news_website")
    assert {unit.region for unit in units} <= set(PROVINCES)
    categories = {unit.usual_category for unit in units} | {unit.fitting_category for unit in units}
    assert categories <= initial_policy().category_codes


def test_some_names_of_the_sample_call_for_another_category() -> None:
    """Officers find something to return, by a rule that a reader of the list can follow."""
    mismatched = [unit.name for unit in news_units() if unit.usual_category != unit.fitting_category]
    assert {"经济日报", "法制日报", "科技日报"} <= set(mismatched)
    assert len(mismatched) < len(news_units()) / 10


def test_every_organisation_of_the_sample_gets_a_credit_code_of_its_kind() -> None:
    """What is made up for a real unit says nothing wrong about its kind."""
    wrong = [
        unit.name
        for unit in news_units()
        if unit.subject_kind not in check_uscc(made_up.credit_code(unit.number, unit.subject_kind, unit.region))
    ]
    assert wrong == []
