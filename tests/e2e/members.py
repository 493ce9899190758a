"""Nodes that joined a cluster for real and have no process: their keys and certificates, in the hands of a test."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from shared.client.officer import OfficerClient
from shared.cluster.network import Cluster
from shared.evidence.keys import SigningKey
from shared.joining import ask_to_join
from shared.trust.credentials import Credentials
from shared.trust.enrolment import enrolment_request
from shared.trust.tokens import EnrolmentToken, parse_token


async def token_at(cluster: Cluster, office: OfficerClient, name: str, jurisdiction: str) -> tuple[EnrolmentToken, str]:
    """Has the nation make a token; returns it for the nation's own address, with its secret.

    Args:
        cluster: the network.
        office: of the nation.
        name: the node that will join.
        jurisdiction: of a provider; a regulator's name says its own.
    """
    provider = name.startswith("provider/")
    licence = (
        next(iter([node.licence async for node in office.nodes() if node.licence is not None])) if provider else None
    )
    made = await office.create_token(
        name, title="样例节点", jurisdiction=jurisdiction if provider else "", licence=licence
    )
    token, secret = parse_token(made.text)
    return dataclasses.replace(token, endpoint=cluster.nation.public_address), secret


async def joined(
    cluster: Cluster, office: OfficerClient, folder: Path, name: str, jurisdiction: str = ""
) -> tuple[Credentials, SigningKey]:
    """Lets a node join; returns what proves who it is.

    Args:
        cluster: the network.
        office: of the nation.
        folder: an empty one that is made.
        name: of the node.
        jurisdiction: of a provider.
    """
    token, secret = await token_at(cluster, office, name, jurisdiction)
    folder.mkdir()  # noqa: ASYNC240 - a test may
    credentials, key = Credentials.create(folder, name), SigningKey.generate()
    endpoint = "" if name.startswith("provider/") else "127.0.0.1:9"
    answer = await ask_to_join(token, enrolment_request(secret, credentials.certificate_request(), key, endpoint))
    credentials.install(answer.certificate_chain, [token.ca_certificate])
    return credentials, key
