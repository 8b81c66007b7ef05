"""A patient and a doctor with blocking clients, and programs that run by themselves."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messaging_client.sync import MessagingClient
from messaging_client.testing import BackgroundServer

PATIENT = ("patient", 5)
DOCTOR = ("medecin", 79)
TIMEOUT = 20.0


def client_threads() -> list[threading.Thread]:
    """Threads of blocking clients."""
    return [each for each in threading.enumerate() if each.name.startswith("messaging_client")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(client_threads())
    yield
    for each in set(client_threads()) - before:
        each.join(TIMEOUT)
        assert not each.is_alive(), each


@pytest.fixture
def conversation(messaging_server: BackgroundServer) -> int:
    """A conversation of the patient and the doctor."""
    server: Any = messaging_server
    made: int = server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
    return made


@pytest.fixture
def patient(no_thread_is_left: None, messaging_client_factory: Callable[..., MessagingClient]) -> MessagingClient:
    """A connected client of the patient."""
    client = messaging_client_factory(*PATIENT)
    client.connect()
    return client


@pytest.fixture
def doctor(no_thread_is_left: None, messaging_client_factory: Callable[..., MessagingClient]) -> MessagingClient:
    """A connected client of the doctor."""
    client = messaging_client_factory(*DOCTOR)
    client.connect()
    return client


class Program:
    """A Python program in a process of its own, with URL and token in its environment."""

    def __init__(self, text: str, server: BackgroundServer) -> None:
        environment = {"MESSAGING_URL": server.url, "MESSAGING_TOKEN": server.token(*DOCTOR), "PATH": ""}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-X", "dev", "-u", "-c", text],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self, timeout: float) -> tuple[int, str, str]:
        """Give exit code, further output and errors, once it has ended."""
        out, errors = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, errors


@pytest.fixture
def run(messaging_server: BackgroundServer) -> Iterator[Callable[[str], Program]]:
    """Runs programs, killed at the end of the test if they have not ended."""
    programs: list[Program] = []

    def start(text: str) -> Program:
        programs.append(Program(text, messaging_server))
        return programs[-1]

    yield start
    for each in programs:
        each.process.kill()
        each.process.communicate()
