"""What needs no server: lists from their bytes, and the import."""

from __future__ import annotations

import compileall
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Benchmark, Plan, Row, Setting, Side, at_most
from benchmarks.processes import ROOT, node, python, run
from tests.interop.node_process import why_no_node

_TIMED = """
import json, time
began = time.perf_counter()
{}
taken = time.perf_counter() - began
print(json.dumps({{"measured": {{"ms": taken * 1000}}, "uses": []}}))
"""


def conversation(number: int) -> dict[str, Any]:
    """A conversation as a list of the server's has it."""
    contexts = ("Ordonnance", "Consultation", "Examen")
    return {
        "id_conversation": number,
        "titre": f"Messages - {contexts[number % 3]} {number}",
        "type_conversation": "patient_medecin",
        "statut": "archivée" if number % 10 == 0 else "active",
        "date_creation": "2025-08-23T10:00:00.000Z",
        "date_modification": f"2025-08-23T11:{number % 60:02}:00.000Z",
        "participants": [
            {"id": number, "type": "patient", "info": {"nom": "Dupont", "prenom": "Marie"}},
            {
                "id": 79,
                "type": "medecin",
                "info": {"nom": "Saza", "prenom": "Sakura", "specialite": "Cardiologue"},
            },
        ],
        "nombre_non_lus": number % 4,
        "dernier_message": {
            "contenu": "Bonsoir docteur",
            "date_envoi": "2025-08-23T11:00:00.000Z",
            "expediteur_id": number,
            "expediteur_type": "patient",
        },
    }


def _written(count: int, folder: str) -> Path:
    path = Path(folder, "conversations.json")
    data = {"conversations": [conversation(number) for number in range(1, count + 1)]}
    path.write_text(json.dumps({"status": "success", "data": data}, ensure_ascii=False), encoding="utf-8")
    return path


@asynccontextmanager
async def _lists(setting: Setting) -> AsyncIterator[Plan]:
    count = setting.some(10_000, 500)
    work = f"{count:,} conversations, bytes → `Conversation`"
    with tempfile.TemporaryDirectory() as folder:
        path = _written(count, folder)
        given = {"path": str(path), "times": setting.some(2, 1)}
        sides: dict[str, Side] = {
            "ours": partial(python, "ours", "lists", given, speed=setting.speed),
            "pydantic": partial(python, "validated", "lists", given, speed=setting.speed),
        }
        rows = [Row(work, "ours", "ms", "ms", "pydantic with aliases and validators", "pydantic", at_most(0.6))]
        if reason := why_no_node():
            print(f"*** lists: ITS ROW AGAINST JAVASCRIPT IS SKIPPED: {reason}", file=sys.stderr)
        else:
            sides["javascript"] = partial(node, "lists", given)
            rows.append(Row(work, "ours", "ms", "ms", "JavaScript, parse and map (stretch)", "javascript", at_most(2)))
        yield Plan(sides=sides, rows=rows)


@asynccontextmanager
async def _import(setting: Setting) -> AsyncIterator[Plan]:
    # As installing a package does; the libraries come so.
    compileall.compile_dir(ROOT / "messaging_client", quiet=2)
    theirs = "import socketio, httpx, pydantic"
    imports = {"package": "import messaging_client", "class": "from messaging_client import MessagingClient"}
    yield Plan(
        sides={
            side: partial(run, sys.executable, "-c", _TIMED.format(what))
            for side, what in {**imports, "theirs": theirs}.items()
        },
        rows=[
            Row(f"`{what}`", side, "ms", "ms", f"`{theirs}`", "theirs", at_most(0.6)) for side, what in imports.items()
        ],
        rounds=15,
        discarded=1,
    )


BENCHMARKS = (
    Benchmark("lists", "conversations from the bytes of a list", _lists, needs_node=False, both=True),
    Benchmark("import", "importing the package", _import, needs_node=False),
)
