// What `messaging_client.wire` and its feed do for a message, in JavaScript: every spelling of a field, canonical words,
// times as dates, each message once, and a mark on one that comes after a newer one.

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
const spellings = (...names) => [...new Set([...names, ...names.flatMap((each) => [camel(each), snake(each)])])];

const IDS = spellings('id', 'id_message', 'message_id');
const CONVERSATIONS = spellings('conversation_id', 'id_conversation');
const CLIENT_IDS = spellings('client_message_id');
const CONTENTS = ['content', 'contenu'];
const TIMES = spellings('timestamp', 'date_envoi', 'created_at');
const READ_TIMES = spellings('date_lecture', 'read_at');
const TYPE = spellings('type', 'type_message');
const STATUS = spellings('status', 'statut');
const FIRST = spellings('prenom', 'first_name');
const LAST = spellings('nom', 'last_name');

const TYPES = { text: 'text', texte: 'text', image: 'image', document: 'document', file: 'document', audio: 'audio', voice: 'audio', system: 'system' };
const STATUSES = { envoye: 'sent', sent: 'sent', livre: 'delivered', delivered: 'delivered', non_lu: 'delivered', received: 'delivered', lu: 'read', read: 'read', sending: 'sending', error: 'error' };
const PEOPLE = { patient: 'patient', medecin: 'medecin', docteur: 'medecin', doctor: 'medecin', professionnel: 'medecin', professionnel_sante: 'medecin', professional: 'medecin' };
const PLACEHOLDERS = new Set(['patient', 'medecin', 'all']);
const SIDES = {
  sender: { objects: ['sender', 'expediteur_info', 'expediteurInfo', 'expediteur'], ids: spellings('expediteur_id', 'sender_id'), types: spellings('expediteur_type', 'sender_type'), names: spellings('sender_name'), last: spellings('expediteur_nom'), first: spellings('expediteur_prenom') },
  recipient: { objects: ['recipient', 'destinataire_info', 'destinataireInfo', 'destinataire'], ids: spellings('destinataire_id', 'recipient_id'), types: spellings('destinataire_type', 'recipient_type'), names: spellings('recipient_name'), last: spellings('destinataire_nom'), first: spellings('destinataire_prenom') },
};

const known = new Map();
function folded(word) {
  if (typeof word !== 'string' || word.length > 64) return '';
  let found = known.get(word);
  if (found === undefined) {
    found = word.trim().toLowerCase().normalize('NFKD').replace(/\p{M}/gu, '');
    if (known.size < 512) known.set(word, found);
  }
  return found;
}

function first(fields, names) {
  for (const name of names) {
    const value = fields[name];
    if (value !== undefined && value !== null && value !== '') return value;
  }
  return null;
}

export function toId(value) {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? value : null;
  if (typeof value !== 'string' || value === '' || value === 'unknown') return null;
  return /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
}

function firstId(fields, names) {
  for (const name of names) {
    const value = fields[name];
    if (value !== undefined && value !== null) {
      const found = toId(value);
      if (found !== null) return found;
    }
  }
  return null;
}

export function toTime(value) {
  let time;
  if (typeof value === 'number') time = new Date(Math.abs(value) >= 1e11 ? value : value * 1000);
  else if (typeof value === 'string') time = new Date(/(Z|[+-]\d\d:?\d\d)$/i.test(value) ? value : `${value}Z`);
  if (time === undefined || Number.isNaN(time.getTime())) throw new Error('the time is unreadable');
  return time;
}

function person(fields, { objects, ids, types, names, last, first: given }) {
  const sources = [];
  for (const name of objects) {
    const value = fields[name];
    if (value !== null && typeof value === 'object') sources.push(value);
  }
  let id = null;
  let kind = null;
  let name = null;
  let lastName = null;
  let firstName = null;
  for (const source of sources) {
    id ??= toId(source.id);
    kind ??= first(source, ['type']);
    name ??= first(source, ['name']);
    lastName ??= first(source, LAST);
    firstName ??= first(source, FIRST);
  }
  id ??= firstId(fields, ids);
  kind ??= first(fields, types);
  name ??= first(fields, names);
  lastName ??= first(fields, last);
  firstName ??= first(fields, given);
  if (PLACEHOLDERS.has(id)) id = null;
  if (id === null && kind === null && name === null && lastName === null && firstName === null) return null;
  const type = kind === null ? 'unknown' : PEOPLE[folded(kind).replaceAll(/[ -]/g, '_')] ?? 'unknown';
  name ??= [firstName, lastName].filter(Boolean).join(' ') || `${type === 'patient' ? 'Patient' : 'Médecin'} #${id}`;
  return Object.freeze({ id, type, name, firstName, lastName, raw: sources[0] ?? null });
}

const NOBODY = Object.freeze({ id: null, type: 'unknown', name: '', firstName: null, lastName: null, raw: null });

