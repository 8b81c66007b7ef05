"""The one conversation of a context: found wherever the server speaks of it, and created only where it has none."""

from __future__ import annotations

from messaging_client.errors import Conflict, NotFound, UnexpectedResponse
from messaging_client.models import Conversation, Id, UserType
from messaging_client.rest import RestOperations
from messaging_client.wire import answers, routes


async def find_or_create(
    rest: RestOperations,
    context_type: str,
    context_id: Id,
    patient_id: Id | None,
    medecin_id: Id | None,
    *,
    timeout: float | None,
) -> Conversation:
    """Give the conversation of a context, created where there is none yet.

    Raises:
        UnexpectedResponse: there is one, and the server does not say which.
        MessagingError: it can be neither found nor created.
    """
    finding = _Finding(rest, context_type, context_id, patient_id, medecin_id, timeout)
    found = await finding.by_history()
    if found is not None:
        return found
    try:
        return await rest.create_from_context(context_type, context_id, patient_id, medecin_id, timeout=timeout)
    except Conflict:
        # Somebody else has created it in the meantime.
        found = await finding.by_history() or await finding.by_list()
        if found is None:
            raise
        return found


class _Finding:
    """Looks for the conversation of a context; arguments as for `find_or_create`."""

    def __init__(
        self,
        rest: RestOperations,
        context_type: str,
        context_id: Id,
        patient_id: Id | None,
        medecin_id: Id | None,
        timeout: float | None,
    ) -> None:
        self._rest = rest
        self._context = context_type, context_id
        self._people = {UserType.PATIENT: patient_id, UserType.MEDECIN: medecin_id}
        self._timeout = timeout

    async def by_history(self) -> Conversation | None:
        """Look at the history of the context; a server may answer with messages alone, or with an id."""
        try:
            history = await self._rest.history(*self._context, 1, 1, timeout=self._timeout, refresh=True)
        except NotFound:
            return None
        if history.conversation is not None:
            return history.conversation
        ids = {message.conversation_id for message in history.messages} | {answers.conversation_named(history.raw)}
        ids.discard(None)
        if len(ids) == 1:
            return await self._by_id(ids.pop())
        if not history.messages:
            return None
        found = await self.by_list()
        if found is None:
            raise UnexpectedResponse(
                "history: there are messages, and nothing that says of which conversation; open it by its id.",
                operation=routes.HISTORY,
                status=200,
            )
        return found

    async def by_list(self) -> Conversation | None:
        """Look for it among the user's conversations; the people that were named must take part."""
        kind, number = self._rest.checked_context(routes.HISTORY, *self._context)
        async for each in self._rest.iter_conversations("active"):
            if (each.context_type, each.context_id) == (kind, number) and self._has_the_people(each):
                return each
        return None

    def _has_the_people(self, conversation: Conversation) -> bool:
        present = {(person.type, person.id) for person in conversation.participants}
        return not present or all((kind, each) in present for kind, each in self._people.items() if each is not None)

    async def _by_id(self, conversation_id: Id | None) -> Conversation:
        assert conversation_id is not None
        page = await self._rest.messages(conversation_id, 1, 1, timeout=self._timeout, refresh=True)
        if page.conversation is not None:
            return page.conversation
        kind, number = self._rest.checked_context(routes.HISTORY, *self._context)
        return Conversation(id=conversation_id, context_type=kind, context_id=number)
