// What vendors want back with the calls of their models, in conversations with servers that refuse what is missing or changed.
import type { ToolDefinition } from '@langchain/core/language_models/base';
import { AIMessage, HumanMessage, ToolMessage, type BaseMessage } from '@langchain/core/messages';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatAnswer, ChatHooks } from '../../src/models/ask.ts';
import { createModels, type Models } from '../../src/models/catalog.ts';
import { repeatedWith } from '../../src/models/turn-state.ts';
import { modelParts } from '../support/model-parts.ts';
import { startScriptedModels, type Stream } from '../support/scripted-models.ts';
import { secretOf, startThinkingVendors, thinkingModels, thinkingVendors, type ThinkingTurn, type ThinkingVendors } from '../support/thinking-vendors.ts';

let vendors: ThinkingVendors;
let models: Models;
const parts = modelParts({ retry: { maxAttempts: 1, baseDelayMs: 1, maxDelayMs: 1 } });
beforeAll(async () => {
  vendors = await startThinkingVendors();
  models = createModels({ providers: vendors.providers, chatModelIds: [], embeddingModelIds: [] }, parts);
});
afterAll(() => vendors.close());

const tools: ToolDefinition[] = ['note', 'look'].map((name) => ({ type: 'function', function: { name, description: 'Does it.', parameters: { type: 'object', properties: { text: { type: 'string' } } } } }));
const script: ThinkingTurn[] = [
  { text: 'Let me see. ', calls: [{ name: 'note', arguments: { text: 'ä' } }, { name: 'look', arguments: {} }] },
  { text: 'Once more. ', calls: [{ name: 'look', arguments: { text: 'b' } }] },
  { text: 'Done.' },
];
const silent: ChatHooks = { text: () => undefined, reasoning: () => undefined, attempt: () => undefined, usage: () => undefined, fellBack: () => undefined };

function ask(messages: readonly BaseMessage[], modelIds: readonly [string, ...string[]], from = models): Promise<ChatAnswer> {
  return from.ask({ modelIds, options: { temperature: 0, maxOutputTokens: 100 }, messages, tools, signal: new AbortController().signal }, silent);
}

/** The turn as it is repeated, with what its calls gave. */
function repeated({ text, toolCalls, state }: ChatAnswer, turn: number): BaseMessage[] {
  const calls = toolCalls.map(({ name, arguments: args }, index) => ({ id: `call_${turn}_${index}`, name, args: args ?? {}, type: 'tool_call' as const }));
  return [new AIMessage({ content: text, ...repeatedWith(state), tool_calls: calls }), ...calls.map(({ id, name }) => new ToolMessage({ tool_call_id: id, name, content: '{"done":true}' }))];
}

/** Asks until there are no more calls; `before` happens before each question. */
async function talk(modelIds: readonly [string, ...string[]], { before, from = models }: { before?: (turn: number) => void; from?: Models } = {}): Promise<ChatAnswer> {
  const messages: BaseMessage[] = [new HumanMessage('Do it.')];
  for (let turn = 0; ; turn++) {
    before?.(turn);
    const answer = await ask(messages, modelIds, from);
    if (answer.toolCalls.length === 0) return answer;
    messages.push(...repeated(answer, turn));
  }
}
const answered = () => vendors.requests.map(({ vendor, status }) => `${vendor} ${status}`);

