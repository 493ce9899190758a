"""What keeps a node a member of the network: it reaches the others where the directory says, renews its certificate
with the nation, and trusts the CAs of the newest directory.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from shared.channel import Peer, translated
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import enrolment_service_pb2, enrolment_service_pb2_grpc
from shared.trust.credentials import Credentials
from shared.trust.names import NATION

RENEW_SECONDS: Final = 30.0
"""How long the nation may take to sign a renewed certificate."""


class Membership:
    """One node's.

    Args:
        view: the documents held.
        credentials: the node's TLS key and certificate.
    """

    def __init__(self, view: NetworkView, credentials: Credentials) -> None:
        self._view = view
        self._credentials = credentials

    def peer(self, name: str) -> Peer:
        """Opens the channel to a node of the directory, wherever that says it listens; to be closed."""
        return Peer(name, partial(self._endpoint, name), self._credentials)

    async def renew(self, certificate_request: str) -> str:
        """Has the nation sign a new certificate.

        Args:
            certificate_request: PKCS #10 in PEM.

        Returns:
            The chain in PEM.

        Raises:
            RemoteError: the nation refused, or could not be reached.
        """
        peer = self.peer(NATION)
        try:
            stub = peer.stub(enrolment_service_pb2_grpc.EnrolmentServiceStub)
            request = enrolment_service_pb2.RenewCertificateRequest(certificate_request=certificate_request)
            response = await translated(stub.RenewCertificate(request, timeout=RENEW_SECONDS))
        finally:
            await peer.close()
        return str(response.certificate_chain)

    async def trust_for_ever(self) -> None:
        """Trusts the CAs of each new directory, until cancelled."""
        while True:
            ticket = self._view.changes.ticket()
            self._credentials.trust(self._view.directory.ca_certificates)
            await ticket.wait()

    def _endpoint(self, name: str) -> str:
        node = self._view.directory.node(name)
        return node.endpoint if node is not None else ""
