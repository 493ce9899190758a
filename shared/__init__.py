"""What both nodes stand on: contracts, rules, evidence, trust, delivery, storage, and the harness that starts networks."""
