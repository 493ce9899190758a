"""peewee wraps the errors of a driver in its own; what they mean is in the driver's."""

from __future__ import annotations

import peewee


def driver_error(error: BaseException) -> BaseException:
    """Returns the driver's error that peewee wrapped in its own, or the same error."""
    wrapped = getattr(error, "orig", None) if isinstance(error, peewee.PeeweeException) else None
    return wrapped if isinstance(wrapped, BaseException) else error
