"""Events of your own: two people of a conversation agree on a call by `webrtc_offer` and `webrtc_answer`.

    $ export MESSAGING_URL=... MESSAGING_TOKEN=...  # of the doctor
    $ python examples/webrtc_offer.py answer 15     # waits for calls in conversation 15, until Ctrl-C
    $ export MESSAGING_URL=... MESSAGING_TOKEN=...  # of the patient, in another terminal
    $ python examples/webrtc_offer.py call 15       # calls, and ends when the call was answered

The server has to relay events of these names to the conversation's room; the embedded one does so with
`ServerOptions(relay_events=["webrtc_offer", "webrtc_answer"])`. Session descriptions would come from a WebRTC library
such as aiortc; here they are made up. They hold network addresses, and are not printed.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from messaging_client import CustomEvent, ExpectTimeout, Id, MessagingClient, MessagingError

ASK_AGAIN = 2.0  # seconds: an event reaches who is there at that moment, and nobody later
ATTEMPTS = 15


def description(kind: str) -> dict[str, str]:
    """Stand for what a WebRTC library gives."""
    return {"type": kind, "sdp": "v=0\r\n"}


async def answer_calls(client: MessagingClient, conversation_id: Id) -> None:
    """Answer the offers of the conversation until the client is closed."""

    @client.on("webrtc_offer")
    async def offered(payload: Any = None, *_more: Any) -> None:
        # Somebody else wrote this: take nothing for granted, neither that it is an object nor that it has the fields.
        if not isinstance(payload, Mapping) or payload.get("conversationId") != conversation_id:
            return
        call_id = payload.get("callId")
        if not isinstance(call_id, str):
            return
        # An offer that comes again is answered again: the first answer may have got lost.
        reply = {"conversationId": conversation_id, "callId": call_id, "answer": description("answer")}
        await client.emit("webrtc_answer", reply)
        print(f"answered a call in conversation {conversation_id}", flush=True)

    await client.join_conversation(conversation_id)
    print("ready", flush=True)
    await client.run_forever()


async def call(client: MessagingClient, conversation_id: Id) -> None:
    """Offer a call until it is answered.

    Raises:
        ExpectTimeout: nobody answered.
    """
    call_id = str(uuid.uuid4())
    offer = {"conversationId": conversation_id, "callId": call_id, "offer": description("offer")}

    def is_answer(event: CustomEvent) -> bool:
        payload = event.args[0] if event.args else None
        return event.name == "webrtc_answer" and isinstance(payload, Mapping) and payload.get("callId") == call_id

    await client.join_conversation(conversation_id)
    for attempt in range(1, ATTEMPTS + 1):
        async with client.expect(CustomEvent, is_answer, timeout=ASK_AGAIN) as answer:
            await client.emit("webrtc_offer", offer)
        try:
            await answer
        except ExpectTimeout:
            if attempt == ATTEMPTS:
                raise
        else:
            print("the call was answered", flush=True)
            return


async def main(what: str, conversation_id: Id) -> None:
    async with MessagingClient.from_env() as client:
        await (answer_calls if what == "answer" else call)(client, conversation_id)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("answer", "call") or not sys.argv[2].isdecimal():
        sys.exit("usage: webrtc_offer.py answer|call CONVERSATION, which is the number of one")
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(main(sys.argv[1], int(sys.argv[2])))
    except MessagingError as error:
        sys.exit(str(error))
