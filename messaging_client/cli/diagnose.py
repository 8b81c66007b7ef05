"""`messaging-client diagnose`."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.options import ServerArguments
from messaging_client.cli.output import can_show, console, in_utc, is_for_people, json_line, say, tabbed
from messaging_client.diagnosis import CHECKS, CheckOutcome, CheckResult, Diagnosis, diagnose
from messaging_client.harmless import printable

_MARKS = {
    CheckOutcome.OK: ("✓", "+", "green"),
    CheckOutcome.FAILED: ("✗", "x", "bold red"),
    CheckOutcome.SKIPPED: ("–", "-", "dim"),
}
_TITLE_WIDTH = max(map(len, CHECKS.values()))


async def show_diagnosis(server: ServerArguments, *, conversation: str | None, timeout: float, as_json: bool) -> int:
    """Print each check as it ends."""
    diagnosis = await diagnose(
        server.url,
        token=server.given_token(),
        config=server.config(),
        conversation_id=conversation,
        timeout=timeout,
        on_result=None if as_json else _Lines().show if is_for_people() else _show_tabbed,
    )
    if as_json:
        say(json_line(as_object(diagnosis)))
    elif is_for_people():
        failed = sum(each.outcome is CheckOutcome.FAILED for each in diagnosis.results)
        say("All is well." if diagnosis.ok else f"{failed} of {len(diagnosis.results)} checks failed.")
    return ExitCode.OK if diagnosis.ok else ExitCode.FAILED


def as_object(diagnosis: Diagnosis) -> dict[str, Any]:
    """Give a diagnosis as `--json` prints it."""
    checks = [
        {
            "name": each.name,
            "title": each.title,
            "outcome": str(each.outcome),
            "detail": each.detail,
            "advice": each.advice,
            "seconds": each.seconds,
            "facts": dict(each.facts),
        }
        for each in diagnosis.results
    ]
    return {"ok": diagnosis.ok, "url": diagnosis.url, "at": in_utc(diagnosis.at), "checks": checks}


def _show_tabbed(result: CheckResult) -> None:
    say(tabbed((result.outcome, result.name, result.detail, result.advice or "")))


class _Lines:
    """Lines for people: a mark, a title, what was seen, and what to do."""

    def __init__(self) -> None:
        self._console = console()
        self._plain = not can_show("✓✗–→")

    def show(self, result: CheckResult) -> None:
        """Print one."""
        mark, plain, style = _MARKS[result.outcome]
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column(width=_TITLE_WIDTH)
        grid.add_column(overflow="fold")
        quiet = "dim" if result.outcome is CheckOutcome.SKIPPED else ""
        grid.add_row(
            Text(plain if self._plain else mark, style), Text(result.title), Text(printable(result.detail), quiet)
        )
        if result.advice is not None:
            arrow = "->" if self._plain else "→"
            grid.add_row("", "", Text(f"{arrow} {printable(result.advice)}", "yellow"))
        self._console.print(grid)
