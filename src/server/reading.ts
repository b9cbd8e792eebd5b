// Whether a client reads what a WebSocket sends it. The buffers of the network take megabytes before a write waits, so the
// client itself is asked, by a ping behind what was sent: while that is not answered, subscriptions are not pulled, and cost
// nothing. What waits here beside that is bounded: a client is not read from while answers wait for it, and no answer is added
// to too many bytes. Who does not read at all is cut off by the ping that keeps connections alive.
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { WebSocket } from 'ws';

/** Milliseconds between two questions, and after which an unanswered one means that the client does not read. */
const askingMs = 1_000;

/** Bytes that may wait for one client, besides the answer that is added. */
const maxUnsentBytes = 1024 ** 2;

/** Tells our pings from those that keep the connection alive. */
const question = Buffer.from('reading?');

/** What is known of a client's reading. */
export interface Reading {
  /** To be awaited before each answer that is sent: there is room for it, or the client has gone. */
  room(): Promise<void> | undefined;
  /** The same results, pulled only while the client reads. */
  pace<T>(results: AsyncIterableIterator<T>): AsyncIterableIterator<T>;
}

/** Observes a socket and the connection below it. */
export function observeReading(socket: WebSocket, connection: Socket): Reading {
  let askedAt = -Infinity;
  let isAnswered = true;
  const held = new Set<() => void>();
  const release = (): void => {
    for (const goOn of held) goOn();
    held.clear();
  };
  const answered = (): void => {
    isAnswered = true;
    release();
  };
  socket.on('pong', (data: Buffer) => data.equals(question) && answered());
  socket.once('close', answered);

  function ask(): void {
    const now = performance.now();
    if (!isAnswered || now - askedAt < askingMs || socket.readyState !== socket.OPEN) return;
    isAnswered = false;
    askedAt = now;
    socket.ping(question);
  }

  const pauseWhileUnsent = (): void => {
    if (!connection.writableNeedDrain || socket.isPaused) return;
    socket.pause();
    connection.once('drain', () => socket.resume());
  };
  socket.on('message', pauseWhileUnsent);
  socket.on('ping', pauseWhileUnsent);

  const isFull = (): boolean => socket.bufferedAmount > maxUnsentBytes && !connection.destroyed;
  let queued = 0;
  let queue = Promise.resolve();
  async function untilRoom(before: Promise<void>): Promise<void> {
    await before;
    while (isFull()) await sentOrClosed(connection);
  }

  return {
    room() {
      ask();
      if (queued === 0 && !isFull()) return undefined;
      queued++;
      const turn = untilRoom(queue);
      // The next one looks when this one's answer has been added.
      queue = turn.then(() => setImmediate()).then(() => void queued--);
      return turn;
    },
    pace(results) {
      const paced: typeof results = {
        async next() {
          if (!isAnswered && performance.now() - askedAt > askingMs) await new Promise<void>((resolve) => held.add(resolve));
          return await results.next();
        },
        async return() {
          const end = await results.return?.();
          // A `next` that is held finds it.
          release();
          return end ?? { value: undefined, done: true };
        },
        [Symbol.asyncIterator]: () => paced,
      };
      return paced;
    },
  };
}

function sentOrClosed(connection: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      connection.off('drain', done).off('close', done);
      resolve();
    };
    connection.on('drain', done).on('close', done);
  });
}
