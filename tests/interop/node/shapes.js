// How the server spells what it remembers. Where the protocol allows several spellings, these are mostly others than
// those of the embedded server.

const EVENT_TYPES = { texte: 'text' };

export function pagination(page, limit, total) {
  return { page, limit, total, totalPages: Math.ceil(total / limit) };
}

export class Shapes {
  constructor(state, options) {
    this.state = state;
    this.options = options;
  }

  id(number) {
    return this.options.text_ids ? String(number) : number;
  }

  time(milliseconds) {
    return this.options.epoch_times ? milliseconds : new Date(milliseconds).toISOString();
  }

  person(user) {
    return { id: this.id(user.id), type: user.type, ...this.state.names(user) };
  }

  // {"patient_id", "patient_info"} or {"professionnel_id", "medecin_info"}
  participant(user) {
    const info = this.state.names(user);
    return user.type === 'patient'
      ? { patient_id: this.id(user.id), patient_info: info }
      : { professionnel_id: this.id(user.id), medecin_info: info };
  }

  participants(people) {
    return people.map((each) => ({ id: this.id(each.id), type: each.type, info: this.state.names(each) }));
  }

  conversation(stored, viewer) {
    const newest = this.state.messages(stored.id).at(-1);
    return {
      id: this.id(stored.id),
      titre: stored.titre,
      type_conversation: stored.kind,
      statut: stored.statut,
      createdAt: this.time(stored.created),
      lastActivity: this.time(stored.modified),
      participants: stored.participants.map((each) => this.participant(each)),
      unreadCount: this.state.unread(stored, viewer),
      lastMessage: newest ? this.#preview(newest) : null,
      ...(stored.isExplicit ? { contextType: stored.context.type, contextId: this.id(stored.context.id) } : {}),
    };
  }

  #preview(message) {
    return {
      contenu: message.contenu,
      date_envoi: this.time(message.sent),
      expediteur_info: { id: this.id(message.sender.id), type: message.sender.type, ...this.state.names(message.sender) },
    };
  }

  // REST spelling
  message(stored) {
    const read = stored.reads[0]?.at;
    return {
      id_message: this.id(stored.id),
      id_conversation: this.id(stored.conversationId),
      expediteur_info: { id: this.id(stored.sender.id), type: stored.sender.type, ...this.state.names(stored.sender) },
      contenu: stored.contenu,
      type_message: stored.kind,
      statut: read === undefined ? 'envoyé' : 'lu',
      date_envoi: this.time(stored.sent),
      date_lecture: read === undefined ? null : this.time(read),
      ...this.#key(stored, 'client_message_id'),
    };
  }

  // As the event `new_message` carries it here
  newMessage(stored, participants) {
    if (this.options.event_spelling === 'rest') return this.message(stored);
    if (this.options.event_spelling === 'wrapped') return { message: this.message(stored) };
    const others = participants.filter((each) => each.type !== stored.sender.type || each.id !== stored.sender.id);
    return {
      id: this.id(stored.id),
      conversationId: this.id(stored.conversationId),
      content: stored.contenu,
      type: EVENT_TYPES[stored.kind] ?? stored.kind,
      sender: this.#short(stored.sender),
      ...(others.length === 1 ? { recipient: this.#short(others[0]) } : {}),
      timestamp: this.time(stored.sent),
      status: stored.reads.length ? 'read' : 'sent',
      ...this.#key(stored, 'clientMessageId'),
    };
  }

  #key(stored, name) {
    return stored.key !== null && this.options.echo_client_message_id ? { [name]: stored.key } : {};
  }

  #short(user) {
    return { id: this.id(user.id), type: user.type, name: this.state.name(user) };
  }
}
