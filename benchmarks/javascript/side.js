// The JavaScript side: `node side.js flood '{"url": …}'` does one piece of work and prints what it measured as JSON.

import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { Feed, readConversation } from './normalise.js';
import { axios, io } from './packages.js';

const now = () => performance.now() / 1000; // seconds
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const send = (socket, name, ...args) => socket.emitWithAck(name, ...args);

async function connected(url, token) {
  const socket = io(url, { auth: { token }, transports: ['websocket'], forceNew: true });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
  return socket;
}

const rest = (url, token) =>
  axios.create({
    baseURL: `${url}/api`,
    headers: { Authorization: `Bearer ${token}` },
    httpAgent: new Agent({ keepAlive: true }),
    proxy: false,
  });

async function flood({ url, token, warm, count, size = null }) {
  const socket = await connected(url, token);
  const feed = new Feed();
  let left = 0;
  let finish = () => {};
  const handle = async (_message) => {
    left -= 1;
    if (left === 0) finish();
  };
  socket.on('new_message', (payload) => {
    const message = feed.take(payload);
    if (message !== null) handle(message);
  });
  const run = async (first, many) => {
    left = many;
    const done = new Promise((resolve) => {
      finish = resolve;
    });
    await send(socket, 'prepare', { first, count: many, size });
    const began = now();
    const cpu = process.cpuUsage();
    send(socket, 'flood');
    await done;
    const spent = process.cpuUsage(cpu);
    return { rate: many / (now() - began), cpu_us: (spent.user + spent.system) / many };
  };
  await run(1, warm);
  const measured = await run(1 + warm, count);
  socket.disconnect();
  return measured;
}

async function latency({ url, token, warm, count }) {
  const [sender, receiver] = [await connected(url, token), await connected(url, token)];
  const feed = new Feed();
  const http = rest(url, token);
  let arrived = () => {};
  receiver.on('new_message', async (payload) => {
    const message = feed.take(payload);
    if (message !== null) arrived(now());
  });
  sender.on('new_message', () => {});
  const taken = [];
  for (let number = 0; number < warm + count; number += 1) {
    const event = new Promise((resolve) => {
      arrived = resolve;
    });
    const began = now();
    await http.post('/messaging/conversation/15/message', { contenu: `message ${number}`, type_message: 'texte' });
    taken.push((await event) - began);
  }
  sender.disconnect();
  receiver.disconnect();
  return { p50_ms: median(taken.slice(warm)) * 1000 };
}

async function sends({ url, token, at_a_time, warm, each }) {
  const http = rest(url, token);
  const run = (many) => {
    const one = async (_, conversation) => {
      for (let number = 0; number < many; number += 1) {
        const body = { contenu: `message ${number}`, type_message: 'texte' };
        await http.post(`/messaging/conversation/${conversation}/message`, body);
      }
    };
    return Promise.all(Array.from({ length: at_a_time }, one));
  };
  await run(warm);
  const began = now();
  await run(each);
  return { rate: (at_a_time * each) / (now() - began) };
}

async function lists({ path, times }) {
  const bytes = readFileSync(path);
  const taken = [];
  for (let run = 0; run <= times; run += 1) {
    const began = now();
    const found = JSON.parse(bytes).data.conversations.map(readConversation);
    taken.push(now() - began);
    if (!found.length) throw new Error('nothing was read');
  }
  return { ms: median(taken.slice(1)) * 1000 };
}

const [, , work, given] = process.argv;
const measured = await { flood, latency, sends, lists }[work](JSON.parse(given));
process.stdout.write(`${JSON.stringify({ measured, uses: [] })}\n`);
process.exit(0);
