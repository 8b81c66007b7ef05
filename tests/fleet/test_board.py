from __future__ import annotations

import asyncio

from messaging_client.fleet.board import Board, Rest


async def took(board: Board) -> tuple[int, bool] | None:
    return await asyncio.wait_for(board.take(), 5)


async def test_what_another_worker_has_in_hand_comes_last() -> None:
    for _ in range(20):  # among several, one is drawn
        board = Board()
        await board.looked({1, 2}, {3, 4, 5, 6})
        await board.hint(7)
        taken = [await took(board) for _ in range(3)]
        assert {each for each in taken if each} == {(1, False), (2, False), (7, True)}
        last = await took(board)
        assert last is not None
        assert last[0] in {3, 4, 5, 6}


async def test_a_look_takes_the_place_of_the_look_before_and_leaves_hints() -> None:
    board = Board()
    await board.hint(1)
    await board.looked({2, 3}, {4})
    await board.looked({3}, set())
    assert {await took(board), await took(board)} == {(1, True), (3, False)}
    taking = asyncio.create_task(board.take())
    await board.looked({1, 3}, {1, 3})  # in hand here
    await board.close()
    assert await taking is None


async def test_what_is_told_of_a_partition_in_hand_is_tried_when_it_is_released() -> None:
    board = Board()
    await board.hint(1)
    assert await took(board) == (1, True)
    await board.hint(1)
    await board.release(1, Rest.NOTHING)
    assert await took(board) == (1, True)
    await board.release(1, Rest.ELSEWHERE)
    await board.hint(2)
    assert [await took(board), await took(board)] == [(2, True), (1, False)]
    await board.release(2, Rest.MORE)
    assert await took(board) == (2, True)
