"""The simulated time of a cluster: one file that all of its nodes follow, and that only moves forward."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from shared.clock import system_clock
from shared.errors import FailedPrecondition, InvalidInput
from shared.simulated_clock import read_offset, write_offset

FILE_NAME: Final = "time-offset"


class SimulatedTime:
    """Moves the time of a cluster's nodes.

    Args:
        root: the cluster's folder; where it holds a network whose time was moved, that time goes on.
        wanted: whether the time of a network that has none yet may be moved.
    """

    def __init__(self, root: Path, *, wanted: bool) -> None:
        self._file = root / FILE_NAME
        self._wanted = wanted

    @property
    def simulated(self) -> bool:
        """Whether the nodes follow the file."""
        return self._wanted or self._file.exists()

    def environment(self) -> Mapping[str, str]:
        """Returns what makes a node follow the file; nothing where the time is the machine's."""
        if not self.simulated:
            return {}
        if not self._file.exists():
            write_offset(self._file, timedelta(0))
        return {"FILINGNET_SIMULATED_TIME_FILE": str(self._file)}

    def now(self) -> datetime:
        """Returns what the nodes take for the time."""
        return system_clock() + (read_offset(self._file) if self._file.exists() else timedelta(0))

    def advance(self, by: timedelta) -> datetime:
        """Moves the time; what every node is asked from now on is judged by it.

        Returns:
            What the nodes take for the time now.

        Raises:
            FailedPrecondition: TIME_NOT_SIMULATED.
            InvalidInput: TIME_GOES_BACK.
        """
        if not self.simulated:
            message = "these nodes follow the machine's time: start the cluster with simulated_time=True"
            raise FailedPrecondition(message, "TIME_NOT_SIMULATED")
        if by < timedelta(0):
            raise InvalidInput("the time only moves forward: give what is to come", "TIME_GOES_BACK")
        write_offset(self._file, (read_offset(self._file) if self._file.exists() else timedelta(0)) + by)
        return self.now()
