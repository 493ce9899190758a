"""Real identities on the wire of a provider's local API, the only one that has them, and as the rules see them."""

from __future__ import annotations

from shared.pb.filingnet.provider.v1 import subject_service_pb2
from shared.provisions.verification import OrganisationIdentity, PersonIdentity


def person_from_wire(message: subject_service_pb2.PersonIdentity) -> PersonIdentity:
    """Reads a person's identity."""
    return PersonIdentity(message.real_name, message.id_number, message.phone)


def person_to_wire(person: PersonIdentity) -> subject_service_pb2.PersonIdentity:
    """Returns the message of a person's identity."""
    return subject_service_pb2.PersonIdentity(
        real_name=person.real_name, id_number=person.id_number, phone=person.phone
    )


def organisation_from_wire(message: subject_service_pb2.OrganisationIdentity) -> OrganisationIdentity:
    """Reads an organisation's identity."""
    return OrganisationIdentity(message.organisation_name, message.uscc, person_from_wire(message.operator))


def organisation_to_wire(organisation: OrganisationIdentity) -> subject_service_pb2.OrganisationIdentity:
    """Returns the message of an organisation's identity."""
    return subject_service_pb2.OrganisationIdentity(
        organisation_name=organisation.organisation_name,
        uscc=organisation.uscc,
        operator=person_to_wire(organisation.operator),
    )
