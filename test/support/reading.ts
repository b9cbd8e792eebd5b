// A subscription as one connection carries it, over WebSocket or server-sent events, read one result at a time; the
// connection can be severed at any point without a word.
import { openSocket } from './socket.ts';

// biome-ignore lint: results are read by the test that wrote the query.
type Result = any;

export interface Reading {
  /** The next result; null once the stream has ended, or the connection is gone. */
  next(): Promise<Result | null>;
  /** Cuts the connection. What has arrived and was not read is lost. */
  sever(): Promise<void>;
}

/** Opens a subscription at an instance's address. */
export type OpenReading = (url: string, token: string, query: string, variables: object) => Promise<Reading>;

export const readOverSocket: OpenReading = async (url, token, query, variables) => {
  const raw = await openSocket(url, token);
  raw.send({ id: '1', type: 'subscribe', payload: { query, variables } });
  // The first message was connection_ack.
  let taken = 1;
  return {
    async next() {
      for (;;) {
        const message = raw.messages[taken];
        if (message?.type === 'next') return raw.messages[taken++].payload;
        if (message?.type === 'error') throw new Error(JSON.stringify(message.payload));
        if (message?.type === 'complete') return null;
        if (message) taken++;
        else if (!(await raw.until(() => raw.messages.length > taken).catch(() => null))) return null;
      }
    },
    async sever() {
      taken = raw.messages.length;
      raw.socket.terminate();
      await raw.closed;
    },
  };
};

export const readOverSse: OpenReading = async (url, token, query, variables) => {
  const leaving = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
    signal: leaving.signal,
  });
  if (!response.headers.get('content-type')?.includes('text/event-stream')) throw new Error(`No event stream: ${response.status} ${await response.text()}`);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  return {
    async next() {
      for (;;) {
        const [, event, rest] = /^([^]*?)\n\n([^]*)$/.exec(text) ?? [];
        if (event !== undefined) {
          text = rest as string;
          if (/^event: complete/m.test(event)) return null;
          const data = /^data: ?(.+)$/m.exec(event)?.[1];
          // Comments keep the connection alive.
          if (data !== undefined) return JSON.parse(data);
          continue;
        }
        const { value, done } = await reader.read();
        if (done) return null;
        text += decoder.decode(value, { stream: true });
      }
    },
    async sever() {
      leaving.abort();
      await reader.cancel().catch(() => undefined);
    },
  };
};
