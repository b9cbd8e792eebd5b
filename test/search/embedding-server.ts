// A scripted embedding server that speaks OpenAI's protocol: each vector has one component per topic of the test.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface EmbeddingServer {
  /** Variables that make an app embed by this server. */
  readonly env: Record<string, string>;
  /** Requests so far. */
  readonly calls: number;
  /** From now on requests are refused, or answered again. */
  refuse(refusing?: boolean): void;
  close(): Promise<void>;
}

/** As the catalog says of the model that it stands for. */
const dimensions = 1_536;

/** `topics` are words that mean the same; a text's vector says how often each topic is in it. */
export async function startEmbeddingServer(topics: readonly (readonly string[])[]): Promise<EmbeddingServer> {
  let refusing = false;
  let calls = 0;
  const vectorOf = (text: string): number[] => {
    const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
    const counts = topics.map((topic) => words.filter((word) => topic.includes(word)).length);
    const length = Math.hypot(...counts) || 1;
    return Array.from({ length: dimensions }, (_, index) => (counts[index] ?? 0) / length);
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = '';
    for await (const part of request) text += part;
    calls++;
    response.setHeader('content-type', 'application/json');
    if (refusing) {
      response.writeHead(401).end(JSON.stringify({ error: { message: 'Incorrect API key provided.', type: 'invalid_request_error', code: 'invalid_api_key' } }));
      return;
    }
    const body = JSON.parse(text) as { model: string; input: string | string[]; encoding_format?: string };
    const data = [body.input].flat().map((input, index) => {
      const vector = vectorOf(input);
      const embedding = body.encoding_format === 'base64' ? Buffer.from(Float32Array.from(vector).buffer).toString('base64') : vector;
      return { object: 'embedding', index, embedding };
    });
    response.end(JSON.stringify({ object: 'list', model: body.model, data, usage: { prompt_tokens: 1, total_tokens: 1 } }));
  };
  const http = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`;
  return {
    env: { OPENAI_API_KEY: 'sk-test-0123456789', OPENAI_BASE_URL: url, EMBEDDING_MODEL: 'openai:text-embedding-3-small', LLM_MODEL: 'offline:extractive' },
    get calls() {
      return calls;
    },
    refuse: (on = true) => void (refusing = on),
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
