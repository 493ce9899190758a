"""Tokens: the file with which a node joins once, and the bearer tokens of officers.

A token's secret is 32 random bytes. Whoever made it keeps only a hash, so that a copied database opens nothing; the
secret is random, so that a plain hash is enough. The enrolment token is a file for people to hand on: it says what it
is for, brings the CA that the nation is known by, and a checksum that finds a damaged copy before anything is sent.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography import x509

from shared.errors import InvalidInput, Violation
from shared.evidence.names import is_jurisdiction, is_node_name
from shared.trust.certificate_requests import UNREADABLE

MAX_TOKEN_FILE_CHARACTERS: Final = 8192
"""Longest token file that is read."""

_SECRET_BYTES: Final = 32
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_ENDPOINT: Final = re.compile(r"[A-Za-z0-9.-]{1,253}:[0-9]{1,5}")
_TITLE: Final = "filingnet enrolment token v1"
_LABELS: Final = ("node", "jurisdiction", "endpoint", "secret", "checksum")


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """What an enrolment token says beside its secret.

    Attributes:
        endpoint: host:port of the nation's public listener.
        node_name: the node that may join with it.
        jurisdiction: that node's jurisdiction.
        ca_certificate: PEM of the CA by which the nation is known; of each, while one takes another's place.
    """

    endpoint: str
    node_name: str
    jurisdiction: str
    ca_certificate: str


def make_token(token: EnrolmentToken) -> tuple[str, bytes]:
    """Makes a one-time token.

    Args:
        token: what it is for.

    Returns:
        The token file's text, to be handed over once, and the 32-byte hash of its secret, to be stored.

    Raises:
        InvalidInput: TOKEN_FILE_WRONG, what it is for is malformed.
    """
    _check(token)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    body = _lines(token, secret)
    lines = [_TITLE, *body[:4], f"checksum: {_checksum(body)}", *body[4:]]
    return "\n".join(lines) + "\n", token_hash(secret)


def parse_token(text: str) -> tuple[EnrolmentToken, str]:
    """Reads a token file. Line ends of any system and spaces around lines do not matter.

    Args:
        text: the file's content.

    Returns:
        What the token is for, and its secret.

    Raises:
        InvalidInput: TOKEN_FILE_WRONG, it is not a token file, or not as it was made.
    """
    if len(text) > MAX_TOKEN_FILE_CHARACTERS:
        raise _wrong()
    lines = [line.strip() for line in text.strip().splitlines()]
    if len(lines) <= len(_LABELS) + 1 or lines[0] != _TITLE:
        raise _wrong()
    values = {}
    for label, line in zip(_LABELS, lines[1:], strict=False):
        found, _, values[label] = line.partition(": ")
        if found != label:
            raise _wrong()
    certificate = "\n".join(lines[len(_LABELS) + 1 :]) + "\n"
    token = EnrolmentToken(values["endpoint"], values["node"], values["jurisdiction"], certificate)
    if values["checksum"] != _checksum(_lines(token, values["secret"])) or not is_token(values["secret"]):
        raise _wrong()
    _check(token)
    return token, values["secret"]


def parse_token_for(text: str, node_name: str) -> tuple[EnrolmentToken, str]:
    """Reads a token file that a node is given to join again; see `parse_token`.

    Raises:
        InvalidInput: TOKEN_FILE_WRONG; TOKEN_FOR_ANOTHER, it was made for another node.
    """
    token, secret = parse_token(text)
    if token.node_name != node_name:
        mend = f"ask the nation for one that is made for {node_name}"
        violation = Violation("token_file", "TOKEN_FOR_ANOTHER", mend)
        raise InvalidInput(f"the token is for {token.node_name}: {mend}", "TOKEN_FOR_ANOTHER", [violation])
    return token, secret


def token_hash(secret: str) -> bytes:
    """Returns the 32-byte hash by which a token is known to whoever made it."""
    return sha256(secret.encode()).digest()


def make_bearer() -> tuple[str, bytes]:
    """Makes a bearer token.

    Returns:
        The token, 43 characters, to be shown once, and its 32-byte hash, to be stored.
    """
    token = secrets.token_urlsafe(_SECRET_BYTES)
    return token, token_hash(token)


def is_token(text: str) -> bool:
    """Tells whether a text has the form of a token: base64url of 32 bytes."""
    return _SECRET.fullmatch(text) is not None


def _lines(token: EnrolmentToken, secret: str) -> list[str]:
    return [
        f"node: {token.node_name}",
        f"jurisdiction: {token.jurisdiction}",
        f"endpoint: {token.endpoint}",
        f"secret: {secret}",
        *token.ca_certificate.strip().splitlines(),
    ]


def _checksum(lines: list[str]) -> str:
    return sha256("\n".join([_TITLE, *lines]).encode()).hexdigest()


def _check(token: EnrolmentToken) -> None:
    try:
        x509.load_pem_x509_certificates(token.ca_certificate.encode())
    except UNREADABLE as error:
        raise _wrong() from error
    if (
        not is_node_name(token.node_name)
        or not is_jurisdiction(token.jurisdiction)
        or _ENDPOINT.fullmatch(token.endpoint) is None
    ):
        raise _wrong()


def _wrong() -> InvalidInput:
    return InvalidInput(
        "the token file is cut, changed or no token file: copy it again, or ask an officer for a new one",
        "TOKEN_FILE_WRONG",
    )
