// The Socket.IO side (wire protocol, section 4).

import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';
import { isSame, keyOf, parseId, Refused, typeOf } from './state.js';

const EVERYBODY = 'everybody';
const conversationRoom = (id) => `conversation:${id}`;
const userRoom = (user) => `user:${keyOf(user)}`;
const CONVERSATION_IDS = ['conversationId', 'conversation_id', 'id_conversation'];
const MESSAGE_IDS = ['id', 'id_message', 'message_id', 'messageId'];

function firstOf(payload, names) {
  return names.map((each) => payload?.[each]).find((each) => each !== undefined && each !== null);
}

function conversationIn(payload) {
  return payload !== null && typeof payload === 'object' ? firstOf(payload, CONVERSATION_IDS) : payload;
}

export class Realtime {
  // `server` has what this works on: state, shapes, tokens, rules, eventFaults, notes.
  constructor(server, http) {
    this.server = server;
    this.options = server.options;
    this.isOver = false;
    this.io = new Server(http, {
      path: server.options.socketio_path,
      transports: ['websocket'],
      pingInterval: server.options.ping_interval * 1000,
      pingTimeout: server.options.ping_timeout * 1000,
      maxHttpBufferSize: server.options.max_http_buffer_size,
      serveClient: false,
      perMessageDeflate: server.options.compressed_frames ? { threshold: 0 } : false,
      ...(server.options.connection_state_recovery ? { connectionStateRecovery: {} } : {}),
    });
    this.io.use((socket, next) => this.#admitHandshake(socket, next));
    this.io.on('connection', (socket) => this.#connected(socket));
    this.#interceptUpgrades(http);
  }

  // Handshakes

  #interceptUpgrades(http) {
    const [upgrade] = http.listeners('upgrade');
    const bare = new WebSocketServer({ noServer: true });
    http.removeAllListeners('upgrade');
    http.on('upgrade', (req, tcp, head) => {
      this.server.upgraded.add(tcp);
      const fault = this.server.rules.take('upgrade');
      this.server.changed();
      if (!fault) return upgrade.call(http, req, tcp, head);
      if (fault.do === 'refuse') {
        const length = Buffer.byteLength(fault.body);
        return tcp.end(`HTTP/1.1 ${fault.status} Refused\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${fault.body}`);
      }
      this.server.silenced.add(tcp);
      if (fault.do === 'silence' && fault.at === 'upgrade') return tcp.on('error', () => {});
      return bare.handleUpgrade(req, tcp, head, (ws) => {
        ws.on('error', () => {});
        if (fault.do === 'close') ws.close(fault.code);
        if (fault.do === 'garble') ws.send(fault.frame);
      });
    });
  }

  async #admitHandshake(socket, next) {
    await this.server.pause(this.options.middleware_delay);
    const fault = this.server.rules.take('connect');
    this.server.changed();
    if (fault?.do === 'silence') return void this.server.silenced.add(socket.request.socket);
    if (fault?.do === 'delay') await this.server.pause(fault.seconds);
    if (fault?.do === 'refuse') {
      const refusal = new Error(fault.message);
      if (fault.data !== null) refusal.data = fault.data;
      return next(refusal);
    }
    try {
      socket.data.user = this.server.tokens.verify(socket.handshake.auth?.token);
    } catch {
      return next(new Error('Authentication error'));
    }
    return next();
  }

  #connected(socket) {
    socket.on('disconnect', () => this.#gone(socket));
    socket.onAny((event, ...args) => this.#hear(socket, event, args));
    // A recovered socket comes with its data and its rooms; who has told everybody of it, it does not know
    if (!this.options.authenticate_event || socket.recovered) this.#admit(socket);
    this.server.changed();
  }

  #admit(socket) {
    const { user } = socket.data;
    const isFirst = !this.of(user).some((each) => each !== socket && each.data.isAdmitted);
    socket.data.isAdmitted = true;
    socket.join([EVERYBODY, userRoom(user)]);
    if (isFirst) this.#tellPresence('user_online', user);
  }

