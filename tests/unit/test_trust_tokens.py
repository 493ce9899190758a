"""A token file is read as it was made or not at all, and what is kept of it opens nothing."""

import re
from dataclasses import replace
from hashlib import sha256

import pytest

from shared.errors import InvalidInput
from shared.trust.authority import Authority
from shared.trust.tokens import EnrolmentToken, make_bearer, make_token, parse_token, token_hash
from tests.unit.trust_samples import NOW


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> EnrolmentToken:
    """What a token is for."""
    authority = Authority.create(tmp_path_factory.mktemp("authority"), NOW)
    return EnrolmentToken("nation.example:7443", "provider/wave", "330000", authority.certificate_pem)


def test_round_trip(token: EnrolmentToken) -> None:
    """What was made is what is read, and the hash kept is that of the secret handed out."""
    text, digest = make_token(token)
    read, secret = parse_token(text)
    assert token == read
    assert digest == token_hash(secret) == sha256(secret.encode()).digest()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert len(text) < 8192


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n\n" + text + "\n\n",
        lambda text: text.replace("\n", "  \n"),
        lambda text: text.rstrip("\n"),
    ],
    ids=["line ends", "empty lines", "spaces", "no last newline"],
)
def test_copied_by_hand(token: EnrolmentToken, change: object) -> None:
    """Line ends and spaces that mail programs change do not matter."""
    text, _ = make_token(token)
    assert callable(change)
    assert token == parse_token(change(text))[0]


def test_every_changed_character_is_found(token: EnrolmentToken) -> None:
    """A token file with any one character changed or left out is refused before anything is sent."""
    text, _ = make_token(token)
    reasons = set()
    for place, character in enumerate(text):
        if character.isspace():
            continue
        for other in ("", "x" if character != "x" else "y"):
            with pytest.raises(InvalidInput) as caught:
                parse_token(text[:place] + other + text[place + 1 :])
            reasons.add(caught.value.reason)
    assert {"TOKEN_FILE_WRONG"} == reasons


@pytest.mark.parametrize("text", ["", "token", "filingnet enrolment token v1", "\0" * 9000, "浙江"])
def test_no_token_file(text: str) -> None:
    """Any other text is refused in the same words."""
    with pytest.raises(InvalidInput) as caught:
        parse_token(text)
    assert "TOKEN_FILE_WRONG" == caught.value.reason


def test_every_cut_is_found(token: EnrolmentToken) -> None:
    """A token file cut anywhere is refused."""
    text, _ = make_token(token)
    for length in range(len(text) - 1):
        with pytest.raises(InvalidInput):
            parse_token(text[:length])


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "nation.example"},
        {"endpoint": "nation.example:7443\nnode: regulator/100000"},
        {"node_name": "provider/Wave"},
        {"jurisdiction": "330100"},
        {"ca_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    ],
)
def test_malformed_purpose(token: EnrolmentToken, wrong: dict[str, str]) -> None:
    """No token is made that could not be read, or would read as something else."""
    with pytest.raises(InvalidInput):
        make_token(replace(token, **wrong))


def test_secrets_are_new(token: EnrolmentToken) -> None:
    """No two tokens share a secret, and errors never repeat one."""
    secrets = {parse_token(make_token(token)[0])[1] for _ in range(10)}
    bearers = {make_bearer() for _ in range(10)}
    assert 20 == len(secrets) + len(bearers)
    text, _ = make_token(token)
    secret = parse_token(text)[1]
    with pytest.raises(InvalidInput) as caught:
        parse_token(text.replace("checksum: ", "checksum: 0"))
    assert secret not in str(caught.value)


def test_bearer() -> None:
    """Of a bearer token only its hash is kept."""
    bearer, digest = make_bearer()
    assert 43 == len(bearer)
    assert digest == token_hash(bearer)
