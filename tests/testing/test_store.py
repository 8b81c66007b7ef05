from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from messaging_client.errors import ConfigurationError
from messaging_client.testing.messaging import context_of_title
from messaging_client.testing.records import Identity
from messaging_client.testing.store import Store

MARIE = Identity("patient", 5)


def add(store: Store, contenu: str, at: int = 0) -> int:
    with store.writing():
        return store.add_message(1, MARIE, contenu, "texte", sent_ms=at, client_message_id=None)


def test_a_file_keeps_what_it_holds(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    store = Store(path)
    add(store, "a")
    store.close()
    store = Store(path)
    assert [each.contenu for each in store.messages(1)] == ["a"]
    store.close()


def test_a_failed_transaction_leaves_nothing() -> None:
    store = Store(":memory:")

    def fail_half_way() -> None:
        with store.writing():
            store.add_message(1, MARIE, "a", "texte", sent_ms=0, client_message_id=None)
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert store.messages(1) == []
    add(store, "b")
    assert [each.contenu for each in store.messages(1)] == ["b"]
    store.close()


def test_hostile_text_is_text() -> None:
    store = Store(":memory:")
    hostile = "'); DROP TABLE messages; -- \x00 ☺"
    add(store, hostile)
    assert store.messages(1)[0].contenu == hostile
    store.close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    content = b"not a database at all, but long enough to have a header" * 3
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="another path"):
        Store(str(path))
    assert path.read_bytes() == content


def test_a_database_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (a)")
    other.close()
    with pytest.raises(ConfigurationError, match="version 0"):
        Store(str(path))


def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="check the path"):
        Store(str(tmp_path / "nowhere" / "a.db"))


def test_two_at_one_file_take_turns(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    Store(path).close()

    def write(name: str) -> None:
        store = Store(path)
        for n in range(50):
            add(store, f"{name}{n}")
        store.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = Store(path)
    assert len({each.contenu for each in store.messages(1)}) == 100
    store.close()


def test_what_was_stored_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    program = """
import os, signal, sys
from messaging_client.testing.records import Identity
from messaging_client.testing.store import Store
store = Store(sys.argv[1])
for n in range(100):
    with store.writing():
        store.add_message(1, Identity("patient", 5), str(n), "texte", sent_ms=n, client_message_id=None)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert killed.returncode == -9
    store = Store(str(path))
    assert [each.contenu for each in store.messages(1)] == [str(n) for n in range(100)]
    store.close()


@pytest.mark.parametrize(
    ("title", "context"),
    [
        ("Messages - Ordonnance 15", ("ordonnance", 15)),
        ("Messages - Ordonnance #15", ("ordonnance", 15)),
        ("Ordonnance n° 15", ("ordonnance", 15)),
        ("EXAMEN: 023", ("examen", 23)),
        ("Suivi de consultation - 7", ("consultation", 7)),
        ("Consultation du 3 mai #9", ("consultation", 9)),
        ("Consultation du 3 mai 2025", ("consultation", 2025)),
        ("Examen puis ordonnance 4", ("examen", 4)),
        ("Ordonnance", None),
        ("Suivi 15", None),
        ("Ordonnance 99999999999999999999", None),
    ],
)
def test_contexts_of_titles(title: str, context: tuple[str, int] | None) -> None:
    assert context_of_title(title) == context
