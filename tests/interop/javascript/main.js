// The client in JavaScript to order: a line {"id", "call", "args"} calls a method, a line {"id", "value"} or
// {"id", "error"} answers, {"event", "payload"} is an event that came. Ends with its input.

import { createInterface } from 'node:readline';
import { MessagingApi } from './messaging_api.js';

const write = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const api = new MessagingApi(JSON.parse(process.argv[2]), (event, payload) => write({ event, payload: payload ?? null }));

async function answer({ id, call, args }) {
  try {
    const value = call === 'view' ? [...api.view.values()] : await api[call](...args);
    write({ id, value: value ?? null });
  } catch (error) {
    write({ id, error: error.message, status: error.response?.status ?? null });
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => answer(JSON.parse(line)))
  .on('close', () => process.exit(0));