export function readMessage(payload) {
  if (payload === null || typeof payload !== 'object' || Array.isArray(payload)) throw new Error('no object');
  let fields = payload;
  let content = first(fields, CONTENTS);
  if (content === null && payload.message !== null && typeof payload.message === 'object') {
    fields = payload.message;
    content = first(fields, CONTENTS);
  }
  const id = firstId(fields, IDS);
  if (id === null) throw new Error('a message has no id');
  if (typeof content !== 'string') throw new Error('a message has no text');
  const type = first(fields, TYPE);
  const time = first(fields, TIMES);
  const read = first(fields, READ_TIMES);
  const key = first(fields, CLIENT_IDS);
  return {
    id,
    conversationId: firstId(fields, CONVERSATIONS) ?? firstId(payload, CONVERSATIONS),
    content,
    type: type === null ? 'text' : TYPES[folded(type)] ?? 'unknown',
    sender: person(fields, SIDES.sender) ?? NOBODY,
    recipient: person(fields, SIDES.recipient),
    timestamp: time === null ? new Date() : toTime(time),
    status: STATUSES[folded(first(fields, STATUS))] ?? 'unknown',
    readAt: read === null ? null : toTime(read),
    clientMessageId: key === null ? null : String(key),
    late: false,
    raw: payload,
  };
}

// Each message once, with a mark on one that comes after a newer one of its conversation; it remembers 10 000 ids.
export class Feed {
  #seen = new Set();
  #newest = new Map();

  take(payload) {
    const message = readMessage(payload);
    if (this.#seen.has(message.id)) return null;
    this.#seen.add(message.id);
    if (this.#seen.size > 10_000) this.#seen.delete(this.#seen.values().next().value);
    const newest = this.#newest.get(message.conversationId);
    const time = message.timestamp.getTime();
    if (newest !== undefined && (time < newest.time || (time === newest.time && message.id < newest.id))) {
      message.late = true;
    } else {
      this.#newest.set(message.conversationId, { time, id: message.id });
    }
    return Object.freeze(message);
  }
}

// --- conversations ---------------------------------------------------------------------------------------------------

const CONVERSATION_IDS = spellings('id_conversation', 'id', 'conversation_id');
const TITLE = spellings('titre', 'title');
const CONTEXT_TYPE = spellings('contexte_type', 'context_type');
const CONTEXT_ID = spellings('contexte_id', 'context_id');
const CREATED = spellings('date_creation', 'created_at');
const ACTIVITY = spellings('date_modification', 'last_activity', 'updated_at');
const UNREAD = spellings('unreadCount', 'nombre_non_lus');
const LAST_MESSAGE = spellings('dernier_message', 'last_message');
const CONVERSATION_STATUSES = { active: 'active', archivee: 'archived', archived: 'archived', fermee: 'closed', closed: 'closed' };
const OWN_IDS = spellings('participant_id', 'patient_id', 'professionnel_id', 'medecin_id', 'id', 'user_id');
const OWN_TYPES = spellings('participant_type', 'type', 'user_type', 'role');
const INFOS = spellings('info', 'patient_info', 'medecin_info', 'professionnel_info');
const NAMED = /ordonnance|examen|consultation/i;

function participant(fields) {
  const info = first(fields, INFOS) ?? fields;
  const firstName = first(info, FIRST) ?? first(fields, FIRST);
  const lastName = first(info, LAST) ?? first(fields, LAST);
  const type = PEOPLE[folded(first(fields, OWN_TYPES)).replaceAll(/[ -]/g, '_')] ?? 'unknown';
  const id = firstId(fields, OWN_IDS);
  const name = fields.name ?? ([firstName, lastName].filter(Boolean).join(' ') || `${type === 'patient' ? 'Patient' : 'Médecin'} #${id}`);
  return Object.freeze({ id, type, name, firstName, lastName, specialite: first(info, ['specialite']), raw: fields });
}

function context(fields, title) {
  const word = NAMED.exec(title);
  const rest = word === null ? '' : title.slice(word.index + word[0].length);
  const digits = /^(?:[\s#:-]|n[°º])*([0-9]+)/i.exec(rest)?.[1] ?? /#\s*([0-9]+)/.exec(title)?.[1] ?? title.match(/[0-9]+/g)?.at(-1);
  const type = first(fields, CONTEXT_TYPE) ?? word?.[0].toLowerCase() ?? 'consultation';
  return { contextType: type, contextId: firstId(fields, CONTEXT_ID) ?? toId(digits ?? null) };
}

const dateOf = (fields, names) => {
  const value = first(fields, names);
  return value === null ? null : toTime(value);
};

function preview(given, people) {
  if (given === null || typeof given !== 'object') return null;
  let sender = person(given, SIDES.sender) ?? NOBODY;
  sender = people.find((each) => each.type === sender.type && each.id === sender.id) ?? sender;
  return Object.freeze({ content: first(given, CONTENTS), timestamp: dateOf(given, TIMES), sender, raw: given });
}

export function readConversation(fields) {
  const id = firstId(fields, CONVERSATION_IDS);
  if (id === null) throw new Error('a conversation has no id');
  const title = first(fields, TITLE) ?? '';
  const participants = (fields.rawData?.participants ?? fields.participants ?? []).map(participant);
  return Object.freeze({
    id,
    title,
    kind: first(fields, ['type_conversation', 'typeConversation']),
    status: CONVERSATION_STATUSES[folded(first(fields, STATUS))] ?? 'unknown',
    ...context(fields, title),
    patient: participants.find((each) => each.type === 'patient') ?? null,
    medecin: participants.find((each) => each.type === 'medecin') ?? null,
    participants,
    lastMessage: preview(first(fields, LAST_MESSAGE), participants),
    unreadCount: toId(first(fields, UNREAD)) ?? 0,
    createdAt: dateOf(fields, CREATED),
    lastActivity: dateOf(fields, ACTIVITY),
    raw: fields,
  });
}
