"""Sends over REST, many at a time."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import httpx

from benchmarks.flood_server import running
from benchmarks.measure import Comparison, in_turn
from messaging_client import MessagingClient, MessagingConfig

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6NzksInJvbGUiOiJtZWRlY2luIn0.c2lnbmF0dXJl"


async def _ours(url: str, at_a_time: int, each: int) -> float:
    client = MessagingClient(url, token=TOKEN, config=MessagingConfig(notify_sent=False))

    async def send(conversation: int) -> None:
        for number in range(each):
            await client.send_message_to_conversation(conversation, f"message {number}")

    try:
        began = time.perf_counter()
        await asyncio.gather(*map(send, range(at_a_time)))
        return at_a_time * each / (time.perf_counter() - began)
    finally:
        await client.aclose()


async def _httpx(url: str, at_a_time: int, each: int) -> float:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as client:

        async def send(conversation: int) -> None:
            for number in range(each):
                body = {"contenu": f"message {number}", "type_message": "texte"}
                answer = await client.post(f"{url}/api/messaging/conversation/{conversation}/message", json=body)
                answer.raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*map(send, range(at_a_time)))
        return at_a_time * each / (time.perf_counter() - began)


async def compare(times: int, each: int) -> list[Comparison]:
    async with running() as url:
        return [
            await in_turn(
                f"sends in {at_a_time} conversations at a time",
                "plain httpx",
                "sends/s",
                partial(_ours, url, at_a_time, each),
                partial(_httpx, url, at_a_time, each),
                times,
            )
            for at_a_time in (16, 64)
        ]
