"""Writes the first inputs of the corpus, from the examples of the wire protocol: `python -m tests.fuzz.seeds`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.fuzz.target import READERS

CORPUS = Path(__file__).parent / "corpus"
VECTORS = Path(__file__).parents[1] / "vectors"


def cases(name: str) -> list[Any]:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))["cases"]


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def seeds() -> Iterator[bytes]:
    messages = [case["wire"] for case in cases("messages")][::3]
    conversations = [case["wire"] for case in cases("conversations")][::2]
    pages = {"page": 1, "limit": 50, "total": 2, "totalPages": 1}
    people = [{"participant_id": 5, "participant_type": "patient"}, {"id": 79, "type": "medecin", "name": "S"}]
    for number in range(len(READERS)):
        prefix = bytes([number])
        for wire in (messages if number in (1, 2, 3, 6, 7, 10) else conversations if number in (0, 8) else people)[:6]:
            body = {"messages": [wire], "conversations": [wire], "participants": people, "pagination": pages, **wire}
            yield prefix + dumped({"status": "success", "data": body})
    for case in cases("events"):
        yield bytes([len(READERS)]) + b"2" + dumped([case["event"], case["wire"]])
    for frame in (b'23["new_message",{}]', b"3[1]", b'51-["x",{"_placeholder":true,"num":0}]', b'0{"sid":"a"}', b"4{}"):
        yield bytes([len(READERS)]) + frame
    for status in (0, 100, 101, 104, 129, 200, 203):
        yield bytes([len(READERS) + 1, status]) + dumped(
            {"status": "fail", "message": "refus", "error": {"detail": "x"}}
        )
    for title in ("Messages - Ordonnance 15", "Ordonnance #15", "Examen n° 23"):
        yield bytes([len(READERS) + 2]) + title.encode()
    for case in cases("claims"):
        yield bytes([len(READERS) + 3]) + dumped(case)


if __name__ == "__main__":
    for seed in seeds():
        (CORPUS / sha256(seed).hexdigest()[:16]).write_bytes(seed)
