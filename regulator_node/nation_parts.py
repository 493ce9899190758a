"""What a regulator that is the nation consists of beside the rest: documents, CAs, enrolments, the office over them."""

from __future__ import annotations

from collections.abc import Callable

from regulator_node.authorities import Authorities
from regulator_node.enrolments import Enrolments
from regulator_node.nation_documents import NationDocuments
from regulator_node.national import NationalOffice
from regulator_node.own_keys import office_settings
from regulator_node.parts import Parts
from shared.trust.authority import Authority


def make_office(parts: Parts, authority: Authority, compared: Callable[[], bool]) -> NationalOffice:
    """Puts the national office together.

    Args:
        parts: of the nation's node.
        authority: the CA in use.
        compared: tells whether the node knows that it holds the newest documents.
    """
    database, view, clock, trust_clock = parts.database, parts.view, parts.clock, parts.trust_clock
    documents = NationDocuments(
        database,
        parts.register_log,
        view,
        clock,
        on_change=parts.log_changes.notify,
        trust_clock=trust_clock,
        compared=compared,
    )
    settings = office_settings(parts.settings)
    authorities = Authorities(
        parts.settings.authority_folder,
        authority,
        database,
        view,
        documents,
        parts.credentials,
        settings.certificate_lifetime,
        clock,
        trust_clock,
    )
    enrolments = Enrolments(database, view, documents, authorities, settings, clock, trust_clock)
    return NationalOffice(database, view, documents, enrolments, authorities, clock)
