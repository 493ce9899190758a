"""Faults at every step: what is killed, torn, cut off or lied to, and what still holds."""
