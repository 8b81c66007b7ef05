"""Programs that use the blocking client end: after Ctrl-C, without close(), after an error. Real processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from messaging_client.testing import BackgroundServer

from .conftest import Program

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")

Run = Callable[[str], Program]

BEGIN = """
import signal, sys, threading, time
from messaging_client.sync import Message, MessagingClient

signal.signal(signal.SIGINT, signal.default_int_handler)
def pause(): time.sleep(60)
def await_main():
    # Until the main thread waits: for a lock, or sleeping in this very program.
    while not about_to_wait or sys._current_frames()[threading.main_thread().ident].f_code.co_name not in WAITS:
        time.sleep(0.001)
WAITS = ("wait", "pause")
about_to_wait = []
"""

INTERRUPTED = {
    "run_forever": "client.run_forever()",
    "wait_for_message": "client.conversation(CONVERSATION).__enter__().wait_for_message(lambda message: False)",
    "stream": "list(client.conversation(CONVERSATION).__enter__().stream())",
    "result": "client.expect(Message, lambda message: False, timeout=60.0).__enter__().result()",
    "sleep": "pause()",
}


@pytest.mark.parametrize("wait", INTERRUPTED.values(), ids=INTERRUPTED)
def test_ctrl_c_ends_what_waits(run: Run, messaging_server: BackgroundServer, conversation: int, wait: str) -> None:
    program = run(
        f"""{BEGIN}
with MessagingClient.from_env() as client:
    @client.on_new_message
    def look(message):
        await_main()
        print("message", flush=True)

    client.join_all()
    try:
        print("ready")
        about_to_wait.append(True)
        {wait.replace("CONVERSATION", str(conversation))}
    except KeyboardInterrupt:
        print("interrupted", client.check_health())
        raise
"""
    )
    server: Any = messaging_server
    assert program.line() == "ready"
    server.say(conversation, "a", ("patient", 5))  # a thread for handlers is there too
    assert program.line() == "message"
    program.process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    code, out, errors = program.end(10)
    assert time.monotonic() - begin < 2.0
    assert code in (-signal.SIGINT, 130), errors
    assert out.strip() == "interrupted True", errors
    assert errors.strip().endswith("KeyboardInterrupt")
    assert errors.count("Traceback") == 1, errors
    server.wait_until(lambda inside: not inside.connections())


def test_ctrl_c_during_a_handler_that_does_not_return(run: Run, conversation: int) -> None:
    program = run(
        f"""{BEGIN}
with MessagingClient.from_env() as client:
    @client.on_new_message(own=True)
    def stuck(message):
        print("stuck", flush=True)
        time.sleep(60)

    client.join_all()
    client.send_message_to_conversation({conversation}, "a")
    client.run_forever()
"""
    )
    assert program.line() == "stuck"
    program.process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    code, _, errors = program.end(10)
    assert time.monotonic() - begin < 2.5
    assert code in (-signal.SIGINT, 130), errors
    assert errors.count("Traceback") == 1, errors


def test_a_second_ctrl_c_does_not_wait_for_close(run: Run, conversation: int) -> None:
    program = run(
        f"""{BEGIN}
client = MessagingClient.from_env()
client.connect()
@client.on_new_message(own=True)
def stuck(message):
    await_main()
    print("stuck", flush=True)
    time.sleep(60)

client.join_all()
client.send_message_to_conversation({conversation}, "a")
try:
    about_to_wait.append(True)
    client.close(drain=50)
except KeyboardInterrupt:
    print("closed", client.close())
"""
    )
    assert program.line() == "stuck"
    program.process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    code, out, errors = program.end(20)
    assert time.monotonic() - begin < 3.0
    assert (code, out.strip()) == (0, "closed CloseReport(unsent=(), cancelled=0)"), errors


@pytest.mark.parametrize(
    ("last", "expected"),
    [("", 0), ("sys.exit(3)", 3), ("1 / 0", 1)],
    ids=["end", "sys.exit", "error"],
)
def test_a_program_ends_without_close(
    run: Run, messaging_server: BackgroundServer, conversation: int, last: str, expected: int
) -> None:
    program = run(
        f"""{BEGIN}
