"""Who may have how much under way: turns at intake go round between senders, and a caller has a room of its own."""

from __future__ import annotations

import asyncio

import pytest

from regulator_node.turns import Turns
from shared.call_room import Bounds, CallerRoom, Holder, stranger
from shared.errors import Exhausted, Unavailable

NODE = Holder("provider/wave", stranger=False)
BOUNDS = Bounds(unary=8, streams=8, unary_per_caller=3, streams_per_caller=3)


async def test_whoever_sends_little_waits_for_one_turn_of_each_other() -> None:
    """Promise 5: a sender who comes last behind hundreds of batches of two others is third, not last."""
    turns = Turns(1, most_bytes=10_000, most_bytes_of_one=10_000)
    order: list[str] = []

    async def send(sender: str) -> None:
        await turns.take(sender, 1)
        order.append(sender)
        turns.give_back(sender, 1)

    await turns.take("first", 1)
    senders = ["loud"] * 200 + ["louder"] * 200 + ["quiet"]
    waiting = [asyncio.create_task(send(sender)) for sender in senders]
    await asyncio.sleep(0)
    turns.give_back("first", 1)
    await asyncio.gather(*waiting)
    assert order.index("quiet") == 2
    assert sorted(senders) == sorted(order)


async def test_a_turn_of_who_went_away_is_the_next_ones() -> None:
    """Promise 5: callers that give up while they wait, or in the moment of their turn, hold nothing up."""
    turns = Turns(1, most_bytes=100, most_bytes_of_one=100)
    await turns.take("first", 1)
    gone = [asyncio.create_task(turns.take(f"gone{number}", 1)) for number in range(3)]
    stays = asyncio.create_task(turns.take("stays", 1))
    await asyncio.sleep(0)
    gone[0].cancel()
    await asyncio.sleep(0)
    turns.give_back("first", 1)
    gone[1].cancel()
    gone[2].cancel()
    async with asyncio.timeout(10):
        await stays
    turns.give_back("stays", 1)
    async with asyncio.timeout(10):
        await turns.take("first", 100)


async def test_one_senders_bytes_are_bounded_by_themselves() -> None:
    """Promise 5: who fills its own share is told to wait, a batch alone is always taken, and others have their room."""
    turns = Turns(64, most_bytes=100, most_bytes_of_one=40)
    await turns.take("loud", 41)
    with pytest.raises(Unavailable) as caught:
        await turns.take("loud", 1)
    assert "INTAKE_BUSY" == caught.value.reason
    assert "loud has as much on its way" in caught.value.message
    await turns.take("quiet", 40)
    with pytest.raises(Unavailable):
        await turns.take("third", 20)
    turns.give_back("loud", 41)
    await turns.take("third", 20)
    await turns.take("loud", 40)


def test_a_caller_has_its_own_room() -> None:
    """Promise 5: calls and streams are bounded for each caller by itself, and what ends makes room."""
    room = CallerRoom(BOUNDS)
    for streams in (False, True):
        for _ in range(3):
            room.take(NODE, streams=streams)
        with pytest.raises(Exhausted) as caught:
            room.take(NODE, streams=streams)
        assert "TOO_MANY_CALLS_OF_ONE" == caught.value.reason
    room.take(Holder("provider/harbour", stranger=False), streams=False)
    room.give_back(NODE, streams=False)
    room.take(NODE, streams=False)


def test_strangers_have_half_of_the_room_together() -> None:
    """Promise 5: from however many addresses strangers come, half is left for who has a certificate; health is asked on."""
    room = CallerRoom(BOUNDS)
    peers = [stranger(f"ipv4:192.0.2.{number}:4000") for number in range(1, 6)]
    for peer in peers[:4]:
        room.take(peer, streams=False)
    with pytest.raises(Exhausted) as caught:
        room.take(peers[4], streams=False)
    assert "TOO_MANY_CALLS" == caught.value.reason
    room.take(peers[4], streams=False, counted=False)
    room.take(NODE, streams=False)
    room.give_back(peers[0], streams=False)
    room.take(peers[4], streams=False)


def test_ports_of_one_address_are_one_stranger() -> None:
    """Promise 5: a new connection is no new room."""
    assert stranger("ipv4:192.0.2.1:4000") == stranger("ipv4:192.0.2.1:4001")
    assert stranger("ipv6:%5B2001:db8::1%5D:1") == stranger("ipv6:%5B2001:db8::2%5D:9")
    assert stranger("ipv4:192.0.2.1:4000") != stranger("ipv4:192.0.2.2:4000")
