// An embedding server that the test holds back: requests wait until they may be answered, or are refused.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface GatedEmbedder {
  readonly url: string;
  /** How many texts each request brought that was answered, in order. */
  readonly answered: number[];
  /** Requests that were refused. */
  readonly refused: number;
  /** From now on requests wait; `only` those with a text that has this in it. */
  hold(only?: string): void;
  /** Resolves when a request waits. */
  asked(): Promise<void>;
  /** Answers so many of the requests that wait; all that come later wait. */
  answerOnly(count: number): void;
  /** Answers what waits, and everything from now on. */
  answer(): void;
  /** From now on requests are refused for a reason that may pass; `only` those with a text that has this in it. */
  refuse(only?: string): void;
  close(): Promise<void>;
}

/** Vectors of `size` components, all nearly alike: every passage is found by every question. */
export async function startGatedEmbedder(size: number): Promise<GatedEmbedder> {
  let mode: 'answer' | 'hold' | 'refuse' = 'answer';
  let meant = '';
  let refused = 0;
  const answered: number[] = [];
  const waiting: (() => void)[] = [];
  const listeners: (() => void)[] = [];
  const respond = (response: ServerResponse, texts: readonly string[]): void => {
    answered.push(texts.length);
    response.setHeader('content-type', 'application/json');
    const data = texts.map((text, index) => ({ object: 'embedding', index, embedding: Array.from({ length: size }, (_, at) => 1 + (text.charCodeAt(at % text.length) % 7) / 100) }));
    response.end(JSON.stringify({ object: 'list', model: 'embedder', data, usage: { prompt_tokens: 1, total_tokens: 1 } }));
  };
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const part of request) body += part;
    const texts = [(JSON.parse(body) as { input: string | string[] }).input].flat();
    const isMeant = texts.some((text) => text.includes(meant));
    if (mode === 'refuse' && isMeant) {
      refused++;
      response.writeHead(503, { 'content-type': 'application/json' }).end('{"error":{"message":"sk-secret is busy"}}');
    } else if (mode === 'hold' && isMeant) {
      waiting.push(() => respond(response, texts));
      for (const listener of listeners.splice(0)) listener();
    } else {
      respond(response, texts);
    }
  };
  const http = createServer((request, response) => void receive(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`,
    answered,
    get refused() {
      return refused;
    },
    hold(only = '') {
      mode = 'hold';
      meant = only;
    },
    asked: () => (waiting.length > 0 ? Promise.resolve() : new Promise((resolve) => listeners.push(resolve))),
    answerOnly(count) {
      for (const each of waiting.splice(0, count)) each();
    },
    answer() {
      mode = 'answer';
      for (const each of waiting.splice(0)) each();
    },
    refuse(only = '') {
      mode = 'refuse';
      meant = only;
    },
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
