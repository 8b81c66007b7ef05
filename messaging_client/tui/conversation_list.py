"""The list of conversations: filters, search, and what is new in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message as Notice
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from messaging_client import Conversation, Id, User
from messaging_client.harmless import plain
from messaging_client.inbox import Kind
from messaging_client.tui.blocks import time_name

FILTERS: tuple[tuple[Kind, str], ...] = (
    ("all", "All"),
    ("unread", "Unread"),
    ("ordonnance", "Ordonnance"),
    ("examen", "Examen"),
    ("consultation", "Consultation"),
)
_MOST = 200  # characters of a name, a title or a preview that are looked at


@dataclass(frozen=True)
class Row:
    """A conversation as the list shows it."""

    conversation: Conversation
    unsent: int = 0
    failed: int = 0
    has_draft: bool = False


def people(conversation: Conversation, user: User) -> str:
    """Give the names of the others in a conversation, or its title."""
    others = [each.display_name for each in conversation.participants if not each.is_same_person(user)]
    return plain(", ".join(others) or conversation.title or f"Conversation {conversation.id}", _MOST)


def about(conversation: Conversation) -> str:
    """Give what a conversation is about, in two words."""
    word = str(conversation.context_type)
    return plain(word if conversation.context_id is None else f"{word} {conversation.context_id}", _MOST).capitalize()


class Conversations(OptionList):
    """The conversations, two lines each."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open"),
        Binding("right", "screen.filter(1)", "Next filter", key_display="→"),
        Binding("left", "screen.filter(-1)", "Filter before", key_display="←", show=False),
        *(
            Binding(str(number), f"screen.choose_filter({number - 1})", f"Filter: {word}", show=False)
            for number, (_, word) in enumerate(FILTERS, 1)
        ),
        Binding("r", "app.read_again", "Try again to read", show=False),
        Binding("down,j", "cursor_down", "Next conversation", show=False, key_display="↓"),
        Binding("up,k", "cursor_up", "Previous conversation", show=False, key_display="↑"),
    ]


