// A raw graphql-transport-ws connection, for what a well-behaved client would never do or show.
import { WebSocket } from 'ws';

// biome-ignore lint: messages are read by the test that caused them.
type Data = any;

export interface RawSocket {
  /** Every message so far. */
  readonly messages: Data[];
  /** The first message (seen or to come) that satisfies the predicate; rejects when the socket closes before. */
  until(predicate: (message: Data) => boolean): Promise<Data>;
  send(message: object | string): void;
  /** Subscribes and returns the operation's first message. */
  begin(id: string, query: string, variables?: object): Promise<Data>;
  readonly closed: Promise<{ code: number; reason: string }>;
  close(): void;
  /** Stops and resumes reading from the network. */
  readonly socket: WebSocket;
}

/** Opens a connection and, unless `token` is absent, initialises it; rejects with the status of a refused upgrade. */
export async function openSocket(url: string, token?: string | null, headers: Record<string, string> = {}): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
  const messages: Data[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const each of waiting) each();
  };
  let over: { code: number; reason: string } | null = null;
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on('close', (code, reason) => {
      over = { code, reason: reason.toString() };
      resolve(over);
      wake();
    }),
  );
  socket.on('message', (data) => {
    messages.push(JSON.parse(String(data)));
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('error', reject);
    socket.on('unexpected-response', (_request, response) => {
      reject(new Error(`The upgrade was refused with ${response.statusCode}.`));
      socket.terminate();
    });
  });
  const raw: RawSocket = {
    messages,
    closed,
    socket,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async until(predicate) {
      for (;;) {
        const hit = messages.find(predicate);
        if (hit !== undefined) return hit;
        if (over) throw new Error(`The socket closed (${JSON.stringify(over)}) after ${JSON.stringify(messages)}`);
        await new Promise<void>((resolve) => {
          const once = (): void => {
            waiting.delete(once);
            resolve();
          };
          waiting.add(once);
        });
      }
    },
    begin(id, query, variables = {}) {
      raw.send({ id, type: 'subscribe', payload: { query, variables } });
      return raw.until((message) => message.id === id);
    },
    close: () => socket.close(1000),
  };
  if (token !== undefined) {
    raw.send({ type: 'connection_init', ...(token !== null && { payload: { authorization: `Bearer ${token}` } }) });
    if (token !== null) await Promise.race([raw.until((message) => message.type === 'connection_ack'), closed]);
  }
  return raw;
}
