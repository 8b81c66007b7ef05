// The REST side, on Express (wire protocol, section 3).

import express from 'express';
import { parseId, parseStatus, Refused } from './state.js';
import { pagination } from './shapes.js';

const EITHER = { first: [true, false], other: [false, true], both: [true, true] };

const failure = (status, message) => ({ status: status >= 500 ? 'error' : 'fail', message });

function paging(query, limit) {
  const page = parseId(query.page ?? '1', 'page');
  const size = parseId(query.limit ?? String(limit), 'limit');
  if (page < 1 || size < 1 || size > 100) throw new Refused(400, 'page ou limit invalide');
  return [page, size];
}

// An Express application; `server` has what it works on: state, shapes, tokens, rules, live and notes.
export function makeApi(server) {
  const { options, state, shapes, tokens } = server;
  const router = express.Router();

  // What each handler gives: `data`, what servers that answer shortly put in its place, the status, and whether the
  // body is empty
  function answer({ data, short = data, status = 200, isEmpty = false }) {
    if (isEmpty) return { status, body: undefined };
    if (options.answers === 'bare') return { status, body: data };
    return { status, body: { status: 'success', data: options.answers === 'short' ? short : data } };
  }

  function serve(operation, method, path, work, { isPublic = false } = {}) {
    router[method](path, async (req, res) => {
      const record = server.note(operation, req);
      // `finish` comes a moment after the client has the answer
      const give = (status, send) => {
        record.status = status;
        send();
        server.changed();
      };
      const delay = server.rules.take('delay', operation);
      const fault = server.rules.take('answer', operation);
      if (delay && !delay.after_storing) await server.pause(delay.seconds);
      if (fault && !fault.after_storing) return play(server, fault, res, give);
      let found;
      try {
        if (!isPublic) record.user = tokens.verify(/^Bearer (.+)$/.exec(req.get('authorization') ?? '')?.[1]);
        found = answer(work({ user: record.user, path: req.params, query: req.query, body: req.body, req }));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        found = { status: error.status, body: failure(error.status, error.message) };
      }
      if (delay?.after_storing) await server.pause(delay.seconds);
      if (fault) return play(server, fault, res, give, found);
      return give(found.status, () => (found.body === undefined ? res.status(found.status).end() : res.status(found.status).json(found.body)));
    });
  }

  // Lists

  function conversations(type) {
    return ({ user, path, query }) => {
      if (user.type !== type || user.id !== parseId(path.id)) throw new Refused(403, "Conversations d'un autre");
      const [page, limit] = paging(query, 20);
      const all = state.conversationsOf(user, parseStatus(query.statut ?? 'active'));
      const found = all.slice((page - 1) * limit, page * limit);
      const spelled = found.map((each) => shapes.conversation(each, user));
      return { data: { conversations: spelled, pagination: pagination(page, limit, all.length) } };
    };
  }

  const [hasFirstLists, hasOtherLists] = EITHER[options.list_routes];
  for (const type of ['medecin', 'patient']) {
    if (hasFirstLists) serve('conversations', 'get', `/messaging/conversations/${type}/:id`, conversations(type));
    if (hasOtherLists) serve('conversations', 'get', `/messaging/${type}/:id/conversations`, conversations(type));
  }

  serve('unread', 'get', '/messaging/conversations/unread', ({ user }) => {
    const found = state.conversationsOf(user, null).filter((each) => state.unread(each, user));
    return { data: { conversations: found.map((each) => shapes.conversation(each, user)) } };
  });

  // Messages

  function pageOf(conversation, { user, query }) {
    const [page, limit] = paging(query, 50);
    const all = state.messages(conversation.id);
    const end = Math.max(0, all.length - (page - 1) * limit); // page 1 is the newest
    return {
      conversation: shapes.conversation(conversation, user),
      messages: all.slice(Math.max(0, end - limit), end).map((each) => shapes.message(each)),
      pagination: pagination(page, limit, all.length),
    };
  }

  serve('messages', 'get', '/messaging/conversation/:id/messages', (call) => ({
    data: pageOf(state.conversationOf(call.user, call.path.id), call),
  }));

  if (options.new_messages_route) {
    serve('new_messages', 'get', '/messaging/conversation/:id/new-messages', ({ user, path, query }) => {
      const conversation = state.conversationOf(user, path.id);
      const [, limit] = paging(query, 50);
      const since = Date.parse(query.since);
      if (Number.isNaN(since)) throw new Refused(400, 'since doit être une date ISO 8601');
      const found = state.messages(conversation.id).filter((each) => each.sent > since);
      return { data: { messages: found.slice(0, limit).map((each) => shapes.message(each)) } };
    });
  }

  function history(kindOf) {
    return (call) => {
      const kind = kindOf(call.path);
      const data = pageOf(state.ofContext(call.user, kind, call.path.id), call);
      const context = state.context(call.user, kind, parseId(call.path.id));
      return { data: context ? { ...data, [kind]: context } : data };
    };
  }

  const [hasHistory, hasShortHistory] = EITHER[options.history_routes];
  if (hasHistory) serve('history', 'get', '/messaging/history/:kind/:id', history((path) => path.kind));
  if (hasShortHistory) serve('history', 'get', '/messaging/history/:id', history(() => 'ordonnance'));

  serve('send', 'post', '/messaging/conversation/:id/message', ({ user, path, body, req }) => {
    const [message, isNew] = state.send(user, path.id, body, req.get('idempotency-key'));
    if (isNew) server.posted(message);
    const spelled = shapes.message(message);
    return { data: { message: spelled }, short: spelled, status: isNew ? 201 : 200 };
  });

  serve('send_many', 'post', '/messaging/send', ({ user, body }) => {
    const conversation =
      body?.conversation_id === undefined
        ? state.ofContext(user, 'ordonnance', body?.ordonnance_id)
        : state.conversationOf(user, body.conversation_id);
    if (!Array.isArray(body.messages)) throw new Refused(400, 'messages doit être une liste');
    const stored = body.messages.map((each) => state.send(user, conversation.id, each)[0]);
    for (const each of stored) server.posted(each);
    return { data: { conversation_id: conversation.id, total: stored.length, envoyes: stored.length }, status: 201 };
  });

  for (const word of { first: ['patch'], other: ['put'], both: ['patch', 'put'] }[options.mark_read_methods]) {
    serve('mark_read', word, '/messaging/messages/:id/read', ({ user, path }) => {
      const [message, isChanged] = state.markRead(user, path.id);
      if (isChanged) server.updated(state.conversation(message.conversationId), 'read');
      const spelled = shapes.message(message);
      return { data: { message: spelled }, short: spelled, isEmpty: options.empty_mark_read };
    });
  }

  // Conversations and people

  serve('create', 'post', '/messaging/conversation', ({ user, body }) => {
    const [conversation, isNew] = state.create(user, body ?? {});
    if (isNew) server.created(conversation, user);
    const spelled = shapes.conversation(conversation, user);
    return { data: spelled, short: { conversation: spelled }, status: isNew ? 201 : 200 };
  });

  serve('participants', 'get', '/messaging/conversation/:id/participants', ({ user, path }) => {
    const people = shapes.participants(state.conversationOf(user, path.id).participants);
    return { data: { participants: people }, short: people };
  });

  const person = (type) => ({ user, path }) => ({ data: shapes.person(state.personSeenBy(user, path.id, type)) });
  if (options.user_info_route) serve('user', 'get', '/messaging/user/:id/info', person());
  serve('user', 'get', '/patients/:id', person('patient'));
  serve('user', 'get', '/medecins/:id', person('medecin'));

  serve('permissions', 'get', '/messaging/permissions/:ordonnance/patient/:patient', ({ user, path }) => ({
    data: state.mayWrite(user, path.ordonnance, path.patient),
  }));

  serve('health', 'get', '/health', () => ({ data: { uptime: 'ok' } }), { isPublic: true });

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  if (!options.keep_alive) app.use(closeEach);
  app.use(express.json({ limit: options.max_body_size }));
  app.use(options.api_path, router);
  app.use((req, res, next) => {
    server.note('unknown', req).status = 404;
    if (options.html_404) return next();
    return res.status(404).json(failure(404, 'Route inconnue'));
  });
  app.use((error, req, res, _next) => {
    const status = error.status ?? 500;
    if (status === 500) console.error(error);
    res.status(status).json(failure(status, status === 413 ? 'Corps trop volumineux' : 'Requête invalide'));
  });
  return app;
}

function closeEach(req, res, next) {
  res.set('Connection', 'close');
  next();
}

// Does what a fault says in place of answering, or with the answer that would have been given.
function play(server, fault, res, give, found) {
  if (fault.do === 'reply') {
    return give(fault.status, () => {
      res.status(fault.status).set(fault.headers);
      res.end(Buffer.from(fault.body, 'base64'));
    });
  }
  if (fault.do === 'truncate') {
    const body = Buffer.from(JSON.stringify(found.body));
    return give(found.status, () => {
      res.status(found.status).set({ 'content-type': 'application/json', 'content-length': body.length });
      res.write(body.subarray(0, body.length / 2), () => res.socket.end());
    });
  }
  if (fault.do === 'raw') {
    res.socket.end(Buffer.from(fault.data, 'base64'));
  } else if (fault.do === 'drop') {
    res.socket.destroy();
  } else {
    server.silenced.add(res.socket);
  }
  return server.changed();
}
