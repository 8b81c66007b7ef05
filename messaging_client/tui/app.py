"""The app: owns what is live while the interface runs, and sees to it that nothing is lost when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from rich.segment import Segments
from rich.traceback import Traceback
from textual.app import App
from textual.binding import Binding, BindingType

from messaging_client import ConnectionChange, ConnectionState, Inbox, MessagingClient, MessagingError
from messaging_client.diagnosis import diagnose
from messaging_client.harmless import plain
from messaging_client.tui.composer import Composer
from messaging_client.tui.conversation_list import Conversations
from messaging_client.tui.desk import Desk
from messaging_client.tui.diagnostic_panel import DiagnosticPanel
from messaging_client.tui.dialogs import Confirm
from messaging_client.tui.keys import HelpScreen
from messaging_client.tui.live import Opening
from messaging_client.tui.main_screen import MainScreen
from messaging_client.tui.message_list import MessageList

DARK, LIGHT = "textual-dark", "textual-light"
PATIENCE = 5.0
"""Seconds that what was handed in gets to be accepted when the interface ends."""


class ChatApp(App[None]):
    """The terminal interface of one client.

    Args:
        client: a client, connected or connecting; whoever made it closes it.
        is_stored: whether what is unsent outlives the client, in the file of `store=`.
        light: begin with the light colours.
    """

    CSS_PATH = Path(__file__).with_name("chat.tcss")
    TITLE = "messaging-client"
    ENABLE_COMMAND_PALETTE = False  # it offers to save pictures of patients' words
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f8", "colours", "Light/dark", key_display="F8"),
        Binding("ctrl+r", "read_again", "Read again", show=False),
        Binding("ctrl+q", "ask_to_quit", "Quit", priority=True),
        Binding("ctrl+c", "ask_to_quit", "Quit", show=False),
    ]

    def __init__(self, client: MessagingClient, *, is_stored: bool = False, light: bool = False) -> None:
        super().__init__()
        self.devtools = None  # they would be sent every key and every text
        self.theme = LIGHT if light else DARK
        self.client = client
        self._is_stored = is_stored
        self.desk = Desk(client, self._changed, self._failed)
        self.inbox: Opening[Inbox] = Opening(client.inbox, self._changed)
        self._main: MainScreen | None = None
        self._following: Any = None

    @property
    def who(self) -> str:
        """Whose interface it is."""
        user = self.client.current_user
        return f"{user.type} {user.id}"

    # --- life --------------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Show the screen, and become live."""
        self._main = MainScreen(self.desk)
        self.push_screen(self._main)
        self._following = self.client.on_connection_change(self._connection_changed)
        self.inbox.start()

    async def on_unmount(self) -> None:
        """Let what was handed in be accepted; what is sent after that, the client sends while it is closed."""
        if self._following is not None:
            self._following.cancel()
        await self.desk.aclose(PATIENCE)
        await self.inbox.close()

    def _changed(self) -> None:
        if self._main is not None:
            self._main.changed()

    def _failed(self, error: MessagingError) -> None:
        self.call_later(self.tell, str(error), "error")

    def _connection_changed(self, change: ConnectionChange) -> None:
        if change.state is ConnectionState.CONNECTED:
            self.read_again()
        self._changed()

    def read_again(self) -> None:
        """Read what could not be read."""
        self.inbox.try_again()
        self.desk.try_again()

    def tell(self, words: str, severity: Literal["information", "warning", "error"] = "information") -> None:
        """Show a notice for some seconds."""
        self.notify(plain(words, 400), severity=severity, markup=False)

    # --- keys --------------------------------------------------------------------------------------------------------

    def action_read_again(self) -> None:
        """Read again what could not be read."""
        self.read_again()

    def action_colours(self) -> None:
        """Change between light and dark."""
        self.theme = DARK if self.theme == LIGHT else LIGHT

    def action_help(self) -> None:
        """Show every key."""
        groups = (
            ("Everywhere", [*MainScreen.BINDINGS, *self.BINDINGS]),
            ("In the list of conversations", Conversations.BINDINGS),
            ("In the messages", MessageList.BINDINGS),
            ("Where you write", Composer.BINDINGS),
        )
        self.push_screen(HelpScreen(groups))

    def action_diagnose(self) -> None:
        """Show the diagnostic panel."""
        self.push_screen(DiagnosticPanel(self.client, lambda on_result: diagnose(self.client, on_result=on_result)))

    def action_ask_to_quit(self) -> None:
        """Quit; ask before that if something would be left."""
        if isinstance(self.screen, Confirm):
            return
        left = self._left()
        if not left:
            self.exit()
            return

        def answered(answer: bool | None) -> None:
            if answer:
                self.exit()

        self.push_screen(Confirm(f"{left}\nQuit all the same?", "Quit", "Stay"), answered)

    def _left(self) -> str:
        unsent, drafts = len(self.client.pending()), self.desk.drafts()
        words = []
        if unsent:
            what = "1 message is" if unsent == 1 else f"{unsent} messages are"
            fate = "it stays in the store" if self._is_stored else "what is still unsent is lost"
            words.append(f"{what} not certain to be sent. On quitting it is tried for {PATIENCE:.0f} s; then {fate}.")
        if drafts:
            words.append("1 draft is lost." if drafts == 1 else f"{drafts} drafts are lost.")
        return " ".join(words)

    # --- what Textual shows when it fails ----------------------------------------------------------------------------

    def _fatal_error(self) -> None:
        """End with a traceback as Textual does, but without local variables: they hold messages and tokens."""
        self.bell()
        self._exit_renderables.append(
            Segments(self.console.render(Traceback(show_locals=False, width=None), self.console.options))
        )
        self._close_messages_no_wait()
