"""Evidence: what lets anyone prove offline who stated what, and that a regulator's log holds it.

Read from the bottom up: `merkle` (RFC 6962 trees), `keys` and `keyring` (Ed25519), `notes` and `checkpoints` (signed
heads), `batches` (what an origin signs), `acknowledgements` and `runs` (how a log grows), `receipts` (the proof for one
entry) and `__main__`, the program `filing-verify`. Nothing here opens a socket or a database.
"""
