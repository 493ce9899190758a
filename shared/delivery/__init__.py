"""Delivery: what leaves a node is stored first, sent in order for ever, and never lost or doubled."""
