"""A load harness: 200 users write to each other at once, and how long messages take is shown as a plot.

    $ pip install "messaging-client[server]"        # and matplotlib, for a picture in place of a histogram in text
    $ python examples/load_harness.py [--users 200] [--messages 5] [--seconds 10] [--plot latency.png]

runs against an embedded server in a thread of this process, so that the numbers are of both together. Against a test
server of yours, with the key that it signs tokens with (`messaging-client serve --secret-file FILE`):

    $ MESSAGING_URL=http://127.0.0.1:3000 python examples/load_harness.py --secret-file FILE

Never point it at a server with real patients: it writes to people whom it makes up. Half of the users are patients,
each with a doctor of their own; every message is timed from the call that sends it until the other one's handler has
it. It ends with 0 if every message arrived once, with 1 if not. Ctrl-C ends it early.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from messaging_client import Id, Message, MessagingClient, MessagingError
from messaging_client.testing import BackgroundServer, mint_token

FIRST_USER = 100_000  # ids that nobody else has
CONNECTING_AT_A_TIME = 20
PATIENCE = 30.0  # seconds that the last messages get to arrive
BARS, WIDTH = 15, 50

Mint = Callable[[str, int], str]


class Measured:
    """When each message was sent, and how long it took."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.times_received: Counter[str] = Counter()
        self.latencies: list[float] = []  # seconds
        self.arrived = asyncio.Event()

    def receive(self, message: Message) -> None:
        """Note that a message has arrived."""
        now = time.perf_counter()
        self.times_received[message.content] += 1
        if message.content in self.sent:
            self.latencies.append(now - self.sent[message.content])
        self.arrived.set()

    async def wait_for(self, count: int) -> None:
        """Return once that many different messages have arrived, or none comes for `PATIENCE` seconds."""
        with suppress(TimeoutError):
            while len(self.times_received) < count:
                self.arrived.clear()
                async with asyncio.timeout(PATIENCE):
                    await self.arrived.wait()


@dataclass(frozen=True)
class Pair:
    """A patient and a doctor, connected, in one conversation."""

    clients: tuple[MessagingClient, MessagingClient]
    conversation_id: Id


async def prepare(clients: tuple[MessagingClient, MessagingClient], number: int, measured: Measured) -> Pair:
    """Connect a patient and a doctor."""
    patient, doctor = clients
    for client in clients:
        client.on_new_message(measured.receive)
        await client.connect()
    conversation = await patient.find_or_create_conversation("ordonnance", number, medecin_id=number)
    await asyncio.gather(*(client.join_conversation(conversation.id) for client in clients))
    return Pair((patient, doctor), conversation.id)


async def write(
    client: MessagingClient, conversation_id: Id, measured: Measured, given: argparse.Namespace, name: str
) -> None:
    """Send messages at random moments of the given time."""
    moments = sorted(random.uniform(0, given.seconds) for _ in range(given.messages))
    began = time.perf_counter()
    for number, moment in enumerate(moments):
        await asyncio.sleep(max(0.0, began + moment - time.perf_counter()))
        text = f"{name}, message {number}, {random.getrandbits(64):x}"
        measured.sent[text] = time.perf_counter()
        await client.send_message_to_conversation(conversation_id, text)


async def measure(url: str, mint: Mint, given: argparse.Namespace) -> Measured:
    """Connect everybody, let them write, and wait for what is on its way."""
    measured = Measured()
    limit = asyncio.Semaphore(CONNECTING_AT_A_TIME)
    clients: list[MessagingClient] = []

    async def one(number: int) -> Pair:
        async with limit:
            both = (
                MessagingClient(url, token=mint("patient", number)),
                MessagingClient(url, token=mint("medecin", number)),
            )
            clients.extend(both)
            return await prepare(both, number, measured)

    try:
        began = time.perf_counter()
        pairs = await asyncio.gather(*(one(FIRST_USER + each) for each in range(given.users // 2)))
        print(f"{len(clients)} users connected in {time.perf_counter() - began:.1f} s", flush=True)
        await asyncio.gather(
            *(
                write(client, pair.conversation_id, measured, given, f"{client.current_user}")
                for pair in pairs
                for client in pair.clients
            )
        )
        await measured.wait_for(len(measured.sent))
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))
    return measured


def report(measured: Measured) -> bool:
    """Print what was seen; gives whether every message arrived once."""
    lost = measured.sent.keys() - measured.times_received.keys()
    doubled = [text for text, times in measured.times_received.items() if times > 1]
    print(f"{len(measured.sent)} messages sent, {len(lost)} lost, {len(doubled)} doubled")
    if len(measured.latencies) > 1:
        cuts = statistics.quantiles(measured.latencies, n=100, method="inclusive")
        shown = {"median": cuts[49], "90 %": cuts[89], "99 %": cuts[98], "longest": max(measured.latencies)}
        print("from sender to receiver: " + ", ".join(f"{name} {1000 * each:.1f} ms" for name, each in shown.items()))
    return not lost and not doubled


def histogram(latencies: list[float]) -> Iterator[str]:
    """Draw the latencies in text, by powers of two of a millisecond."""
    counts = Counter(min(BARS - 1, max(0, int(1000 * each).bit_length())) for each in latencies)
    most = max(counts.values(), default=1)
    for each in range(min(counts, default=0), max(counts, default=0) + 1):
        bar = "#" * -(-WIDTH * counts[each] // most)
        yield f"{'< ' if each < BARS - 1 else '>='}{2 ** min(each, BARS - 2):>5} ms {counts[each]:>6} {bar}"


def plot(latencies: list[float], path: Path) -> None:
    """Draw the latencies as a picture where matplotlib is installed, in text where it is not."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")  # no window
        from matplotlib import pyplot
    except ImportError:
        print(*histogram(latencies), sep="\n")
        return
    figure, axes = pyplot.subplots()
    axes.hist([1000 * each for each in latencies], bins=50)
    axes.set(xlabel="from sender to receiver, ms", ylabel="messages", title=f"{len(latencies)} messages")
    figure.savefig(path)
    print(f"plotted in {path}")


@contextmanager
def server(secret_file: Path | None) -> Iterator[tuple[str, Mint]]:
    """Give the address of a server, and what makes tokens for it."""
    if secret_file is None:
        with BackgroundServer() as embedded:
            yield embedded.url, embedded.token
    else:
        secret = secret_file.read_text(encoding="utf-8").strip()
        yield os.environ["MESSAGING_URL"], lambda user_type, user_id: mint_token(secret, user_type, user_id)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Many users write to each other; shows how long messages take.")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--messages", type=int, default=5, help="that each user sends")
    parser.add_argument("--seconds", type=float, default=10.0, help="within which they are sent")
    parser.add_argument("--plot", type=Path, default=Path("latency.png"), help="where the picture goes")
    parser.add_argument("--secret-file", type=Path, help="the key of the server at MESSAGING_URL")
    return parser.parse_args()


def main(given: argparse.Namespace) -> int:
    with server(given.secret_file) as (url, mint):
        measured = asyncio.run(measure(url, mint, given))
    complete = report(measured)
    plot(measured.latencies, given.plot)
    return 0 if complete else 1


if __name__ == "__main__":
    try:
        sys.exit(main(parsed()))
    except KeyboardInterrupt:
        sys.exit(130)
    except KeyError:
        sys.exit("Set MESSAGING_URL to the address of the test server that --secret-file belongs to.")
    except (MessagingError, OSError) as error:
        sys.exit(str(error))