class ConversationPane(Vertical):
    """Filters, search and list."""

    class Chosen(Notice):
        """The user opens a conversation."""

        def __init__(self, conversation_id: Id) -> None:
            super().__init__()
            self.conversation_id = conversation_id

    class LookedFor(Notice):
        """The filter or the search has changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.kind: Kind = "all"
        self._rows: dict[str, tuple[Id, Content]] = {}
        self._shown: tuple[Sequence[Row], Id | None, User | None, str] = ((), None, None, "")

    def compose(self) -> ComposeResult:
        """Give the parts."""
        yield Static(id="filters")
        yield Input(placeholder="Search (F3)", id="search", compact=True, select_on_focus=False)
        yield Conversations(id="conversations")
        yield Static(id="nothing")

    def on_mount(self) -> None:
        """Show the filters."""
        self._show_filters()

    # --- what is shown -----------------------------------------------------------------------------------------------

    @property
    def search(self) -> str:
        """What is searched for."""
        return self.query_one("#search", Input).value

    @property
    def items(self) -> Conversations:
        """The list itself."""
        return self.query_one(Conversations)

    def show(self, rows: Sequence[Row], current: Id | None, user: User | None, nothing: str) -> None:
        """Show these conversations; the one that is chosen stays so.

        Args:
            rows: the conversations, in order.
            current: the one that is open.
            user: the user.
            nothing: what is said where there are none.
        """
        self._shown = (rows, current, user, nothing)
        width = self.items.scrollable_content_region.width
        today = date.today()
        wanted = {
            f"{type(row.conversation.id).__name__}-{row.conversation.id}": (
                row.conversation.id,
                _row(row, row.conversation.id == current, user, width, today),
            )
            for row in rows
        }
        before, self._rows = self._rows, wanted
        if list(before) == list(wanted):
            for key, (_, prompt) in wanted.items():
                if prompt is not before[key][1]:
                    self.items.replace_option_prompt(key, prompt)
        else:
            self._refill()
        empty = self.query_one("#nothing", Static)
        empty.update(Content(plain(nothing)))
        empty.display = not rows

    def _refill(self) -> None:
        chosen = self.items.highlighted_option
        y = self.items.scroll_offset.y
        self.items.set_options([Option(prompt, id=key) for key, (_, prompt) in self._rows.items()])
        if self._rows:
            keys = list(self._rows)
            key = chosen.id if chosen is not None else None
            self.items.highlighted = keys.index(key) if key in self._rows else 0
            self.items.scroll_to(y=y, animate=False)

    def on_resize(self) -> None:
        """Lines are made for a width."""
        self.call_after_refresh(lambda: self.show(*self._shown))

    def _show_filters(self) -> None:
        parts: list[Content | str] = []
        for number, (kind, word) in enumerate(FILTERS, 1):
            style = "reverse bold" if kind == self.kind else "$foreground-muted"
            parts += [Content.styled(f"{number} {word}", style), "\n" if number == 3 else "  "]
        self.query_one("#filters", Static).update(Content.assemble(*parts))

    # --- what is asked -----------------------------------------------------------------------------------------------

    def choose_filter(self, number: int) -> None:
        """Show conversations of one kind only, by the number of the filter, from 0."""
        self.kind = FILTERS[number % len(FILTERS)][0]
        self._show_filters()
        self.post_message(self.LookedFor())

    def step_filter(self, step: int) -> None:
        """Take the next filter, or the one before."""
        self.choose_filter([kind for kind, _ in FILTERS].index(self.kind) + step)

    def begin_search(self) -> None:
        """Go where is searched."""
        self.query_one("#search", Input).focus()

    def end_search(self, *, keep: bool) -> None:
        """Go back to the list; without `keep`, all is shown again."""
        if not keep:
            self.query_one("#search", Input).value = ""
        self.items.focus()

    @property
    def is_searching(self) -> bool:
        """Whether the search has the focus."""
        return self.query_one("#search", Input).has_focus

    def on_input_changed(self, event: Input.Changed) -> None:
        """What is searched for has changed."""
        event.stop()
        self.post_message(self.LookedFor())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The search is done: go to what it found."""
        event.stop()
        self.end_search(keep=True)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A conversation was chosen."""
        event.stop()
        if event.option_id in self._rows:
            self.post_message(self.Chosen(self._rows[event.option_id][0]))


def _row(row: Row, is_current: bool, user: User | None, width: int, today: date) -> Content:
    """Two lines: who and when; what about, and the last words."""
    conversation = row.conversation
    last = conversation.last_message
    when = time_name(last.timestamp if last is not None else conversation.last_activity, today)
    if row.failed:
        mark = Content.styled("! ", "bold $text-error")
    elif conversation.unread_count:
        mark = Content.styled("● ", "bold $text-accent")
    else:
        mark = Content.styled("▸ " if is_current else "  ", "$text-primary")
    right = Content.styled(when, "$foreground-muted")
    if conversation.unread_count:
        right = Content.assemble((f"{conversation.unread_count} new", "bold $text-accent"), " ", right)
    who = Content.styled(people(conversation, user) if user is not None else "", _who_style(conversation, is_current))
    room = max(1, width - mark.cell_length - right.cell_length - 1)
    who = who.truncate(room, ellipsis=True)
    first = Content.assemble(mark, who, " " * (room - who.cell_length + 1), right)
    second = Content.assemble("  ", _second(row)).truncate(max(1, width), ellipsis=True)
    return Content("\n").join([first, second])


def _who_style(conversation: Conversation, is_current: bool) -> str:
    style = "bold" if conversation.unread_count or is_current else ""
    return f"{style} underline" if is_current else style


def _second(row: Row) -> Content:
    if row.failed:
        return Content.styled(f"{row.failed} not sent: open to decide", "$text-error")
    if row.unsent:
        return Content.styled(f"{row.unsent} being sent", "$text-warning")
    if row.has_draft:
        return Content.styled("Draft", "italic $text-warning")
    last = row.conversation.last_message
    preview = "" if last is None else plain(last.content, _MOST)
    return Content.styled(
        f"{about(row.conversation)} · {preview}" if preview else about(row.conversation), "$foreground-muted"
    )