client = MessagingClient.from_env()
client.connect()
other = MessagingClient.from_env()
client.join_all()
@client.on_new_message(own=True)
def stuck(message):
    print("stuck", flush=True)
    time.sleep(60)

session = client.conversation({conversation}).__enter__()
stream = session.stream()
session.send("a")
threading.Thread(target=session.wait_for_message, args=(lambda message: False,), daemon=True).start()
sys.stdin.read()
{last}
"""
    )
    assert program.line() == "stuck"
    begin = time.monotonic()
    code, _, errors = program.end(10)
    assert time.monotonic() - begin < 2.0
    assert code == expected, errors
    assert errors.count("Traceback") == last.startswith("1"), errors
    assert "Task was destroyed" not in errors
    assert "ResourceWarning" not in errors
    server: Any = messaging_server
    server.wait_until(lambda inside: not inside.connections())


ENDLESS = {
    "stream": "print(list(session.stream()))",
    "stream again and again": "while True: list(session.stream())",
    "wait_for_message": "session.wait_for_message(lambda message: False)",
    "result": "client.expect(Message, lambda message: False, timeout=None).__enter__().result()",
    "run_forever": "client.run_forever()",
}


@pytest.mark.parametrize("wait", ENDLESS.values(), ids=ENDLESS)
def test_a_program_ends_though_a_thread_waits_for_what_does_not_come(run: Run, conversation: int, wait: str) -> None:
    """A thread that is no daemon is waited for before anything is closed that `atexit` closes."""
    program = run(
        f"""{BEGIN}
from messaging_client.sync import NotConnected

client = MessagingClient.from_env()
client.connect()
session = client.conversation({conversation}).__enter__()

def work():
    try:
        print("waiting", flush=True)
        {wait}
    except NotConnected:
        pass
    print("over", flush=True)

threading.Thread(target=work).start()
sys.stdin.read()
"""
    )
    assert program.line() == "waiting"
    begin = time.monotonic()
    code, out, errors = program.end(20)
    assert time.monotonic() - begin < 10.0
    assert (code, errors) == (0, "")
    assert out.splitlines()[-1] == "over"


def test_what_threads_are_about_when_the_main_thread_ends_is_finished(
    run: Run, messaging_server: BackgroundServer, conversation: int
) -> None:
    program = run(
        f"""{BEGIN}
client = MessagingClient.from_env()
client.connect()

def work():
    threading.main_thread().join()
    for number in range(5):
        time.sleep(0.6)  # in all, longer than a call may take
        client.send_message_to_conversation({conversation}, str(number))
    print(client.close(), flush=True)

threading.Thread(target=work).start()
"""
    )
    code, out, errors = program.end(30)
    assert (code, errors) == (0, "")
    assert out.strip() == "CloseReport(unsent=(), cancelled=0)"
    server: Any = messaging_server
    assert [each["contenu"] for each in server.messages(conversation)] == list("01234")


def test_a_program_ends_while_the_server_is_away(run: Run, messaging_server: BackgroundServer) -> None:
    server: Any = messaging_server
    program = run(
        f"""{BEGIN}
client = MessagingClient.from_env()
client.connect()
print("connected")
lost = threading.Event()
client.on_connection_change(lambda change: lost.set())
lost.wait()
"""
    )
    assert program.line() == "connected"
    server.stop()
    begin = time.monotonic()
    code, _, errors = program.end(10)
    assert time.monotonic() - begin < 5.0
    assert (code, errors) == (0, "")


def test_a_forked_process_is_told_to_make_another_client(run: Run) -> None:
    program = run(
        f"""{BEGIN}
import os, warnings
warnings.simplefilter("ignore")
client = MessagingClient.from_env()
client.connect()
child = os.fork()
if child == 0:
    try:
        client.check_health()
    except Exception as error:
        print(type(error).__name__, error)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(client.check_health())
"""
    )
    code, out, errors = program.end(10)
    assert code == 0, errors
    first, second = out.splitlines()
    assert first.startswith("NotConnected This client belongs to the process")
    assert second == "True"
