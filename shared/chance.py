"""Where the chance in ids and in the waits between attempts comes from: the operating system, unless a context has a seed.

A simulation has to run again exactly as it ran, and gives its own context a seeded source. Nothing else in the process is
touched, and no secret is ever drawn here: keys, tokens and nonces come from the operating system alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_seeded: ContextVar[random.Random | None] = ContextVar("seeded_chance", default=None)

_SYSTEM: Final = random.SystemRandom()


def seeded_chance() -> random.Random | None:
    """Returns the seeded source of this context; None where there is none, as in every node."""
    return _seeded.get()


def jitter(most: float) -> float:
    """Returns a number between 0 and `most`."""
    return (_seeded.get() or _SYSTEM).uniform(0.0, most)


@contextmanager
def drawn_from(source: random.Random) -> Iterator[None]:
    """Draws from a seeded source in this context, and in the tasks that are made in it."""
    token = _seeded.set(source)
    try:
        yield
    finally:
        _seeded.reset(token)
