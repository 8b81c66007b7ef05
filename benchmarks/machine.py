"""What the figures were measured on, and with."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.processes import ROOT, SPEED, cores
from tests.interop.node_process import HERE as INTEROP
from tests.interop.node_process import why_no_node

_PYTHON = ("python-socketio", "python-engineio", "aiohttp", "httpx", "pydantic")
_NODE = ("socket.io", "socket.io-client", "express", "axios")


def speed_installed() -> list[str]:
    """What of the extra for speed is installed."""
    return [name for name in SPEED if _version(name)]


def described() -> dict[str, str]:
    """Machine, versions and time, in words."""
    pinned = "server and client on a core each" if cores() else "server and client not held apart"
    machine = f"{platform.machine()}, {_processor()}, {os.cpu_count()} cores ({pinned}), {platform.system()}"
    libraries = [f"{name} {found}" for name in (*_PYTHON, *SPEED) if (found := _version(name))]
    told = {
        "machine": machine,
        "python": f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}; {', '.join(libraries)}",
        "node": _node(),
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "tree": _tree(),
    }
    if hasattr(os, "getloadavg"):
        told["load"] = f"{os.getloadavg()[0]:.1f}"
    return told


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "processor unknown"


def _node() -> str:
    if why_no_node() is not None:
        return "no Node"
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    wanted = json.loads((INTEROP / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return f"Node {told.removeprefix('v')}; {', '.join(f'{name} {wanted[name]}' for name in _NODE)}"


def _tree() -> str:
    """The commit that was measured, and whether the sources differ from it."""

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("rev-parse", "--short", "HEAD")
    if not commit:
        return "not a checkout"
    return (
        f"{commit}, changed" if git("status", "--porcelain", "--", "messaging_client", "benchmarks/sides") else commit
    )
