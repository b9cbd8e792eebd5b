// A scripted model server that speaks OpenAI's streaming protocol: the test decides when each token leaves.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call of the model, as the server sees it. */
export interface ModelCall {
  /** The request's body. */
  readonly body: { model: string; messages: { role: string; content: string; tool_calls?: { id: string; function: { name: string; arguments: string }; extra_content?: object }[]; tool_call_id?: string }[]; tools?: { function: { name: string; description: string; parameters: any } }[] };
  /** Sends a piece of the answer. */
  say(text: string): void;
  /** Ends the answer by requesting calls of tools, with these arguments or this text in their place, and what else a server adds to a call. */
  request(...calls: { readonly name: string; readonly arguments: object | string; readonly more?: object }[]): void;
  /** Cuts the connection, in the middle of the answer. */
  cut(): void;
  /** Ends the answer, with usage; one of which nothing was said is "Yes.", as an empty one would be no answer. `length`: it was cut off. */
  end(usage?: { prompt_tokens: number; completion_tokens: number }, finish?: 'stop' | 'length'): void;
  /** Resolves when the caller has closed the connection before the end. */
  readonly abandoned: Promise<void>;
}

export interface ModelServer {
  readonly url: string;
  /** Variables that make an app answer from this server. */
  readonly env: Record<string, string>;
  /** The next call, seen or to come. */
  call(): Promise<ModelCall>;
  readonly calls: number;
  close(): Promise<void>;
}

export async function startModelServer(): Promise<ModelServer> {
  const waiting: ModelCall[] = [];
  const wanted: ((call: ModelCall) => void)[] = [];
  let calls = 0;
  const http = createServer((request, response) => {
    void answer(request, response);
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += part;
    calls++;
    const abandoned = new Promise<void>((resolve) => response.on('close', () => !response.writableFinished && resolve()));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    const body = JSON.parse(text) as ModelCall['body'];
    const chunk = (rest: object): void => void response.write(`data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 0, model: body.model, ...rest })}\n\n`);
    let said = false;
    const call: ModelCall = {
      body,
      abandoned,
      say(content) {
        said = true;
        chunk({ choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }] });
      },
      request(...calls) {
        for (const [index, { name, arguments: given, more }] of calls.entries()) {
          const text = typeof given === 'string' ? given : JSON.stringify(given);
          const half = Math.ceil(text.length / 2);
          // Every model numbers its calls from the beginning in each answer.
          chunk({ choices: [{ index: 0, delta: { role: 'assistant', tool_calls: [{ index, id: `call_${index}`, type: 'function', function: { name, arguments: text.slice(0, half) }, ...more }] }, finish_reason: null }] });
          chunk({ choices: [{ index: 0, delta: { tool_calls: [{ index, function: { arguments: text.slice(half) } }] }, finish_reason: null }] });
        }
        chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] });
        chunk({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } });
        response.end('data: [DONE]\n\n');
      },
      cut: () => void response.destroy(),
      end(usage = { prompt_tokens: 7, completion_tokens: 3 }, finish = 'stop') {
        if (!said) call.say('Yes.');
        chunk({ choices: [{ index: 0, delta: {}, finish_reason: finish }] });
        chunk({ choices: [], usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens } });
        response.end('data: [DONE]\n\n');
      },
    };
    const next = wanted.shift();
    if (next) next(call);
    else waiting.push(call);
  }
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`;
  return {
    url,
    env: { OPENAI_API_KEY: 'sk-test-0123456789', OPENAI_BASE_URL: url, LLM_MODEL: 'openai:gpt-4o-mini', EMBEDDING_MODEL: 'offline:bm25-hash' },
    call: () => {
      const seen = waiting.shift();
      return seen ? Promise.resolve(seen) : new Promise((resolve) => wanted.push(resolve));
    },
    get calls() {
      return calls;
    },
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
