// What the server remembers, and who may do what. Plain objects throughout, so that all of it can be written down as
// JSON and given to the next process.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const TYPES = { patient: 'patient', medecin: 'medecin', professionnel: 'medecin', professionnel_sante: 'medecin' };
const STATUSES = { active: 'active', archivée: 'archivée', archived: 'archivée', fermée: 'fermée', closed: 'fermée' };
const CLOSED = 'fermée';

export const keyOf = (user) => `${user.type}:${user.id}`;
export const isSame = (one, other) => one.type === other.type && one.id === other.id;
export const typeOf = (word) => (Object.hasOwn(TYPES, word) ? TYPES[word] : undefined);

export function parseId(value, name = 'id') {
  const number = typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
  if (!Number.isSafeInteger(number) || number < 0) throw new Refused(400, `${name} invalide`);
  return number;
}

export function parseStatus(word) {
  if (word === 'all' || word === 'toutes') return null;
  if (!Object.hasOwn(STATUSES, word)) throw new Refused(400, 'statut inconnu');
  return STATUSES[word];
}

function parseText(value, name) {
  if (typeof value !== 'string' || !value.trim()) throw new Refused(400, `${name} est vide`);
  return value;
}

// "Messages - Ordonnance #15" is about ordonnance 15.
export function contextOfTitle(titre) {
  const word = /ordonnance|examen|consultation/i.exec(titre);
  if (!word) return null;
  const behind = titre.slice(word.index + word[0].length);
  const number =
    /^(?:[\s#:-]|n°)*([0-9]+)/.exec(behind)?.[1] ?? /#\s*([0-9]+)/.exec(titre)?.[1] ?? titre.match(/[0-9]+/g)?.at(-1);
  return number === undefined ? null : { type: word[0].toLowerCase(), id: Number(number) };
}

export class State {
  constructor(options, saved) {
    this.options = options;
    this.data = saved ?? { people: {}, contexts: {}, conversations: [], messages: [] };
  }

  // People and contexts

  addUser(user, names) {
    this.data.people[keyOf(user)] = names;
  }

  names(user) {
    return this.data.people[keyOf(user)] ?? {};
  }

  name(user) {
    const { prenom, nom } = this.names(user);
    const known = [prenom, nom].filter(Boolean).join(' ');
    return known || `${user.type === 'patient' ? 'Patient' : 'Médecin'} #${user.id}`;
  }

  addContext(type, id, fields) {
    this.data.contexts[`${type}:${id}`] = fields;
  }

  // The context, where it is the user's own.
  context(user, type, id) {
    const found = this.data.contexts[`${type}:${id}`];
    const owner = user.type === 'patient' ? found?.patient_id : found?.medecin_id;
    return owner === user.id ? { ...found, id, [`id_${type}`]: id } : null;
  }

  personSeenBy(user, id, type) {
    const candidates = type ? [type] : [user.type === 'patient' ? 'medecin' : 'patient', user.type];
    for (const each of candidates) {
      const person = { type: each, id: parseId(id) };
      const isKnownDoctor = each === 'medecin' && keyOf(person) in this.data.people;
      if (isSame(person, user) || isKnownDoctor || this.#areAcquainted(user, person)) return person;
    }
    throw new Refused(404, 'Utilisateur introuvable');
  }

  #areAcquainted(one, other) {
    return this.data.conversations.some((each) => takesPart(each, one) && takesPart(each, other));
  }

  mayWrite(user, ordonnanceId, patientId) {
    const ordonnance = parseId(ordonnanceId);
    const patient = { type: 'patient', id: parseId(patientId) };
    if (user.type === 'patient' && !isSame(user, patient)) throw new Refused(403, 'Accès refusé');
    const own = this.context(user, 'ordonnance', ordonnance) && this.context(patient, 'ordonnance', ordonnance);
    const shared = this.data.conversations.some(
      (each) => isAbout(each, 'ordonnance', ordonnance) && takesPart(each, user) && takesPart(each, patient),
    );
    return { ordonnance_id: ordonnance, patient_id: patient.id, peut_lire: !!own || shared, peut_envoyer: !!own || shared };
  }

  // Conversations

  conversation(id) {
    return this.data.conversations[id - 1];
  }

  conversationOf(user, id) {
    const found = this.conversation(parseId(id, 'conversation_id'));
    if (!found || !takesPart(found, user)) throw new Refused(403, 'Accès refusé à cette conversation');
    return found;
  }

  conversationsOf(user, statut) {
    return this.data.conversations
      .filter((each) => takesPart(each, user) && (statut === null || each.statut === statut))
      .sort((a, b) => b.modified - a.modified || b.id - a.id);
  }

  ofContext(user, type, id) {
    const about = parseId(id);
    const found = this.data.conversations.find((each) => isAbout(each, type, about) && takesPart(each, user));
    if (!found) throw new Refused(404, 'Aucune conversation pour ce contexte');
    return found;
  }

  // Gives the conversation, and whether it is new: a context has one for the same people.
  findOrCreate(titre, kind, participants, explicit) {
    const context = explicit ?? contextOfTitle(titre);
    const known =
      context &&
      this.data.conversations.find(
        (each) =>
          isAbout(each, context.type, context.id) &&
          each.participants.length === participants.length &&
          participants.every((person) => takesPart(each, person)),
      );
    if (known) return [known, false];
    const now = Date.now();
    const conversation = {
      id: this.data.conversations.length + 1,
      titre,
      kind,
      statut: 'active',
      context,
      isExplicit: !!explicit,
      created: now,
      modified: now,
      participants,
    };
    this.data.conversations.push(conversation);
    return [conversation, true];
  }

  create(user, body) {
    const titre = parseText(body.titre, 'titre');
    if (!Array.isArray(body.participants)) throw new Refused(400, 'participants doit être une liste');
    const people = body.participants.map((each) => ({
      type: typeOf(each?.participant_type) ?? refuse(400, 'type de participant inconnu'),
      id: parseId(each?.participant_id, 'participant_id'),
    }));
    if (body.initiateur_id !== undefined && !isSame(user, { type: typeOf(body.initiateur_type), id: body.initiateur_id }))
      throw new Refused(403, "L'initiateur doit être l'utilisateur authentifié");
    const everybody = people.some((each) => isSame(each, user)) ? people : [...people, user];
    if (everybody.length < 2) throw new Refused(400, 'participants doit nommer une autre personne');
    const type = body.contexte_type ?? body.context_type ?? body.contextType;
    const id = body.contexte_id ?? body.context_id ?? body.contextId;
    const explicit = type === undefined ? null : { type, id: parseId(id) };
    return this.findOrCreate(titre, body.type_conversation ?? 'patient_medecin', everybody, explicit);
  }

  unread(conversation, viewer) {
    return this.messages(conversation.id).filter(
      (each) => !isSame(each.sender, viewer) && !each.reads.some((read) => isSame(read, viewer)),
    ).length;
  }

  // Messages

  messages(conversationId) {
    return this.data.messages
      .filter((each) => each.conversationId === conversationId)
      .sort((a, b) => a.sent - b.sent || a.id - b.id);
  }

  add(conversationId, sender, contenu, kind, { key = null, at = null } = {}) {
    const conversation = this.conversation(conversationId);
    const sent = at ?? Date.now();
    const id = this.data.messages.length + 1;
    const message = { id, conversationId, sender, contenu, kind, sent, key, reads: [] };
    this.data.messages.push(message);
    conversation.modified = Math.max(conversation.modified, sent);
    return message;
  }

  // Gives the message, and whether it is new: where keys are honoured, a repeat finds the first one.
  send(user, conversationId, body, header) {
    const contenu = parseText(body?.contenu, 'contenu');
    const kind = { text: 'texte', file: 'document', voice: 'audio' }[body.type_message] ?? body.type_message ?? 'texte';
    if (!['texte', 'image', 'document', 'audio'].includes(kind)) throw new Refused(400, 'type_message inconnu');
    const key = header ?? body.client_message_id ?? null;
    const conversation = this.conversationOf(user, conversationId);
    const known =
      key &&
      this.options.idempotency &&
      this.data.messages.find(
        (each) => each.key === key && each.conversationId === conversation.id && isSame(each.sender, user),
      );
    if (known) {
      if (known.contenu !== contenu || known.kind !== kind)
        throw new Refused(409, "Cette clé d'idempotence a servi à un autre message");
      return [known, false];
    }
    if (conversation.statut === CLOSED) throw new Refused(409, 'Conversation fermée');
    return [this.add(conversation.id, user, contenu, kind, { key }), true];
  }

  messageOf(user, id) {
    const message = this.data.messages[parseId(id, 'message_id') - 1];
    if (!message || !takesPart(this.conversation(message.conversationId), user))
      throw new Refused(403, 'Accès refusé à ce message');
    return message;
  }

  // Gives the message, and whether anything has changed.
  markRead(user, id) {
    const message = this.messageOf(user, id);
    if (isSame(message.sender, user) || message.reads.some((each) => isSame(each, user))) return [message, false];
    message.reads.push({ ...user, at: Date.now() });
    return [message, true];
  }
}

export function takesPart(conversation, user) {
  return conversation.participants.some((each) => isSame(each, user));
}

function isAbout(conversation, type, id) {
  return conversation.context?.type === type && conversation.context.id === id;
}

function refuse(status, message) {
  throw new Refused(status, message);
}
