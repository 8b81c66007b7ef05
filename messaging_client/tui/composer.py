"""Where messages are written."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message as Notice
from textual.widgets import TextArea

_NEW_LINE = frozenset({"ctrl+j", "shift+enter", "alt+enter", "ctrl+enter"})


class Composer(TextArea):
    """A text of some lines; Enter sends it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Send"),
        Binding("ctrl+j", "new_line", "New line"),
    ]

    class Submitted(Notice):
        """The text is to be sent."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, highlight_cursor_line=False, placeholder="Write a message", max_checkpoints=200)

    def on_key(self, event: events.Key) -> None:
        """Let Enter send, and the keys for a new line make one; what is typed otherwise is text."""
        if event.key == "enter" or event.key in _NEW_LINE:
            event.stop()
            event.prevent_default()
            if event.key == "enter":
                self.action_submit()
            else:
                self.action_new_line()

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Take what is text; Enter and the keys for a new line are shown as keys."""
        return key not in ("enter", "ctrl+j") and super().check_consume_key(key, character)

    def action_submit(self) -> None:
        """Send it, unless it is empty."""
        if self.text.strip():
            self.post_message(self.Submitted())

    def action_new_line(self) -> None:
        """Begin another line."""
        self.insert("\n")

    def put_back(self, text: str) -> None:
        """Put a text in front of what is there."""
        present = self.text
        self.load(f"{text}\n{present}" if present.strip() else text)

    def load(self, text: str) -> None:
        """Take a text in place of what is there, with the cursor at its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)
