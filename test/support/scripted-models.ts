// A server of models that speaks OpenAI's protocol and does what a script says: each request takes the next step of its
// model's script, and the last step again and again.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ModelSettings, ProviderSettings } from '../../src/models/provider.ts';

/** What a request gets: a status, headers and a body, pieces of a stream, or whatever a test does with the response itself. */
export type Step = Refusal | Stream | ((response: ServerResponse, body: RequestBody) => void);
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly error?: object;
}
export interface Stream {
  /** Sent as `choices[0].delta`; a string is the text of one, and a Buffer is sent as it is. */
  readonly pieces: readonly (string | object | Buffer)[];
  /** Null: the stream ends without a reason. */
  readonly finish?: string | null;
  readonly usage?: object;
  /** Then the connection is closed instead of ending well. */
  readonly isCut?: boolean;
}
export interface RequestBody {
  readonly model: string;
  readonly input?: string | readonly string[];
  readonly tools?: readonly object[];
  readonly messages?: readonly { readonly role: string; readonly content: string }[];
  /** Of a request for a ranking. */
  readonly query?: string;
  readonly documents?: readonly string[];
}

export interface ScriptedModels {
  /** A provider with these models. */
  provider(models: readonly (string | ModelSettings)[], more?: Partial<ProviderSettings>): ProviderSettings;
  script(model: string, steps: readonly Step[]): void;
  /** Requests for a model since its script was set; `closed` resolves when the connection is gone. */
  requests(model: string): readonly { readonly path: string; readonly body: RequestBody; readonly closed: Promise<void> }[];
  close(): Promise<void>;
}

/** What a model says of its own when it answers well. */
export const answer = (text: string): Stream => ({ pieces: text.split(/(?<= )/), usage: { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 } });

export async function startScriptedModels(): Promise<ScriptedModels> {
  const scripts = new Map<string, { readonly steps: readonly Step[]; readonly requests: { path: string; body: RequestBody; closed: Promise<void> }[] }>();
  const http = createServer((request, response) => void serve(request, response));
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += part;
    const body = JSON.parse(text) as RequestBody;
    const script = scripts.get(body.model);
    if (!script) return void response.writeHead(500).end();
    const step = script.steps[Math.min(script.requests.length, script.steps.length - 1)] as Step;
    script.requests.push({ path: request.url ?? '', body, closed: new Promise((resolve) => response.once('close', resolve)) });
    if (typeof step === 'function') step(response, body);
    else if ('status' in step) refuse(response, step);
    else stream(response, step);
  }
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`;
  return {
    provider: (models, more) => ({
      id: 'test', name: 'Test', kind: 'OPENAI_COMPATIBLE', baseUrl: url, apiKey: 'sk-test-0123456789', owner: 'INSTALLATION',
      models: models.map((model) => (typeof model === 'string' ? { name: model, capabilities: ['CHAT', 'STREAMING', 'TOOLS'] as const } : model)),
      ...more,
    }),
    script: (model, steps) => void scripts.set(model, { steps, requests: [] }),
    requests: (model) => scripts.get(model)?.requests ?? [],
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function refuse(response: ServerResponse, { status, headers, error = { message: 'RAW PROVIDER TEXT' } }: Refusal): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ error }));
}

function stream(response: ServerResponse, { pieces, finish = 'stop', usage, isCut = false }: Stream): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const piece of pieces) send(response, piece);
  if (isCut) {
    // What was sent is read before it breaks: by this same process, which has looked at its connections many times by then.
    response.write(': \n\n', () => setTimeout(() => void turns(20).then(() => response.destroy()), 20));
    return;
  }
  if (finish !== null) send(response, {}, finish);
  if (usage) response.write(`data: ${JSON.stringify({ ...frame, choices: [], usage })}\n\n`);
  response.end('data: [DONE]\n\n');
}

/** So many turns of the event loop, whatever they take. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

const frame = { id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm' };

/** Sends one piece of a stream. */
export function send(response: ServerResponse, piece: string | object | Buffer, finish: string | null = null): void {
  if (Buffer.isBuffer(piece)) return void response.write(piece);
  const delta = typeof piece === 'string' ? { role: 'assistant', content: piece } : { role: 'assistant', ...piece };
  response.write(`data: ${JSON.stringify({ ...frame, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
}
