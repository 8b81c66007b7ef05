"""The keys: those of the moment at the foot of the screen, and all of them on a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

_ROWS = 2


class KeyBar(Static):
    """What the keys do at the moment; on two lines where one is too short."""

    def on_mount(self) -> None:
        """Follow what is bound."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _screen: Screen[object]) -> None:
        if self.is_attached:
            self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        """Lay them out anew."""
        self._show()

    def _show(self) -> None:
        shown: dict[str, tuple[str, str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled:
                shown.setdefault(binding.action, (self.app.get_key_display(binding), binding.description))
        self.update(Content("\n").join(_rows(shown.values(), self.size.width)))


def _rows(keys: Iterable[tuple[str, str]], width: int) -> list[Content]:
    rows = [Content("")]
    for key, what in keys:
        piece = Content.assemble((key, "bold $footer-key-foreground"), f" {what}")
        if not rows[-1]:
            rows[-1] = piece
        elif rows[-1].cell_length + 2 + piece.cell_length <= width:
            rows[-1] = Content.assemble(rows[-1], "  ", piece)
        elif len(rows) < _ROWS:
            rows.append(piece)
    return rows


class HelpScreen(ModalScreen[None]):
    """Every key, by where it works."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,question_mark,q", "dismiss", "Close", key_display="esc"),
    ]

    def __init__(self, groups: Iterable[tuple[str, Iterable[BindingType]]]) -> None:
        super().__init__()
        self._groups = [(title, list(bindings)) for title, bindings in groups]

    def compose(self) -> ComposeResult:
        """Give the page."""
        with VerticalScroll(id="help", classes="dialog") as page:
            page.border_title = "Keys"
            page.border_subtitle = "↑↓ scroll   esc closes"
            yield Static(self._text())

    def _text(self) -> Content:
        lines: list[Content] = []
        for title, bindings in self._groups:
            lines += [Content.styled(title, "bold $text-primary")]
            for binding in bindings:
                assert isinstance(binding, Binding)
                lines.append(Content.assemble((f"  {_keys(self, binding):<16}", "bold"), binding.description))
            lines.append(Content(""))
        lines.append(
            Content("✓ sent   ✓✓ read   … sending   ✗ not sent   ? uncertain: it may have been stored, or not\n")
        )
        lines.append(Content("Nothing is marked as read by itself."))
        return Content("\n").join(lines)


def _keys(screen: Screen[None], binding: Binding) -> str:
    each = (replace(binding, key=key, key_display=None) for key in binding.key.split(","))
    shown = map(screen.app.get_key_display, each)
    return ", ".join(key.upper() if key[1:].isdigit() else key for key in shown)
