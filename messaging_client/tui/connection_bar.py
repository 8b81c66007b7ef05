"""One line that says how the client is connected."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from messaging_client import ConnectionState, MessagingClient
from messaging_client.harmless import plain

SHOWN_OF_ID = 6
"""Letters of the socket's id that are shown."""


def connection_words(client: MessagingClient) -> tuple[str, str]:
    """Give what the connection is like, and the style to say it in."""
    status = client.status()
    by_http = ", by HTTP" if status.polling else ""
    attempt = f", attempt {status.attempt}" if status.attempt else ""
    match status.state:
        case ConnectionState.CONNECTED:
            words, style = f"● connected {plain(status.socket_id or '')[:SHOWN_OF_ID]}", "bold $text-success"
        case ConnectionState.CONNECTING:
            words, style = f"◌ connecting{attempt}{by_http}", "$text-warning"
        case ConnectionState.RECONNECTING:
            words, style = f"◌ reconnecting{attempt}{by_http}", "bold $text-warning"
        case ConnectionState.ERROR:
            words, style = "✗ error: the token was refused (F4)", "bold $text-error"
        case _:
            words = "◍ offline, messages by HTTP" if status.polling else "○ disconnected"
            style = "bold $text-warning" if status.polling else "bold $text-error"
    return words, style


class ConnectionBar(Static):
    """Who the user is, where, and how the connection is."""

    def show(self, client: MessagingClient, who: str, unread: int) -> None:
        """Say how it is now."""
        words, style = connection_words(client)
        state = Content.styled(words, style).truncate(max(1, self.size.width), ellipsis=True)
        new = f"  {unread} new" if unread else ""
        left = Content.assemble((plain(who), "bold"), (new, "bold $text-accent"))
        gap = self.size.width - left.cell_length - state.cell_length
        self.update(Content.assemble(left, " " * gap, state) if gap > 1 else state)
