"""Delivery to a register that holds another history than the one that was acknowledged: nothing of it is believed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.database import Database, open_database, sqlite_url
from shared.evidence.forks import Contradiction, proven, verify_fork
from shared.evidence.hashing import ProofError
from tests.integration.delivery_samples import MIGRATIONS, queue, states, worker_to
from tests.integration.filing_samples import MIGRATIONS as REGISTER_MIGRATIONS
from tests.integration.filing_samples import NOW, REGULATOR, Register, made_up_filing


@pytest.fixture
async def register(tmp_path: Path) -> AsyncIterator[Register]:
    """The regulator's register."""
    opened = await Register.open(sqlite_url(tmp_path / "register.db"))
    yield opened
    await opened.database.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The provider's database."""
    opened = open_database(database_url, MIGRATIONS)
    yield opened
    await opened.close()


async def another_history(register: Register, folder: Path) -> Register:
    """An empty register of the same regulator: what an old backup is."""
    other = Register(
        open_database(sqlite_url(folder / "other.db"), REGISTER_MIGRATIONS), register.provider_key, register.key
    )
    await other.database.write(lambda transaction: other.log.create(transaction, NOW))
    return other


async def test_a_second_history_is_not_recorded_and_is_proven(
    database: Database, register: Register, tmp_path: Path
) -> None:
    """Promises 1 and 4: another entry at a place that was acknowledged to this provider stays queued, and two heads prove it.

    Before, the second acknowledgement was dropped in silence and the entry called delivered under the first one.
    """
    other = await another_history(register, tmp_path)
    await queue(database, made_up_filing())
    await worker_to(database, register).drain()
    await queue(database, made_up_filing(), made_up_filing())
    with pytest.raises(Contradiction, match="two entries at one place") as caught:
        await worker_to(database, other).drain()
    assert [1, 0, 0] == await states(database)
    error = caught.value
    assert error.kept is not None
    proof = proven(error.held, error.shown, register.ring, error.kept)
    assert proof is not None
    found = verify_fork(proof, register.ring)
    assert (1, 2) == (found.smaller.checkpoint.size, found.larger.checkpoint.size)
    await other.database.close()


async def test_a_log_that_was_put_back_is_not_believed(database: Database, register: Register) -> None:
    """A new entry at a place that another jurisdiction had cosigned is no receipt: it would look final and never was."""
    await queue(database, made_up_filing())
    await database.write(
        lambda transaction: transaction.execute("UPDATE destination SET final_size = 5 WHERE name = ?", (REGULATOR,))
    )
    with pytest.raises(ProofError, match="put back"):
        await worker_to(database, register).drain()
    assert [0] == await states(database)


async def test_a_register_that_was_put_back_refuses_nothing_that_is_believed(
    database: Database, register: Register, tmp_path: Path
) -> None:
    """Promise 6: an amendment of an account that the regulator has lost waits, and is taken once the log is what it was.

    Before, the refusal was recorded, and the account stopped until somebody sent it again by hand.
    """
    behind = await another_history(register, tmp_path)
    opened = made_up_filing()
    await queue(database, opened)
    await worker_to(database, register).drain()
    await queue(database, made_up_filing(opened.account_id, revision=2))
    with pytest.raises(ProofError, match="0 entries, after it had signed 1"):
        await worker_to(database, behind).drain()
    assert [1, 0] == await states(database)
    await worker_to(database, register).drain()
    assert [1, 1] == await states(database)
    await behind.database.close()
