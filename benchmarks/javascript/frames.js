// Messages as the server floods them: WebSocket frames made before the clock starts, so that the server is not measured.

const TEXT = 'Bonjour docteur, ' + 'je vous écris au sujet de mon ordonnance. '.repeat(3);
const START = Date.UTC(2025, 7, 23, 10);
const CHUNK = 64 * 1024; // bytes that are written at a time

// A message in event spelling; about 450 bytes, unless a size of its text is given.
export function message(number, { conversation = 15, size = null } = {}) {
  return {
    id: number,
    conversation_id: conversation,
    content: size === null ? TEXT : 'a'.repeat(size),
    type: 'text',
    sender: { id: 5, type: 'patient', name: 'Marie Dupont' },
    recipient: { id: 79, type: 'medecin', name: 'Dr. Sakura Saza' },
    timestamp: new Date(START + number).toISOString(),
    status: 'sent',
  };
}

// One text frame as a server sends it: not masked (RFC 6455, section 5.2).
function frame(text) {
  const body = Buffer.from(text);
  let head;
  if (body.length < 126) {
    head = Buffer.from([0x81, body.length]);
  } else if (body.length < 65536) {
    head = Buffer.from([0x81, 126, body.length >> 8, body.length & 0xff]);
  } else {
    head = Buffer.alloc(10);
    head[0] = 0x81;
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(body.length), 2);
  }
  return Buffer.concat([head, body]);
}

export const event = (given) => frame(`42${JSON.stringify(['new_message', given])}`);

// The frames of a flood, in chunks.
export function flood({ first, count, ...how }) {
  const chunks = [];
  let waiting = [];
  let bytes = 0;
  for (let number = first; number < first + count; number += 1) {
    const made = event(message(number, how));
    waiting.push(made);
    bytes += made.length;
    if (bytes >= CHUNK || number === first + count - 1) {
      chunks.push(Buffer.concat(waiting));
      waiting = [];
      bytes = 0;
    }
  }
  return chunks;
}
