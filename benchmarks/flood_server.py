"""A server in a process of its own that does as little as it can, so that what is measured is the client.

Over Socket.IO it sends as many messages as it is asked for, at once, in frames encoded before; over REST it takes
messages without storing them, and has none when it is asked for them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

OPEN = '0{"sid":"flood","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'


def message(number: int) -> dict[str, Any]:
    """A message in event spelling, about 450 bytes."""
    return {
        "id": number,
        "conversation_id": 15,
        "content": "Bonjour docteur, " + "je vous écris au sujet de mon ordonnance. " * 3,
        "type": "text",
        "sender": {"id": 5, "type": "patient", "name": "Marie Dupont"},
        "recipient": {"id": 79, "type": "medecin", "name": "Dr. Sakura Saza"},
        "timestamp": f"2025-08-23T10:{number // 60_000 % 60:02}:{number // 1000 % 60:02}.{number % 1000:03}Z",
        "status": "sent",
    }


async def flood(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str(OPEN)
    async for frame in socket:
        if frame.type is not WSMsgType.TEXT:
            break
        if frame.data.startswith("40"):
            await socket.send_str('40{"sid":"flood"}')
        elif frame.data.startswith('42["flood"'):
            _, first, count = json.loads(frame.data[2:])
            frames = [f"42{json.dumps(['new_message', message(first + each)])}" for each in range(count)]
            await socket.send_str('42["ready"]')
            for each in frames:
                await socket.send_str(each)
    return socket


_NUMBERS = itertools.count(1)


async def post(request: web.Request) -> web.Response:
    body = await request.json()
    stored = {
        "id_message": next(_NUMBERS),
        "conversation_id": int(request.match_info["id"]),
        "expediteur_id": 79,
        "expediteur_type": "medecin",
        "contenu": body["contenu"],
        "date_envoi": "2025-08-23T10:00:00.000Z",
        "statut": "envoyé",
    }
    return web.json_response({"status": "success", "data": {"message": stored}}, status=201)


async def none(_request: web.Request) -> web.Response:
    return web.json_response({"status": "success", "data": {"messages": []}})


@asynccontextmanager
async def running() -> AsyncIterator[str]:
    """Run the server in a process of its own for the block; gives its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.flood_server", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.terminate()
        await process.wait()


async def main() -> None:
    app = web.Application()
    app.router.add_get("/socket.io/", flood)
    app.router.add_post("/api/messaging/conversation/{id}/message", post)
    app.router.add_get("/api/messaging/conversation/{id}/messages", none)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
