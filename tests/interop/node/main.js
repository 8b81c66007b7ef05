// Messaging servers to order: one JSON object a line on the standard input asks for something, one on the standard
// output answers; {"changed": 3} in between says that something has happened in server 3. The end of the input ends
// the process, so it cannot outlive whoever started it.

import { createInterface } from 'node:readline';
import { keyOf, parseStatus, Refused, takesPart } from './state.js';
import { MessagingServer } from './server.js';

const servers = new Map();
const changed = new Set();

const write = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

// Many changes at a time are one line.
function noteChange(id) {
  if (!changed.size) setImmediate(tellChanges);
  changed.add(id);
}

function tellChanges() {
  for (const id of changed) write({ changed: id });
  changed.clear();
}

const spelled = (server, message) => ({
  ...server.shapes.message(message),
  date_envoi: new Date(message.sent).toISOString(),
  id_message: message.id,
  conversation_id: message.conversationId,
  expediteur_id: message.sender.id,
  expediteur_type: message.sender.type,
  client_message_id: message.key,
});

function lookUp(found, what) {
  if (!found) throw new Refused(404, `There is no such ${what}.`);
  return found;
}

const does = {
  start: (server, { port }) => server.start(port),
  stop: (server) => server.stop(),
  save: (server) => server.state.data,
  kill_token: (server, { token }) => server.tokens.kill(token),

  add_user: (server, { user, names }) => server.state.addUser(user, names),
  add_context: (server, { type, id, fields }) => server.state.addContext(type, id, fields),
  create_conversation: (server, { titre, kind, participants, context }) => {
    const [conversation, isNew] = server.state.findOrCreate(titre, kind, participants, context);
    if (isNew) server.created(conversation, participants[0]);
    return conversation.id;
  },
  set_status: (server, { conversation, statut }) => {
    const found = lookUp(server.state.conversation(conversation), 'conversation');
    found.statut = parseStatus(statut) ?? 'active';
    server.updated(found, 'status');
  },
  say: (server, { conversation, contenu, sender, kind, at, key, broadcast }) => {
    const found = lookUp(server.state.conversation(conversation), 'conversation');
    if (!takesPart(found, sender)) throw new Refused(404, `${keyOf(sender)} takes no part in it.`);
    const message = server.state.add(found.id, sender, contenu, kind, { key, at });
    if (broadcast) server.live?.tellMessage(message);
    server.changed();
    return spelled(server, message);
  },
  mark_read: (server, { message, reader }) => {
    const [found, isChanged] = server.state.markRead(reader, message);
    if (isChanged) server.updated(server.state.conversation(found.conversationId), 'read');
    return spelled(server, found);
  },
  typing: (server, { conversation, user, is_typing }) => server.live?.tellTyping(conversation, user, is_typing),
  emit: (server, { event, args, user, conversation }) => server.live?.emit(event, args, user, conversation) ?? 0,

  messages: (server, { conversation }) => server.state.messages(conversation).map((each) => spelled(server, each)),
  connections: (server) => (server.live?.of() ?? []).map((each) => [each.id, each.data.user]),
  rooms: (server) => {
    const rooms = [...(server.live?.io.of('/').adapter.rooms ?? [])].filter(([name]) => /^everybody$|:/.test(name));
    return Object.fromEntries(rooms.map(([name, sids]) => [name, [...sids]]));
  },
  requests: (server) => server.requests,
  events: (server) => server.events,

  add_fault: (server, { kind, name, what, count }) => server.rules.add(kind, name, what, count),
  add_event_fault: (server, { event, action, ...more }) => server.eventFaults.add(event, action, more),
  release_events: (server, { event }) => {
    const held = server.eventFaults.release(event);
    server.live?.deliver(held);
    return held.length;
  },
  cut: (server, { user }) => (server.live ? server.cut(user) : 0),
  disconnect: (server, { user }) => (server.live ? server.disconnect(user) : 0),
  freeze: (server, { user }) => (server.live ? server.freeze(user) : 0),
  thaw: (server) => server.thaw(),
  pending: (server) => server.rules.length + server.eventFaults.length,
  clear: (server) => server.clear(),
};

async function answer({ id, server, ask, given }) {
  try {
    if (ask === 'new') {
      servers.set(server, new MessagingServer(given, () => noteChange(server)));
      return write({ id, value: null });
    }
    const value = await does[ask](servers.get(server), given);
    if (ask === 'forget') servers.delete(server);
    return write({ id, value: value ?? null });
  } catch (error) {
    return write({ id, error: error.message, status: error instanceof Refused ? error.status : 500 });
  }
}

does.forget = (server) => server.stop();

createInterface({ input: process.stdin })
  .on('line', (line) => answer(JSON.parse(line)))
  .on('close', () => process.exit(0));
