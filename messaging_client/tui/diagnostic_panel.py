"""The diagnostic panel: what this client knows of itself, and every check between it and live messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from messaging_client import ConnectionChange, MessagingClient, MessagingError
from messaging_client.diagnosis import CHECKS, CheckOutcome, CheckResult
from messaging_client.harmless import plain
from messaging_client.tui.connection_bar import connection_words

_MARKS = {
    CheckOutcome.OK: ("✓", "bold $text-success"),
    CheckOutcome.FAILED: ("✗", "bold $text-error"),
    CheckOutcome.SKIPPED: ("–", "$foreground-muted"),
}


class Diagnose(Protocol):
    """Makes the checks, as `messaging_client.diagnosis.diagnose` does."""

    def __call__(self, on_result: Callable[[CheckResult], object]) -> Awaitable[object]:
        """Make all checks; `on_result` is called with each result."""
        ...


class DiagnosticPanel(ModalScreen[None]):
    """Runs the checks and shows each as it comes.

    Args:
        client: the client, whose state and counters are shown too.
        diagnose: makes the checks.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "run", "Run again"),
        Binding("escape,f4,q", "dismiss", "Close", key_display="esc"),
    ]

    def __init__(self, client: MessagingClient, diagnose: Diagnose) -> None:
        super().__init__()
        self._client = client
        self._diagnose = diagnose
        self._results: dict[str, CheckResult] = {}
        self._end = ""

    def compose(self) -> ComposeResult:
        """Give the panel."""
        with VerticalScroll(id="diagnosis", classes="dialog") as page:
            page.border_title = "Diagnosis"
            page.border_subtitle = "r runs again   ↑↓ scroll   esc closes"
            yield Static(id="client")
            yield Static(id="checks")

    def on_mount(self) -> None:
        """Begin, and follow the connection."""
        self._following = self._client.on_connection_change(self._connection_changed)
        self._show_client()
        self.action_run()

    def on_unmount(self) -> None:
        """Follow it no longer."""
        self._following.cancel()

    def _connection_changed(self, _change: ConnectionChange) -> None:
        self.call_later(self._show_client)

    def action_run(self) -> None:
        """Make all checks, from the beginning."""
        self.run_worker(self._run(), exclusive=True)

    async def _run(self) -> None:
        self._results.clear()
        self._end = "Checking …"
        self._show_checks()
        try:
            await self._diagnose(self._take)
        except MessagingError as error:
            self._end = plain(str(error))
        else:
            failed = sum(each.outcome is CheckOutcome.FAILED for each in self._results.values())
            self._end = "Nothing is wrong." if not failed else f"{failed} failed."
        self._show_checks()
        self._show_client()

    def _take(self, result: CheckResult) -> None:
        self._results[result.name] = result
        self.call_later(self._show_checks)

    def _show_client(self) -> None:
        status, stats = self._client.status(), self._client.stats()
        lines = [Content.styled(*connection_words(self._client))]
        lines.append(_field("since", f"{status.since.astimezone():%d %B, %H:%M:%S}"))
        if status.last_error is not None:
            lines.append(_field("last error", plain(str(status.last_error))))
        expiry = status.token_expires_at
        lines.append(
            _field("token expires", "not said" if expiry is None else f"{expiry.astimezone():%d %B %Y, %H:%M}")
        )
        lines.append(_field("reconnections", str(stats.reconnections)))
        lines.append(_field("messages", f"{stats.messages}, {stats.duplicates} recognised repetitions"))
        lines.append(_field("requests", f"{stats.requests}, {stats.retries} repeated, {stats.failures} failed"))
        self.query_one("#client", Static).update(Content("\n").join([*lines, Content("")]))

    def _show_checks(self) -> None:
        lines: list[Content] = []
        for name, title in CHECKS.items():
            result = self._results.get(name)
            mark, style = ("·", "$foreground-muted") if result is None else _MARKS[result.outcome]
            detail = "" if result is None else plain(result.detail)
            lines.append(Content.assemble((f"{mark} ", style), (title, "bold"), ("  " + detail, "$foreground-muted")))
            if result is not None and result.advice:
                lines.append(Content.styled(f"    → {plain(result.advice)}", "$text-warning"))
        lines.append(Content.styled(self._end, "bold"))
        self.query_one("#checks", Static).update(Content("\n").join(lines))


def _field(name: str, value: str) -> Content:
    return Content.assemble((f"  {name:<15}", "$foreground-muted"), value)
