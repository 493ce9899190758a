"""How a provider verifies a real identity before it registers anyone (Art. 6(1)).

The network prescribes no method: a provider plugs in its own verifier, for example one that asks the official service.
The built-in one checks the form: check digits, regions, dates and telephone numbers. It proves that a number could
exist and never that it belongs to the person, and what it verifies says so.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final, Protocol

import phonenumbers

from shared.errors import FailedPrecondition, InvalidInput, Violation
from shared.provisions.credit_codes import check_uscc
from shared.provisions.identity_numbers import check_id_number
from shared.provisions.policy import CHINA_STANDARD_TIME
from shared.provisions.regions import region_of
from shared.provisions.subjects import SubjectKind

ENTRY_POINT_GROUP: Final = "filingnet.identity_verifiers"
_PERSON: Final = frozenset({SubjectKind.PERSON})


@dataclass(frozen=True, slots=True, repr=False)
class PersonIdentity:
    """The real identity of a person. It has no repr, so that no log can show it by accident."""

    real_name: str
    id_number: str
    phone: str


@dataclass(frozen=True, slots=True, repr=False)
class OrganisationIdentity:
    """An organisation's registered name and credit code, and the person who operates its account."""

    organisation_name: str
    uscc: str
    operator: PersonIdentity


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying an identity established, without the identity.

    Attributes:
        region: GB/T 2260 province where the subject is registered, by its number.
        kinds: the kinds of subject it can be.
        method: the verifier's name for what it did, for the audit trail: up to 40 small letters, "_", "." and "-"; no
            digits, so that no number can get into the trail.
    """

    region: str
    kinds: frozenset[SubjectKind]
    method: str


class IdentityVerifier(Protocol):
    """Verifies identities. An implementation raises InvalidInput where an identity does not hold, naming fields only."""

    async def verify_person(self, identity: PersonIdentity) -> Verification:
        """Verifies a person; raises InvalidInput, or Unavailable where it cannot be verified now."""
        ...

    async def verify_organisation(self, identity: OrganisationIdentity) -> Verification:
        """Verifies an organisation and its operator; raises like verify_person."""
        ...


class FormVerifier:
    """Verifies the form alone: what an identity number, a telephone number and a credit code must be to exist."""

    METHOD: Final = "form"

    def __init__(self, clock: Callable[[], datetime.datetime]) -> None:
        """Takes the clock that tells which birth dates lie in the future."""
        self._clock = clock

    async def verify_person(self, identity: PersonIdentity) -> Verification:
        """Verifies the form of a person's identity (GB 11643, telephone numbering plans).

        Args:
            identity: name, number and telephone; a telephone without country code is a mainland one, empty is none.

        Returns:
            The province of the number.

        Raises:
            InvalidInput: IDENTITY_NOT_VERIFIED with a violation for every wrong field.
        """
        region, violations = self._check_person(identity, "person")
        if violations:
            raise _not_verified(violations)
        return Verification(region, _PERSON, self.METHOD)

    async def verify_organisation(self, identity: OrganisationIdentity) -> Verification:
        """Verifies the form of an organisation's identity (GB 32100) and of its operator's.

        Args:
            identity: registered name, credit code and operator.

        Returns:
            The province of the credit code and the kinds of subject it can name.

        Raises:
            InvalidInput: IDENTITY_NOT_VERIFIED with a violation for every wrong field.
        """
        _, violations = self._check_person(identity.operator, "organisation.operator")
        if not identity.organisation_name.strip():
            violations.append(Violation("organisation.organisation_name", "NAME_MISSING", "give the registered name"))
        kinds: frozenset[SubjectKind] = frozenset()
        region = ""
        try:
            kinds = check_uscc(identity.uscc)
            region = region_of(f"{identity.uscc[2:4]}0000")
        except InvalidInput as error:
            violations.extend(Violation("organisation.uscc", fault.rule, fault.mend) for fault in error.violations)
        if violations:
            raise _not_verified(violations)
        return Verification(region, kinds, self.METHOD)

    def _check_person(self, identity: PersonIdentity, path: str) -> tuple[str, list[Violation]]:
        violations = []
        region = ""
        if not identity.real_name.strip():
            violations.append(Violation(f"{path}.real_name", "NAME_MISSING", "give the name as on the document"))
        try:
            today = self._clock().astimezone(CHINA_STANDARD_TIME).date()
            region = check_id_number(identity.id_number, today).region
        except InvalidInput as error:
            violations.extend(Violation(f"{path}.id_number", fault.rule, fault.mend) for fault in error.violations)
        if identity.phone and not _is_phone(identity.phone):
            mend = "give a number that can be dialled, with its country code where it is no mainland number"
            violations.append(Violation(f"{path}.phone", "PHONE_WRONG", mend))
        return region, violations


def load_verifier(name: str, clock: Callable[[], datetime.datetime]) -> IdentityVerifier:
    """Loads the verifier that a provider chose.

    Args:
        name: "form" for the built-in one, else the name of an entry point in the group filingnet.identity_verifiers
        whose
            object is called with the clock and returns an IdentityVerifier.
        clock: tells the time, aware.

    Returns:
        The verifier.

    Raises:
        FailedPrecondition: VERIFIER_UNKNOWN where no installed package offers that name.
    """
    if name == FormVerifier.METHOD:
        return FormVerifier(clock)
    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        verifier: IdentityVerifier = entry_point.load()(clock)
        return verifier
    raise FailedPrecondition(
        f"no installed package offers the identity verifier {name}: install it or use {FormVerifier.METHOD}",
        "VERIFIER_UNKNOWN",
    )


def _not_verified(violations: list[Violation]) -> InvalidInput:
    return InvalidInput("the identity could not be verified", "IDENTITY_NOT_VERIFIED", violations)


def _is_phone(text: str) -> bool:
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(text, "CN")))
    except phonenumbers.NumberParseException:
        return False
