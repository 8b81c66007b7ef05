// A client in JavaScript that does on the wire what `messagingApi` does: REST with axios, events with socket.io-client.

import axios from 'axios';
import { io } from 'socket.io-client';

const firstOf = (object, names) => names.map((each) => object?.[each]).find((each) => each !== undefined && each !== null);

// One message of whichever spelling
export function readMessage(given) {
  const raw = given.message ?? given;
  const sender = raw.sender ?? raw.expediteur_info ?? { id: raw.expediteur_id, type: raw.expediteur_type };
  return {
    id: firstOf(raw, ['id', 'id_message', 'message_id', 'messageId']),
    content: firstOf(raw, ['content', 'contenu']),
    sender: `${sender.type} ${sender.id}`,
    isRead: ['lu', 'read'].includes(firstOf(raw, ['status', 'statut'])),
  };
}

export class MessagingApi {
  // `tell(event, payload)` hears of every event, as it came.
  constructor({ url, token, user, bareId = false, authenticate = false }, tell) {
    this.url = url;
    this.token = token;
    this.user = user;
    this.bareId = bareId;
    this.authenticate = authenticate;
    this.tell = tell;
    this.view = new Map(); // what a user would see: each message once, by its id
    this.http = axios.create({
      baseURL: `${url}/api`,
      timeout: 15000,
      headers: { Authorization: `Bearer ${token}` },
      proxy: false,
    });
  }

  // Resolves once connected, and rejects with what the server says.
  connect() {
    if (this.socket?.connected) return Promise.resolve(this.socket.id);
    this.socket = io(this.url, {
      auth: { token: this.token },
      transports: ['websocket'],
      timeout: 15000,
      forceNew: true,
      reconnection: true,
      reconnectionDelay: 50, // 2 000 in life
      reconnectionDelayMax: 100,
      reconnectionAttempts: 1000,
    });
    this.socket.onAny((event, ...args) => this.#hear(event, args));
    this.socket.on('disconnect', (reason) => this.tell('disconnect', reason));
    return new Promise((resolve, reject) => {
      this.socket.on('connect', () => {
        if (this.authenticate) {
          const { id, type } = this.user;
          this.socket.emit('authenticate', { userId: id, userType: type, role: type });
        }
        this.tell('connect', this.socket.id);
        resolve(this.socket.id);
      });
      this.socket.on('connect_error', (error) => reject(error));
    });
  }

  disconnect() {
    this.socket?.disconnect();
  }

  #hear(event, args) {
    if (event === 'new_message') this.#show(args[0]);
    this.tell(event, args[0]);
  }

  #show(raw) {
    const message = readMessage(raw);
    this.view.set(message.id, message);
    return message;
  }

  joinConversation(id) {
    this.socket.emit('join_conversation', this.bareId ? id : { conversationId: id });
  }

  leaveConversation(id) {
    this.socket.emit('leave_conversation', this.bareId ? id : { conversationId: id });
  }

  emitTyping(id, isTyping) {
    this.socket.emit('typing', { conversationId: id, isTyping, timestamp: new Date().toISOString() });
  }

  async #data(request) {
    const { data } = await request;
    return data?.data ?? data;
  }

  async getConversations() {
    const { id, type } = this.user;
    const query = { params: { page: 1, limit: 20, statut: 'active' } };
    const data = await this.#data(this.http.get(`/messaging/conversations/${type}/${id}`, query));
    return data.conversations;
  }

  async getConversationMessages(id) {
    const data = await this.#data(this.http.get(`/messaging/conversation/${id}/messages`, { params: { page: 1, limit: 50 } }));
    return data.messages.map((each) => this.#show(each));
  }

  async createConversation(titre, participants) {
    const body = {
      titre,
      type_conversation: 'patient_medecin',
      participants,
      initiateur_id: this.user.id,
      initiateur_type: this.user.type,
    };
    const data = await this.#data(this.http.post('/messaging/conversation', body));
    return firstOf(data.conversation ?? data, ['id_conversation', 'id']);
  }

  // POST, and then tell others over the socket: servers that do not broadcast by themselves relay it
  async sendMessage(id, contenu) {
    const data = await this.#data(this.http.post(`/messaging/conversation/${id}/message`, { contenu, type_message: 'texte' }));
    const message = this.#show(data.message ?? data);
    const timestamp = new Date().toISOString();
    this.socket.emit('new_message', {
      id: message.id,
      content: contenu,
      type: 'text',
      sender: { ...this.user, name: 'Moi' },
      recipient: { id: 'all', type: 'unknown' },
      conversation_id: id,
      timestamp,
      status: 'sent',
    });
    this.socket.emit('message_sent', { message_id: message.id, conversation_id: id, sender_id: this.user.id, timestamp });
    return message;
  }

  sendMessageViaWebSocket(id, contenu) {
    this.socket.emit('send_message', {
      conversationId: id,
      message: { id: `temp_${Date.now()}`, content: contenu, type: 'text', sender: this.user, conversation_id: id },
    });
  }

  async markMessageAsRead(id) {
    const data = await this.#data(this.http.patch(`/messaging/messages/${id}/read`));
    return readMessage(data.message ?? data);
  }
}
