"""The screen: conversations on the left, the one that is read on the right; either alone where it is narrow."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from messaging_client import Conversation, Id, Message, MessageStatus, MessagingError, UserType
from messaging_client.harmless import plain
from messaging_client.tui.blocks import Shown
from messaging_client.tui.composer import Composer
from messaging_client.tui.connection_bar import ConnectionBar
from messaging_client.tui.conversation_list import ConversationPane, Row, about, people
from messaging_client.tui.desk import Desk, Place
from messaging_client.tui.dialogs import WITHOUT_CONTEXT, Asked, Confirm, NewConversation, WholeMessage
from messaging_client.tui.keys import KeyBar
from messaging_client.tui.message_list import MessageList

if TYPE_CHECKING:
    from messaging_client.tui.app import ChatApp

NARROW, WIDE = 64, 110
"""Columns: with fewer than the first there is room for one side only; from the second on, for more of both."""


class MainScreen(Screen[None]):
    """Shows what is live, and turns keys into what is to be done."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-normal"), (WIDE, "-wide")]  # noqa: RUF012 - Textual's own form
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", key_display="esc"),
        Binding("f1,question_mark", "app.help", "Help", key_display="F1"),
        Binding("f2,n", "new", "New", key_display="F2"),
        Binding("f3,slash", "search", "Search", key_display="F3"),
        Binding("f4,d", "app.diagnose", "Diagnosis", key_display="F4"),
        Binding("f9,M", "mark_read", "Mark all read", key_display="F9"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._written_for: Place | None = None
        self._is_due = False

    @property
    def chat(self) -> ChatApp:
        """The app that this screen belongs to."""
        from messaging_client.tui.app import ChatApp

        app = self.app
        assert isinstance(app, ChatApp)
        return app

    def compose(self) -> ComposeResult:
        """Give the parts."""
        yield ConnectionBar(id="connection")
        with Horizontal(id="panes"):
            yield ConversationPane(id="left")
            with Vertical(id="right"):
                yield Static(id="title")
                yield MessageList(id="messages")
                yield Static(id="below")
                yield Composer(id="composer")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Begin at the list."""
        self._pane.items.focus()
        self.show()

    @property
    def _pane(self) -> ConversationPane:
        return self.query_one(ConversationPane)

    @property
    def _messages(self) -> MessageList:
        return self.query_one(MessageList)

    @property
    def _composer(self) -> Composer:
        return self.query_one(Composer)

    # --- showing -----------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Show everything as it is, soon; many changes at a time are shown at once. From within any task."""
        if not self._is_due:
            self._is_due = True
            self.call_later(self.show)

    def show(self) -> None:
        """Show everything as it is."""
        self._is_due = False
        if not self.is_mounted:
            return
        self._show_conversations()
        self._show_conversation()
        inbox = self.chat.inbox.value
        self.query_one(ConnectionBar).show(
            self.chat.client, self.chat.who, inbox.unread_count if inbox is not None else 0
        )

    def on_resize(self) -> None:
        """What was made for a width is made anew."""
        self.call_after_refresh(self.show)

    def _show_conversations(self) -> None:
        opening, pane, desk = self.chat.inbox, self._pane, self._desk
        if opening.value is None:
            words = "Reading the conversations …" if opening.error is None else f"{opening.error} (r: try again)"
            pane.show((), None, None, words)
            return
        unsent, failed = desk.unsent(), desk.failed()
        rows = [
            Row(each, unsent[each.id], failed[each.id], desk.has_draft(each.id))
            for each in opening.value.filter(pane.kind, pane.search)
        ]
        words = "Nothing here" if pane.kind != "all" or pane.search else "No conversations yet (F2 begins one)"
        pane.show(rows, desk.current.id if desk.current else None, self.chat.client.current_user, words)

    def _show_conversation(self) -> None:
        place = self._desk.current
        self._composer.display = self._messages.can_focus = place is not None
        if place is None:
            self.query_one("#title", Static).update(Content.styled("Choose a conversation", "$foreground-muted"))
            return
        if place.returned:
            self._composer.put_back("\n".join(place.returned))
            place.returned.clear()
        self.query_one("#title", Static).update(self._title(place))
        session = place.session
        if session is not None:
            place.look_for_new()
            unread = {each.id for each in session.messages.unread}
            shown = Shown(
                session.messages,
                session.is_own,
                lambda message: message.id in unread,
                place.new_from,
                place.new_count,
                _top(place),
            )
            self._messages.show(shown, date.today())
        self._show_below()

    def _title(self, place: Place) -> Content:
        inbox, session = self.chat.inbox.value, place.session
        known = next((each for each in inbox.conversations if each.id == place.id), None) if inbox is not None else None
        conversation = known or (session.conversation if session is not None else None)
        if conversation is None:
            return Content.styled(f"Conversation {place.id}", "bold")
        title = Content.assemble(
            (people(conversation, self.chat.client.current_user), "bold"),
            "  ",
            (about(conversation), "$foreground-muted"),
        )
        described = session.context_info.description if session is not None else None
        return Content.assemble(title, "  ", (plain(described or "", 300), "italic $foreground-muted"))

    def _show_below(self) -> None:
        place = self._desk.current
        session = place.session if place is not None else None
        line: Content
        if place is not None and place.error is not None:
            line = Content.styled(f"Ctrl+R: try again. {plain(str(place.error))}", "$text-error")
        elif session is None:
            line = Content.styled("Reading the conversation …", "$foreground-muted")
        elif self._messages.below:
            line = Content.styled(f"↓ {self._messages.below} below (End)", "bold $text-accent")
        elif session.typing_users:
            names = ", ".join(plain(each.display_name, 80) for each in session.typing_users)
            word = "is" if len(session.typing_users) == 1 else "are"
            line = Content.styled(f"{names} {word} typing …", "italic $text-accent")
        elif session.error is not None:
            line = Content.styled(f"May be out of date: {plain(str(session.error))}", "$text-warning")
        else:
            line = Content("")
        self.query_one("#below", Static).update(line)

    # --- conversations -----------------------------------------------------------------------------------------------

    def open(self, conversation_id: Id) -> None:
        """Open a conversation; the draft of the one before is kept."""
        self._keep_draft()
        if self._desk.current is None or self._desk.current.id != conversation_id:
            self._messages.forget()
        place = self._desk.look_at(conversation_id)
        if place is not self._written_for:
            self._written_for = place
            self._composer.load(place.draft)
        self.add_class("-reading")
        self.show()
        self._composer.focus()

    def _keep_draft(self) -> None:
        if self._written_for is not None:
            self._written_for.draft = self._composer.text

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Where there is room for one side, it is the one that has the focus."""
        self.set_class(self._pane not in event.widget.ancestors_with_self, "-reading")

    @on(ConversationPane.Chosen)
    def _conversation_chosen(self, event: ConversationPane.Chosen) -> None:
        self.open(event.conversation_id)

    @on(ConversationPane.LookedFor)
    def _list_changed(self) -> None:
        self.show()

    def action_filter(self, step: int) -> None:
        """Take the next filter."""
        self._pane.step_filter(step)

    def action_choose_filter(self, number: int) -> None:
        """Take a filter by its number, from 0."""
        self._pane.choose_filter(number)

    def action_search(self) -> None:
        """Search in the list."""
        self.remove_class("-reading")
        self._pane.begin_search()

    def action_back(self) -> None:
        """Go from where is written to the messages, and from there to the list."""
        if self._pane.is_searching:
            self._pane.end_search(keep=False)
        elif self._composer.has_focus:
            self._messages.focus()
        else:
            self.remove_class("-reading")
            self._pane.items.focus()

    def action_new(self) -> None:
        """Begin a conversation."""
        other = "Médecin" if self.chat.client.current_user.type is UserType.PATIENT else "Patient"
        self.app.push_screen(NewConversation(other, self._create), self._created)

    async def _create(self, asked: Asked) -> Conversation:
        client = self.chat.client
        others = UserType.MEDECIN if client.current_user.type is UserType.PATIENT else UserType.PATIENT
        if asked.kind == WITHOUT_CONTEXT:
            person = {"participant_id": asked.person, "participant_type": others.value}
            return await client.create_conversation(asked.title, [person])
        patient = asked.person if others is UserType.PATIENT else None
        medecin = asked.person if others is UserType.MEDECIN else None
        return await client.find_or_create_conversation(asked.kind, asked.number, patient, medecin)

    def _created(self, conversation: Conversation | None) -> None:
        if conversation is not None:
            self.open(conversation.id)

    # --- messages ----------------------------------------------------------------------------------------------------

    @on(Composer.Changed)
    def _written(self) -> None:
        place = self._written_for
        if place is None or place.draft == self._composer.text:
            return
        place.draft = self._composer.text
        self._desk.say_typing(place)

    @on(Composer.Submitted)
    def _submitted(self) -> None:
        place = self._written_for
        text = self._composer.text
        if place is None or not text.strip():
            return
        if self._desk.send(place, text):
            self._composer.load("")
            self._messages.follow()
        else:
            self.chat.tell("The conversation is not open yet; your text stays here.", "warning")

    @on(MessageList.Asked)
    def _asked(self, event: MessageList.Asked) -> None:
        message = event.message
        place = self._desk.current
        match event.what:
            case "open":
                is_own = place is not None and place.session is not None and place.session.is_own(message)
                self.app.push_screen(WholeMessage(message, is_own=is_own))
            case "retry":
                self._desk.retry(message)
            case "discard":
                self._ask_to_discard(message)
            case "mark":
                self._desk.mark_read(message)

    def _ask_to_discard(self, message: Message) -> None:
        question = "Discard this message? Its text is gone then."
        if message.status is MessageStatus.UNCERTAIN:
            question = "Discard this message here? The server may have stored it: others may see it."

        def answered(answer: bool | None) -> None:
            if answer:
                self._desk.discard(message)

        self.app.push_screen(Confirm(question, "Discard", "Keep"), answered)

    @on(MessageList.WriteAsked)
    def _write(self) -> None:
        self._composer.focus()

    @on(MessageList.NearTop)
    def _near_the_top(self) -> None:
        if self._desk.current is not None:
            self._desk.read_older(self._desk.current)

    @on(MessageList.Moved)
    def _moved(self) -> None:
        self._show_below()

    def action_mark_read(self) -> None:
        """Mark the whole conversation as read; in the list, every conversation."""
        place = self._desk.current
        if place is None or self._pane in (self.focused.ancestors_with_self if self.focused else ()):
            self._ask_to_mark_everything()
        else:
            self._desk.mark_all_read(place)

    def _ask_to_mark_everything(self) -> None:
        inbox = self.chat.inbox.value
        if inbox is None or not inbox.unread_count:
            return
        count = inbox.unread_count
        question = f"Mark {count} new messages" if count > 1 else "Mark 1 new message"

        def answered(answer: bool | None) -> None:
            if answer and self.chat.inbox.value is not None:
                self._desk.do(self.chat.inbox.value.mark_all_as_read())

        self.app.push_screen(Confirm(f"{question} in all conversations as read?", "Mark", "Leave"), answered)

    # --- life --------------------------------------------------------------------------------------------------------

    def failed(self, error: MessagingError) -> None:
        """Say what could not be done."""
        self.chat.tell(str(error), "error")


def _top(place: Place) -> str:
    if place.is_reading_older:
        return "Reading older messages …"
    return "Beginning of the conversation" if place.is_complete else "Older messages above"
