"""The call that is being served: who made it, for the servicer that answers it.

The interceptors set it; a servicer, and whatever it awaits or sends to a thread, reads it. Domain code never does: it
is passed the caller's name and jurisdiction as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from shared.trust.callers import Caller


@dataclass(frozen=True, slots=True)
class ServedCall:
    """One call under way.

    Attributes:
        method: full name, e.g. "/filingnet.network.v1.IntakeService/SubmitEntries".
        caller: who made it.
        recheck: raises once the caller may no longer make it.
    """

    method: str
    caller: Caller
    recheck: Callable[[], None]


_served_call: ContextVar[ServedCall] = ContextVar("served_call")


def current_caller() -> Caller:
    """Returns who made the call being served.

    Raises:
        LookupError: no call is being served here.
    """
    return _served_call.get().caller


def recheck_caller(context: Any) -> None:
    """Checks again, in a call that lasts, whether its caller may still make it.

    Args:
        context: the call's.

    Raises:
        Unauthenticated: its certificate or token has ended or was denied.
        PermissionDenied: it was suspended or denied, or the call is no longer for its role.
    """
    del context
    _served_call.get().recheck()


def set_current_call(call: ServedCall) -> None:
    """Makes a call the one being served in this task; gRPC serves each call in a task of its own."""
    _served_call.set(call)


@contextmanager
def serving(call: ServedCall) -> Iterator[None]:
    """Makes a call the one being served, for who calls a servicer without a server."""
    token = _served_call.set(call)
    try:
        yield
    finally:
        _served_call.reset(token)
