"""Questions to the user, and the whole of one message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static, TextArea

from messaging_client import ContextType, Conversation, Message, MessagingError
from messaging_client.harmless import plain, plain_lines
from messaging_client.tui.blocks import state_of

WITHOUT_CONTEXT = ""
"""The kind of a conversation that is about nothing in particular."""


class Confirm(ModalScreen[bool]):
    """A question with two answers; Escape is the harmless one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape", "answer(False)", "No", key_display="n, esc"),
        Binding("left", "app.focus_previous", "Choose", show=False),
        Binding("right", "app.focus_next", "Choose", show=False),
    ]

    def __init__(self, question: str, yes: str, no: str) -> None:
        super().__init__()
        self._question = question
        self._yes = yes
        self._no = no

    def compose(self) -> ComposeResult:
        """Give the question."""
        with Vertical(classes="dialog"):
            yield Static(Content(self._question))
            with Horizontal(classes="answers"):
                yield Button(Content(f"{self._no} (n)"), id="no", compact=True)
                yield Button(Content(f"{self._yes} (y)"), id="yes", variant="error", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Take the answer."""
        self.dismiss(answer)


@dataclass(frozen=True)
class Asked:
    """The conversation that the user wants.

    Attributes:
        kind: the type of its context, or `WITHOUT_CONTEXT`.
        number: the id of the context.
        person: the id of the other person.
        title: its title, where it has no context.
    """

    kind: str
    number: str
    person: str
    title: str


class NewConversation(ModalScreen[Conversation]):
    """Asks for a new conversation, or one that exists for its context, and stays until it is there.

    Args:
        other: what the other person is called: patient or médecin.
        create: makes the conversation.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("ctrl+s", "create", "Create", priority=True),
    ]

    def __init__(self, other: str, create: Callable[[Asked], Awaitable[Conversation]]) -> None:
        super().__init__()
        self._other = other
        self._create = create

    def compose(self) -> ComposeResult:
        """Give the form."""
        kinds = [(each.capitalize(), str(each)) for each in ContextType]
        with Vertical(classes="dialog", id="new") as form:
            form.border_title = "New conversation"
            with Horizontal(classes="field"):
                yield Label("About")
                options = [*kinds, ("Nothing in particular", WITHOUT_CONTEXT)]
                yield Select(options, allow_blank=False, id="kind", compact=True)
            with Horizontal(classes="field", id="number-field"):
                yield Label("Its number")
                yield Input(id="number", compact=True, placeholder="15")
            with Horizontal(classes="field", id="title-field"):
                yield Label("Title")
                yield Input(id="title", compact=True)
            with Horizontal(classes="field"):
                yield Label(f"{self._other} n°")
                yield Input(id="person", compact=True, placeholder="5")
            yield Static(id="problem")
            with Horizontal(classes="answers"):
                yield Button("Cancel (esc)", id="cancel", compact=True)
                yield Button("Open (^s)", id="open", variant="primary", compact=True)

    def on_select_changed(self) -> None:
        """Ask for what this kind needs."""
        is_free = self.query_one("#kind", Select).value == WITHOUT_CONTEXT
        self.query_one("#number-field").display = not is_free
        self.query_one("#title-field").display = is_free

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer."""
        if event.button.id == "open":
            self.action_create()
        else:
            self.dismiss()

    def on_input_submitted(self) -> None:
        """Enter in a field is enough."""
        self.action_create()

    def action_create(self) -> None:
        """Make it."""
        self.run_worker(self._make(), exclusive=True)

    async def _make(self) -> None:
        problem = self.query_one("#problem", Static)
        value = {name: self.query_one(f"#{name}", Input).value.strip() for name in ("number", "person", "title")}
        kind = self.query_one("#kind", Select).value
        asked = Asked(str(kind), value["number"], value["person"], value["title"])
        if not asked.person or not (asked.title if asked.kind == WITHOUT_CONTEXT else asked.number):
            problem.update(Content.styled("Fill in every field.", "$text-error"))
            return
        problem.update(Content.styled("Asking the server …", "$foreground-muted"))
        try:
            self.dismiss(await self._create(asked))
        except MessagingError as error:
            problem.update(Content.styled(plain(str(error)), "$text-error"))


class WholeMessage(ModalScreen[None]):
    """The whole of one message, however long."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close", key_display="esc"),
        Binding("home,ctrl+home", "go(True)", "Beginning", priority=True),
        Binding("end,ctrl+end", "go(False)", "End", priority=True),
    ]

    def __init__(self, message: Message, *, is_own: bool) -> None:
        super().__init__()
        self._message = message
        self._is_own = is_own

    def compose(self) -> ComposeResult:
        """Give the message."""
        message = self._message
        when = f"{message.timestamp.astimezone():%A %d %B %Y, %H:%M:%S}"
        state = state_of(message) if self._is_own else ""
        read = f"read {message.read_at.astimezone():%d %B, %H:%M}" if message.read_at is not None else ""
        about = "   ".join(each for each in (when, state, read, f"id {message.id}") if each)
        with Vertical(classes="dialog", id="whole") as page:
            page.border_title = Content(plain("You" if self._is_own else message.sender.display_name, 80))
            page.border_subtitle = "↑↓ scroll   esc closes"
            yield Static(Content.styled(plain(about), "$foreground-muted"))
            yield TextArea(plain_lines(message.content), read_only=True, compact=True, id="text")

    def action_go(self, to_beginning: bool) -> None:
        """Go to the first or the last line."""
        text = self.query_one(TextArea)
        text.move_cursor((0, 0) if to_beginning else text.document.end)
