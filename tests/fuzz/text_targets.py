"""Fuzz targets for words with a form of their own: numbers, names, addresses, searches, and what the guard reads."""

from __future__ import annotations

from pathlib import Path

from regulator_node.text_index import match_expression, parse_query
from shared.cluster.made_up import credit_code, person
from shared.egress import findings
from shared.egress.disguises import folded, readings
from shared.listening import split_address
from shared.provisions.credit_codes import check_uscc
from shared.provisions.identity_numbers import check_id_number
from shared.provisions.licences import parse_licence_number
from shared.provisions.subjects import SubjectKind
from shared.trust.names import jurisdiction_of, name_of, officer_name, parse_officer_name, spiffe_id, tls_host
from tests.fuzz.target import Target, text_of


def licence_numbers(data: bytes, _: Path) -> None:
    """A licence number that is read is written as the same digits."""
    text = text_of(data)
    read = parse_licence_number.__wrapped__(text)
    assert text == f"{read.jurisdiction[:2]}{read.licence_class}{read.year:04}{read.serial:04}"


def credit_codes(data: bytes, _: Path) -> None:
    """A credit code that is read has 18 characters of its alphabet."""
    text = text_of(data)
    check_uscc(text)
    assert (18, True) == (len(text), text.isascii())


def identity_numbers(data: bytes, _: Path) -> None:
    """An identity number that is read tells a date that the calendar has."""
    text = text_of(data)
    assert f"{check_id_number(text).birth_date:%Y%m%d}" == text[6:14]


def addresses(data: bytes, _: Path) -> None:
    """An address that is read is written as one that reads the same."""
    host, port = split_address(text_of(data))
    assert split_address(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") == (host, port)


def spiffe_names(data: bytes, _: Path) -> None:
    """A name has one SPIFFE ID, and an ID one name."""
    text = text_of(data)
    officer = parse_officer_name(text)
    if officer is not None:
        assert officer_name(officer.jurisdiction, officer.role.value, officer.post) == text
    assert name_of(spiffe_id(text)) == text
    assert spiffe_id(name_of(f"spiffe://filingnet/{text}")).endswith(text)
    if text.startswith("regulator/"):
        assert f"{jurisdiction_of(text)}.regulator.filingnet" == tls_host(text)


def spiffe_ids(data: bytes, _: Path) -> None:
    """An ID that is read is that of its name, to the last character."""
    text = text_of(data)
    assert spiffe_id(name_of(text)) == text


def searched_texts(data: bytes, _: Path) -> None:
    """What an officer typed: refused, or a query of words that the database's language cannot mistake."""
    expression = match_expression(parse_query(text_of(data)))
    assert expression.count('"') == 2 * (expression.count(" AND ") + 1)


def guarded_texts(data: bytes, _: Path) -> None:
    """The guard answers whatever it is given, in its few characters, and its own code is never the reason."""
    text = data.decode("utf-8", "surrogateescape")
    assert "GUARD_FAILED" not in {finding.rule for finding in findings(text)}
    for reading in readings(text_of(data)):
        assert folded(reading).isascii()


def text_targets() -> list[Target]:
    """Returns the targets of this module."""
    number = person(1).id_number
    disguised = [number, " ".join(number), "一三八〇〇一三八〇〇〇", "%E5%93%81&#49;\\u0039", "E00000018", "样例①②③"]
    refusals = (*Target("", licence_numbers, []).refusals, ValueError)
    return [
        Target("licence-numbers", licence_numbers, [b"33320250001"], longest=64),
        Target("credit-codes", credit_codes, [credit_code(1, SubjectKind.ENTERPRISE, "330000").encode()], longest=64),
        Target("identity-numbers", identity_numbers, [number.encode()], longest=64),
        Target("addresses", addresses, [b"127.0.0.1:7400", b"[::1]:1", b"unix:/tmp/x"], longest=300),
        Target("spiffe-names", spiffe_names, [b"provider/wave", b"officer/330000/reader/desk-1"], longest=200),
        Target("spiffe-ids", spiffe_ids, [b"spiffe://filingnet/regulator/330000"], longest=200),
        Target("searched-texts", searched_texts, ["样例 公众号 news".encode()], longest=1000),
        Target("guarded-texts", guarded_texts, [text.encode() for text in disguised], refusals, longest=20_000),
    ]
