// Many subscribers in one process, far cheaper for it than for the server: plain sockets that speak just enough WebSocket and
// graphql-transport-ws to follow chat sessions. Started as a child process and told what to do by messages (see crowd.ts).
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** Characters of one piece of an answer: the microsecond (of the machine's monotonic clock) in which the model said it. */
export const pieceLength = 17;

/** What the swarm is told; each is answered by one `Told`. */
export type Order =
  /** Opens so many subscribers of the sessions in turn; answered when all of them have caught up. */
  | { readonly do: 'open'; readonly group: string; readonly count: number; readonly url: string; readonly token: string; readonly sessions: readonly string[] }
  /** Stops reading, for good. */
  | { readonly do: 'pause'; readonly group: string }
  /** Answered when each of the group has had so many pieces since the last order of this kind, or one is cut off. */
  | { readonly do: 'expect'; readonly group: string; readonly pieces: number }
  | { readonly do: 'close'; readonly group: string };

export interface Told {
  /** How many of the group are connected. */
  readonly connected: number;
  /** Holes, repeats and refusals. */
  readonly faults: readonly string[];
  /** From the model's word to the reader, in milliseconds. */
  readonly latency?: { readonly pieces: number; readonly messages: number; readonly medianMs: number; readonly p99Ms: number };
}

const DOCUMENT = `subscription ($s: ID!) { chatEvents(sessionId: $s) { __typename
  ... on StreamEvent { cursor sequence }
  ... on MessageDelta { messageId blockIndex offset text } } }`;

interface Subscriber {
  readonly socket: Socket;
  connected: boolean;
  /** Length of the text of the message that streams. */
  length: number;
  pieces: number;
}

class Group {
  readonly subscribers: Subscriber[] = [];
  readonly faults: string[] = [];
  /** Microseconds. */
  latencies: number[] = [];
  messages = 0;
  complete: { readonly pieces: number; missing: number; readonly resolve: () => void } | null = null;
}

const groups = new Map<string, Group>();

process.on('message', (order: Order) => {
  void obey(order).then((told) => process.send?.(told));
});

async function obey(order: Order): Promise<Told> {
  let group = groups.get(order.group);
  if (!group) groups.set(order.group, (group = new Group()));
  const { subscribers } = group;
  let latency: Told['latency'];
  if (order.do === 'open') {
    for (let begun = 0; begun < order.count; begun += 50) {
      const some = Array.from({ length: Math.min(50, order.count - begun) }, (_, index) => open(group, order, order.sessions[(begun + index) % order.sessions.length] as string));
      await Promise.all(some);
    }
  } else if (order.do === 'pause') {
    for (const { socket } of subscribers) socket.pause();
  } else if (order.do === 'close') {
    for (const { socket } of subscribers) socket.destroy();
    groups.delete(order.group);
  } else {
    await new Promise<void>((resolve) => {
      const missing = subscribers.filter(({ pieces }) => pieces < order.pieces).length;
      group.complete = { pieces: order.pieces, missing, resolve };
      if (missing === 0 || subscribers.some(({ connected }) => !connected)) resolve();
    });
    const sorted = Float64Array.from(group.latencies).sort();
    const at = (part: number): number => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number) / 1000;
    latency = { pieces: sorted.length, messages: group.messages, medianMs: at(0.5), p99Ms: at(0.99) };
    Object.assign(group, { latencies: [], messages: 0, complete: null });
    for (const subscriber of subscribers) subscriber.pieces = 0;
  }
  return { connected: subscribers.filter(({ connected }) => connected).length, faults: group.faults.slice(0, 5), ...(latency && { latency }) };
}

/** Connects and subscribes; resolves once it has caught up. */
function open(group: Group, { url, token }: Extract<Order, { do: 'open' }>, sessionId: string): Promise<void> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname).setNoDelay(true);
  const subscriber: Subscriber = { socket, connected: false, length: 0, pieces: 0 };
  group.subscribers.push(subscriber);
  return new Promise((resolve) => {
    const fail = (fault: string): void => {
      group.faults.push(fault);
      resolve();
    };
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => {
      if (subscriber.connected) group.faults.push('closed');
      subscriber.connected = false;
      group.complete?.resolve();
      resolve();
    });
    socket.on('connect', () =>
      socket.write(
        `GET /graphql HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
          `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
      ),
    );
    let rest: Buffer | null = null;
    let upgraded = false;
    socket.on('data', (data) => {
      let bytes = rest ? Buffer.concat([rest, data]) : data;
      rest = null;
      if (!upgraded) {
        const end = bytes.indexOf('\r\n\r\n');
        if (!bytes.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) return fail(bytes.toString('latin1', 0, 40));
        upgraded = true;
        bytes = bytes.subarray(end + 4);
        socket.write(frame(1, { type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
      }
      const now = Number(process.hrtime.bigint() / 1000n);
      let at = 0;
      while (at + 2 <= bytes.length) {
        const opcode = (bytes[at] as number) & 15;
        let length = bytes[at + 1] as number;
        let from = at + 2;
        if (length === 126) {
          if (at + 4 > bytes.length) break;
          length = bytes.readUInt16BE(at + 2);
          from = at + 4;
        } else if (length === 127) {
          if (at + 10 > bytes.length) break;
          length = Number(bytes.readBigUInt64BE(at + 2));
          from = at + 10;
        }
        if (from + length > bytes.length) break;
        at = from + length;
        if (opcode === 9) socket.write(frame(10, bytes.subarray(from, at)));
        if (opcode !== 1) continue;
        const message = JSON.parse(bytes.toString('utf8', from, at));
        if (message.type === 'connection_ack') socket.write(frame(1, { id: '1', type: 'subscribe', payload: { query: DOCUMENT, variables: { s: sessionId } } }));
        else if (message.type === 'next' && message.payload.data) {
          take(group, subscriber, message.payload.data.chatEvents, now);
          if (message.payload.data.chatEvents.__typename === 'StreamCaughtUp') {
            subscriber.connected = true;
            resolve();
          }
        } else fail(bytes.toString('utf8', from, at));
      }
      if (at < bytes.length) rest = bytes.subarray(at);
    });
  });
}

function take(group: Group, subscriber: Subscriber, event: { __typename: string; offset: number; text: string }, now: number): void {
  group.messages++;
  if (event.__typename === 'MessageCreated') subscriber.length = 0;
  if (event.__typename !== 'MessageDelta') return;
  const { offset, text } = event;
  if (offset !== subscriber.length) group.faults.push(`text at ${offset} after ${subscriber.length}`);
  subscriber.length = offset + text.length;
  const { complete } = group;
  for (let at = 0; at < text.length; at += pieceLength) {
    group.latencies.push(now - Number(text.slice(at, at + pieceLength)));
    subscriber.pieces++;
    if (complete && subscriber.pieces === complete.pieces && --complete.missing === 0) complete.resolve();
  }
}

/** A masked frame, as clients send them. */
function frame(opcode: number, content: object | Buffer): Buffer {
  const payload = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const mask = randomBytes(4);
  const head = payload.length < 126 ? Buffer.from([0x80 | opcode, 0x80 | payload.length]) : Buffer.from([0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ (mask[index & 3] as number))]);
}
