"""Clients of the nodes: plain Python values in and out, the catalogue's errors, no protobuf showing.

`shared.client.provider` is for a provider's backend, `shared.client.officer` for officers and operators of regulators.
"""
