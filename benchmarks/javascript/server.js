// The server that every side is measured against: Express and Socket.IO. It stores nothing and broadcasts what is posted.
// Floods are frames made before, written past Socket.IO: the server must not be what limits.
// Prints its port, and ends with its input, so that it cannot outlive whoever started it.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { event, flood, message } from './frames.js';
import { express, Server } from './packages.js';

const given = JSON.parse(process.argv[2] ?? '{}');
const app = express();
const http = createServer(app);
http.keepAliveTimeout = 60_000;
const io = new Server(http, given);
const PEOPLE = [
  { id: 5, type: 'patient', name: 'Marie Dupont' },
  { id: 79, type: 'medecin', name: 'Dr. Sakura Saza' },
];
const PAGE = { page: 1, limit: 50, total: 0, totalPages: 0 };
let posted = 0;

app.disable('x-powered-by');
app.disable('etag');
app.use(express.json());

app.post('/api/messaging/conversation/:id/message', (request, response) => {
  posted += 1;
  const stored = {
    id_message: posted,
    conversation_id: Number(request.params.id),
    contenu: request.body.contenu,
    type_message: request.body.type_message,
    expediteur_id: 79,
    expediteur_type: 'medecin',
    date_envoi: new Date().toISOString(),
    statut: 'envoyé',
    client_message_id: request.body.client_message_id,
  };
  if (io.of('/').sockets.size) io.emit('new_message', stored);
  response.status(201).json({ status: 'success', data: { message: stored } });
});
app.get('/api/messaging/conversation/:id/messages', (request, response) => {
  const conversation = { id_conversation: Number(request.params.id), titre: 'Messages - Ordonnance 15', participants: PEOPLE };
  response.json({ status: 'success', data: { conversation, messages: [], pagination: PAGE } });
});
app.get('/api/messaging/conversation/:id/new-messages', (_request, response) => {
  response.json({ status: 'success', data: { messages: [] } });
});
app.get('/api/messaging/conversation/:id/participants', (_request, response) => {
  response.json({ status: 'success', data: { participants: PEOPLE } });
});

const socketOf = (socket) => socket.conn.transport.socket; // the WebSocket of `ws`

// As fast as the other side takes them; what else is to be sent, as pings, comes in between.
async function write(socket, chunks, done) {
  const wire = socketOf(socket)._socket;
  for (const chunk of chunks) {
    if (!wire.write(chunk)) await once(wire, 'drain');
  }
  done(true);
}

// As many events a second as asked for, a few each millisecond.
function steady(socket, { first, count, rate, ...how }, done) {
  const began = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.min(count, Math.floor(((performance.now() - began) / 1000) * rate));
    for (; sent < due; sent += 1) socketOf(socket)._socket.write(event(message(first + sent, how)));
    if (sent === count) {
      clearInterval(timer);
      done(true);
    }
  }, 1);
  socket.on('disconnect', () => clearInterval(timer));
}

// From now on, frames with an event are counted and not read, until one asks for an acknowledgement.
function sink(socket, done) {
  const wire = socketOf(socket);
  const [read] = wire.listeners('message');
  wire.removeAllListeners('message');
  let count = 0;
  wire.on('message', (data, isBinary) => {
    if (data[0] === 0x34 && data[1] === 0x32 && data[2] === 0x5b) count += 1; // 42[
    else read.call(wire, data, isBinary);
  });
  socket.on('counted', (answer) => answer(count));
  done(true);
}

// How long answers to pings took.
function heartbeats(socket) {
  const told = { pings: 0, pongs: 0, worst_ms: 0 };
  let asked = 0;
  socket.conn.on('packetCreate', ({ type }) => {
    if (type !== 'ping') return;
    told.pings += 1;
    asked = performance.now();
  });
  socket.conn.on('packet', ({ type }) => {
    if (type !== 'pong') return;
    told.pongs += 1;
    told.worst_ms = Math.max(told.worst_ms, performance.now() - asked);
  });
  return told;
}

io.on('connection', (socket) => {
  const beats = heartbeats(socket);
  let made = [];
  socket.conn.transport.socket._socket.setNoDelay(true);
  socket.on('join_conversation', ({ conversationId }, done) => {
    socket.join(`conversation:${conversationId}`);
    if (typeof done === 'function') done({ joined: true });
  });
  socket.on('prepare', (what, done) => {
    made = flood(what);
    done(true);
  });
  socket.on('flood', (done) => write(socket, made, done));
  socket.on('steady', (what, done) => steady(socket, what, done));
  socket.on('sink', (done) => sink(socket, done));
  socket.on('ask', (what, done) => done(what));
  socket.on('heartbeats', (done) => done(beats));
});

http.listen(0, '127.0.0.1', () => process.stdout.write(`${http.address().port}\n`));
process.stdin.on('end', () => process.exit(0)).resume();
