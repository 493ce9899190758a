"""What both nodes stand on: contracts, rules, evidence, trust, delivery, storage, and the harness that starts networks."""

import os

# gRPC's core writes lines of its own to stderr ("Got goaway"), where the nodes' logs are JSON. It reads this once, when
# grpc is first imported, which is after this package.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