  #gone(socket) {
    if (this.isOver) return;
    const { user, isAdmitted } = socket.data;
    const others = this.of(user).filter((each) => each !== socket && each.data.isAdmitted);
    if (isAdmitted && !others.length) this.#tellPresence('user_offline', user);
    this.server.changed();
  }

  #tellPresence(event, user) {
    const { shapes } = this.server;
    this.publish(event, [{ userId: shapes.id(user.id), userType: user.type, userName: this.server.state.name(user) }], [EVERYBODY]);
  }

  of(user) {
    const all = [...this.io.of('/').sockets.values()];
    return user ? all.filter((each) => isSame(each.data.user, user)) : all;
  }

  // Telling

  publish(event, args, rooms, skip = null) {
    if (this.server.eventFaults.concern(event)) {
      const adapter = this.io.of('/').adapter;
      const sids = new Set(rooms.flatMap((each) => [...(adapter.rooms.get(each) ?? [])]));
      sids.delete(skip);
      this.send(event, args, [...sids]);
    } else {
      this.io.to(rooms).except(skip ?? []).emit(event, ...args);
    }
    this.server.changed();
  }

  send(event, args, sids) {
    const userOf = (sid) => keyOf(this.io.of('/').sockets.get(sid)?.data.user ?? {});
    this.deliver(this.server.eventFaults.passOn({ event, args, sids }, userOf));
  }

  deliver(deliveries) {
    for (const { event, args, sids } of deliveries) if (sids.length) this.io.to(sids).emit(event, ...args);
  }

  tellMessage(message, skip = null) {
    const conversation = this.#tellRoom(message, skip);
    this.updated(conversation, 'message');
    this.#notify('new_message', conversation, message.sender);
  }

  #tellRoom(message, skip) {
    const conversation = this.server.state.conversation(message.conversationId);
    const payload = this.server.shapes.newMessage(message, conversation.participants);
    this.publish('new_message', [payload], [conversationRoom(conversation.id)], skip);
    return conversation;
  }

  created(conversation, creator) {
    this.updated(conversation, 'created');
    this.#notify('new_conversation', conversation, creator);
  }

  updated(conversation, reason) {
    const rooms = conversation.participants.map(userRoom);
    const payload = { conversationId: this.server.shapes.id(conversation.id), statut: conversation.statut, reason };
    this.publish('conversation_updated', [payload], rooms);
  }

  #notify(type, conversation, by) {
    const rooms = conversation.participants.filter((each) => !isSame(each, by)).map(userRoom);
    if (rooms.length) this.publish('notification', [{ type, conversationId: this.server.shapes.id(conversation.id) }], rooms);
  }

  tellTyping(conversationId, user, isTyping, skip = null) {
    const { shapes, state } = this.server;
    const payload = {
      conversationId: shapes.id(conversationId),
      userId: shapes.id(user.id),
      userName: state.name(user),
      isTyping,
      timestamp: shapes.time(Date.now()),
    };
    this.publish('user_typing', [payload], [conversationRoom(conversationId)], skip);
  }

  emit(event, args, user, conversationId) {
    const room = conversationId !== null ? conversationRoom(conversationId) : user && userRoom(user);
    const sids = room ? [...(this.io.of('/').adapter.rooms.get(room) ?? [])] : [...this.io.of('/').sockets.keys()];
    this.send(event, args, sids);
    return sids.length;
  }

  // Hearing

  #hear(socket, event, args) {
    const acknowledge = typeof args.at(-1) === 'function' ? args.pop() : () => {};
    const payload = args[0];
    const named = Number(conversationIn(payload));
    this.server.events.push([event, socket.data.user, socket.id, Number.isSafeInteger(named) ? named : null]);
    const does = {
      authenticate: () => this.#authenticate(socket, payload),
      join_conversation: () => this.#join(socket, payload),
      leave_conversation: () => this.#leave(socket, payload),
      typing: () => this.#typing(socket, payload),
      new_message: () => this.#relayMessage(socket, payload),
      send_message: () => this.#sendMessage(socket, payload, acknowledge),
    };
    try {
      if (!socket.data.isAdmitted && event !== 'authenticate') throw new Refused(401, 'Authentification attendue');
      if (Object.hasOwn(does, event)) does[event]();
      else if (this.options.relay_events.includes(event)) this.#relay(socket, event, args);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      socket.emit('error', { event, message: error.message });
    }
    this.server.changed();
  }

  #authenticate(socket, payload) {
    const claimed = { type: typeOf(payload?.userType ?? payload?.role), id: parseId(payload?.userId) };
    if (!isSame(claimed, socket.data.user)) throw new Refused(401, 'Authentication error');
    if (!socket.data.isAdmitted) this.#admit(socket);
    socket.emit('authenticated', { success: true });
  }

  #understands(payload) {
    const form = payload !== null && typeof payload === 'object' ? 'object' : 'id';
    return ['both', form].includes(this.options.join_payload);
  }

  // No acknowledgement, as the protocol says
  #join(socket, payload) {
    if (!this.#understands(payload)) return;
    const conversation = this.server.state.conversationOf(socket.data.user, conversationIn(payload));
    const enter = () => {
      if (socket.connected) socket.join(conversationRoom(conversation.id));
      this.server.changed();
    };
    const seconds = this.server.rules.take('join') ?? this.options.join_delay;
    if (seconds) this.server.pause(seconds).then(enter);
    else enter();
  }

  #leave(socket, payload) {
    if (this.#understands(payload)) socket.leave(conversationRoom(parseId(conversationIn(payload))));
  }

  #typing(socket, payload) {
    const conversation = this.server.state.conversationOf(socket.data.user, conversationIn(payload));
    this.tellTyping(conversation.id, socket.data.user, payload.isTyping === true, socket.id);
  }

  // A message that was posted over REST, told at its sender's wish; nothing of the payload is believed but the id.
  #relayMessage(socket, payload) {
    const id = firstOf(payload?.message ?? payload, MESSAGE_IDS);
    const message = this.server.state.messageOf(socket.data.user, id);
    if (!isSame(message.sender, socket.data.user)) throw new Refused(403, "Ce message n'est pas de l'utilisateur");
    if (this.options.broadcast_on_post) this.#tellRoom(message, socket.id);
    else this.tellMessage(message, socket.id);
  }

  #sendMessage(socket, payload, acknowledge) {
    const draft = payload?.message ?? {};
    const key = draft.client_message_id ?? draft.clientMessageId ?? draft.id;
    const body = { contenu: draft.content ?? draft.contenu, type_message: draft.type ?? draft.type_message };
    let told;
    try {
      const [message, isNew] = this.server.state.send(socket.data.user, conversationIn(payload), body, key);
      const { shapes } = this.server;
      told = {
        message_id: shapes.id(message.id),
        conversation_id: shapes.id(message.conversationId),
        client_message_id: key,
      };
      socket.emit('message_sent', told);
      if (isNew) this.tellMessage(message);
      acknowledge({ status: 'success', ...told });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      told = { message_id: draft.id, message: error.message };
      socket.emit('message_error', told);
      acknowledge({ status: 'error', ...told });
    }
  }

  #relay(socket, event, args) {
    const room = conversationRoom(conversationIn(args[0]));
    if (!socket.rooms.has(room)) throw new Refused(403, 'Conversation non rejointe');
    this.publish(event, args, [room], socket.id);
  }
}