describe.each(thinkingVendors)('%s', (vendor) => {
  const model = thinkingModels[vendor];

  it('gets back with each turn what came with it, of calls at once and one after the other', async () => {
    vendors.script(script);
    expect(await talk([model])).toMatchObject({ text: 'Done.', finish: 'STOP' });
    expect(answered()).toEqual(Array(3).fill(`${vendor} 200`));
  });

  it('refuses a turn without it', async () => {
    vendors.script(script);
    const { state, ...first } = await ask([new HumanMessage('Do it.')], [model]);
    expect(state).toEqual({ model: expect.stringContaining(model), data: expect.stringContaining(secretOf(vendor)) });
    await expect(ask([new HumanMessage('Do it.'), ...repeated(first, 0)], [model])).rejects.toMatchObject({ code: 'PROVIDER_REJECTED' });
    expect(answered()).toEqual([`${vendor} 200`, `${vendor} 400`]);
  });

  it('wants nothing back with an answer', async () => {
    vendors.script([{ text: 'Done.' }]);
    expect(await ask([new HumanMessage('Do it.')], [model])).toEqual({ modelId: model, text: 'Done.', toolCalls: [], finish: 'STOP' });
  });

  it('is not sent what was made at another address of the same model', async () => {
    vendors.script(script);
    const elsewhere = createModels({ providers: vendors.providers.map((provider) => ({ ...provider, baseUrl: provider.baseUrl!.replace('127.0.0.1', 'localhost') })), chatModelIds: [], embeddingModelIds: [] }, parts);
    const first = await ask([new HumanMessage('Do it.')], [model]);
    await ask([new HumanMessage('Do it.'), ...repeated(first, 0)], [model], elsewhere).catch(() => undefined);
    expect(vendors.requests).toHaveLength(2);
    expect(JSON.stringify(vendors.requests[1]!.body)).not.toContain(secretOf(vendor));
  });

  it('is asked without it where it was written in a form that nobody knows here', async () => {
    vendors.script(script);
    const first = await ask([new HumanMessage('Do it.')], [model]);
    for (const data of ['{"other":1}', '"text"', '[{"type":"text"}]', 'null']) {
      const { status, body } = await ask([new HumanMessage('Do it.'), ...repeated({ ...first, state: { ...first.state!, data } }, 0)], [model]).catch(() => null).then(() => vendors.requests.at(-1)!);
      expect([status, JSON.stringify(body).includes('other')]).toEqual([400, false]);
    }
  });
});

const pairs = thinkingVendors.flatMap((first) => thinkingVendors.filter((second) => second !== first).map((second) => [first, second] as const));

it.each(pairs)('%s, in whose place %s goes on in the middle, is sent its own again and nothing of the other', async (first, second) => {
  vendors.script([...script.slice(0, 2), script[1]!, script[2]!]);
  const before = (turn: number): void => {
    if (turn === 1) vendors.down.add(first);
    if (turn === 3) vendors.down.delete(first);
  };
  expect(await talk([thinkingModels[first], thinkingModels[second]], { before })).toMatchObject({ text: 'Done.' });
  const away = [`${first} 503`, `${second} 200`];
  expect(answered()).toEqual([`${first} 200`, ...away, ...away, `${first} 200`]);
});

it.each<[string, object, object, object]>([
  ['reasoning by its name, and something in its place with a turn that has none', { reasoning_content: 'Hm.' }, { reasoning_content: 'Hm.' }, { reasoning_content: ' ' }],
  ['no empty reasoning', { reasoning_content: '' }, { reasoning_content: ' ' }, { reasoning_content: ' ' }],
  ['no reasoning by the name by which some that send it refuse it', { reasoning: 'Hm.' }, {}, {}],
  ['nothing that never came', {}, {}, {}],
])('any other server that speaks the protocol of OpenAI is sent %s', async (_, told, ofFirst, ofSecond) => {
  const server = await startScriptedModels();
  try {
    const call = { tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'look', arguments: '{}' } }] };
    const turn = (pieces: object[]): Stream => ({ pieces, finish: 'tool_calls' });
    server.script('m', [turn([told, call]), turn([call]), { pieces: ['Done.'] }]);
    const catalog = createModels({ providers: [server.provider(['m'])], chatModelIds: [], embeddingModelIds: [] }, parts);
    expect(await talk(['test:m'], { from: catalog })).toMatchObject({ text: 'Done.' });
    const { messages } = server.requests('m')[2]!.body as unknown as { messages: Record<string, unknown>[] };
    const turns = messages.filter(({ role }) => role === 'assistant').map(({ role: _role, content: _content, tool_calls: calls, ...more }) => [more, Object.keys((calls as object[])[0]!).sort()]);
    expect(turns).toEqual([ofFirst, ofSecond].map((more) => [more, ['function', 'id', 'type']]));
  } finally {
    await server.close();
  }
});
