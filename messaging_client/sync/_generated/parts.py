"""The blocking form of `messaging_client.parts`, written from it by `make generate`."""

from __future__ import annotations

from messaging_client.client import MessagingClient as AsyncMessagingClient
from messaging_client.models import Message, User
from messaging_client.sync.faces import Face


class Parts(Face[AsyncMessagingClient]):
    """The parts of a client; `MessagingClient` is what users make of them, and says what the arguments are."""

    @property
    def is_connected(self) -> bool:
        """Whether live events come."""
        return self._runtime.call(lambda: self._async.is_connected)

    @property
    def current_user(self) -> User:
        """The user that the token names.

        Raises:
            NotConnected: the token comes from a callable that was not asked yet.
            AuthenticationError: the token's claims name nobody.
        """
        return self._runtime.call(lambda: self._async.current_user)

    def is_own(self, message: Message) -> bool:
        """Tell whether this user sent a message: same type and same id.

        Where the server names no type, an id alone names a person if one participant alone has it (wire protocol,
        section 2). Where that is not known, the user's own id is taken for the user: a bot must not answer itself.

        Args:
            message: any message.

        Returns:
            True if so; False where the user is not known yet.

        Raises:
            ValidationFailed: it is no message.
        """
        return self._runtime.call(lambda: self._async.is_own(message))
