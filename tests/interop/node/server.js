// A messaging server on Express and Socket.IO 4, in memory, for tests only: it speaks the wire protocol, and what
// servers of its family do differently is a switch. See `options.js`.

import { createServer } from 'node:http';
import { EventFaults, Rules } from './faults.js';
import { readOptions } from './options.js';
import { Realtime } from './realtime.js';
import { makeApi } from './rest.js';
import { Shapes } from './shapes.js';
import { State } from './state.js';
import { Tokens } from './tokens.js';

export class MessagingServer {
  #http = null;
  #connections = new Set();
  #pauses = new Set();

  // `onChange` is called whenever something has happened that a test may wait for.
  constructor({ options, secret, saved }, onChange) {
    this.options = readOptions(options);
    this.state = new State(this.options, saved);
    this.shapes = new Shapes(this.state, this.options);
    this.tokens = new Tokens(secret);
    this.rules = new Rules();
    this.eventFaults = new EventFaults();
    this.requests = [];
    this.events = [];
    this.silenced = new Set(); // TCP connections that wait for an answer that never comes
    this.frozen = new Set();
    this.upgraded = new Set(); // those that are WebSockets, or were asked to be
    this.live = null;
    this.changed = onChange;
  }

  // Life

  async start(port = 0) {
    this.#http = createServer(makeApi(this));
    this.#http.on('connection', (tcp) => {
      this.#connections.add(tcp);
      tcp.on('close', () => {
        this.#connections.delete(tcp);
        this.silenced.delete(tcp);
        this.frozen.delete(tcp);
        this.upgraded.delete(tcp);
      });
    });
    this.live = new Realtime(this, this.#http);
    await new Promise((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(port, '127.0.0.1', resolve);
    });
    return this.#http.address().port;
  }

  // Close the port and cut every connection, as a process that dies.
  async stop() {
    const [http, live] = [this.#http, this.live];
    if (!http) return;
    this.#http = this.live = null;
    live.isOver = true;
    const closed = new Promise((resolve) => http.close(resolve));
    for (const tcp of this.#connections) tcp.destroy();
    for (const end of this.#pauses) end();
    await closed;
    await live.io.close();
    this.changed();
  }

  // Waits, but never beyond the server's stop.
  pause(seconds) {
    if (!seconds) return undefined;
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, seconds * 1000);
      this.#pauses.add(end);
    });
  }

  note(operation, req) {
    const [path, query = ''] = req.originalUrl.split('?');
    const record = { operation, method: req.method, path, query, user: null, status: null };
    this.requests.push(record);
    this.changed();
    return record;
  }

  // Telling

  posted(message) {
    if (this.options.broadcast_on_post) this.live?.tellMessage(message);
    this.changed();
  }

  updated(conversation, reason) {
    this.live?.updated(conversation, reason);
  }

  created(conversation, creator) {
    this.live?.created(conversation, creator);
  }

  // Cutting; each gives how many

  async cut(user) {
    const doomed = user ? this.live.of(user).map((each) => each.request.socket) : [...this.upgraded];
    for (const tcp of doomed) tcp.resetAndDestroy();
    const { live } = this;
    const isThere = () => live.of().some((each) => doomed.includes(each.request.socket));
    for (let turn = 0; turn < 1000 && isThere(); turn += 1) await new Promise(setImmediate);
    return doomed.length;
  }

  disconnect(user) {
    const doomed = this.live.of(user);
    for (const each of doomed) each.disconnect(true);
    return doomed.length;
  }

  freeze(user) {
    for (const { request } of this.live.of(user)) {
      request.socket.pause();
      request.socket.cork();
      this.frozen.add(request.socket);
    }
    return this.frozen.size;
  }

  thaw() {
    for (const tcp of this.frozen) {
      tcp.uncork();
      tcp.resume();
    }
    this.frozen.clear();
  }

  clear() {
    this.rules.clear();
    for (const tcp of this.silenced) tcp.destroy();
    this.thaw();
    this.live?.deliver(this.eventFaults.clear());
  }
}
