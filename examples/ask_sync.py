"""A plain script without asyncio: a patient asks a doctor about a prescription, and waits for the answer.

    $ messaging-client serve                        # in another terminal, a server to try it on
    $ export MESSAGING_URL=... MESSAGING_TOKEN=...  # the line that it prints for the patient
    $ python examples/ask_sync.py 15 79 "Faut-il prendre le traitement le matin ?" [SECONDS]

asks doctor 79 about ordonnance 15, and prints the answer. It ends with 0 if there was one, with 2 if none came in time
(60 seconds unless told otherwise): the question stays asked.
"""

from __future__ import annotations

import sys

from messaging_client.sync import ExpectTimeout, MessagingClient, MessagingError


def main(ordonnance: str, doctor: str, question: str, seconds: float) -> int:
    with (
        MessagingClient.from_env() as client,
        client.open_conversation("ordonnance", ordonnance, medecin_id=doctor) as session,
    ):
        sent = session.send(question)
        print(f"message {sent.id} is {sent.status}; waiting for the answer", file=sys.stderr, flush=True)
        try:
            reply = session.wait_for_message(timeout=seconds)
        except ExpectTimeout:
            print("no answer yet", file=sys.stderr)
            return 2
        print(f"{reply.sender.display_name}: {reply.content}")
        session.mark_as_read(reply)
        return 0


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: ask_sync.py ORDONNANCE DOCTOR QUESTION [SECONDS]")
    ordonnance, doctor, question, *rest = sys.argv[1:]
    try:
        seconds = float(rest[0]) if rest else 60.0
    except ValueError:
        sys.exit("SECONDS must be a number, such as 60.")
    try:
        sys.exit(main(ordonnance, doctor, question, seconds))
    except KeyboardInterrupt:
        sys.exit(130)
    except MessagingError as error:
        sys.exit(str(error))
