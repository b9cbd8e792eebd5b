// The ask node through the whole product: what a person is asked, what they may answer, and that each question is one of its own.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineNode, type NodeType } from '../../src/graph/node.ts';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { createSession } from '../support/chats.ts';
import { applied, EVENTS, isEnd } from '../support/strict.ts';

/** Says what was answered. */
const tell = defineNode({
  type: 'tell',
  description: 'Says the answer.',
  config: z.object({ maxSteps: z.number().int().positive().default(3) }),
  input: z.object({ answer: z.json() }),
  output: z.object({}),
  async process({ answer }, _config, run) {
    run.emit({ type: 'text', text: `${JSON.stringify(answer)} ` });
    return {};
  },
});

let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  parley = await createTestApp({}, { nodeTypes: [tell as unknown as NodeType] });
  ada = await parley.signUp('Ada');
});
afterAll(() => parley.close());

/** A profile that asks, tells, and asks again for as long as the answer is "again". */
async function create(config: object) {
  const graph = {
    name: 'Ask',
    nodes: [{ id: 'ask', type: 'ask', config }, { id: 'tell', type: 'tell' }],
    edges: [{ from: 'start', to: 'ask' }, { from: 'ask', to: 'tell' }, { from: 'tell', to: 'ask', condition: "values.answer == 'again'" }, { from: 'tell', to: 'end' }],
  };
  const input = { name: 'P', systemPrompt: 'Be kind.', retrieval: { mode: 'OFF' }, graph };
  return (await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message field ... on ValidationError { constraint } } } }', { input })).createProfile;
}

/** Asks; each question gets the next answers, of which the last one must fit. What was asked, and what was told in the end. */
async function walk(config: object, ...answers: readonly unknown[][]) {
  const { profile, userErrors } = await create(config);
  expect(userErrors).toEqual([]);
  const sessionId = await createSession(ada, profile.id);
  const { cursor } = await sendTo(ada, sessionId, 'Shall I?');
  const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
  const asked: any[] = [];
  for (const [index, tries] of answers.entries()) {
    await stream.until(() => stream.events.filter(({ chatEvents }) => chatEvents.runStatus === 'INTERRUPTED').length > index);
    asked.push(stream.events.filter(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')[index]!.chatEvents.interrupt);
    for (const [at, response] of tries.entries()) {
      const { resumeRun } = await ada.ask('mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { userErrors { code field } } }', { input: { interruptId: asked[index].id, response } });
      expect(resumeRun.userErrors).toEqual(at === tries.length - 1 ? [] : [{ code: 'VALIDATION_FAILED', field: expect.arrayContaining(['response']) }]);
    }
  }
  await stream.until(isEnd);
  stream.stop();
  const client = applied(stream.events as never, cursor);
  expect(client.faults).toEqual([]);
  expect(client.ends).toEqual(['SUCCEEDED']);
  return { asked, told: [...client.texts.values()].at(-1)!.trim() };
}

describe('an ask node', () => {
  it('asks for approval, in the words of its template', async () => {
    const { asked, told } = await walk({ kind: 'APPROVAL', prompt: '{{systemPrompt}} {{question}} ({{timeZone}})' }, [true, 'yes', { approved: 'true' }, { approved: true, reason: 'x'.repeat(1_001) }, { approved: false, reason: 'No.' }]);
    expect(asked).toMatchObject([{ kind: 'APPROVAL', prompt: 'Be kind. Shall I? (UTC)', options: [], payload: { question: 'Shall I?' }, toolCall: null, responseSchema: { type: 'object', required: ['approved'] } }]);
    expect(JSON.parse(told)).toEqual({ approved: false, reason: 'No.' });
  });

  it('asks for a choice among its options, and takes nothing else', async () => {
    const options = [{ value: 'a', label: 'This one' }, { value: 'b', label: 'That one' }];
    const { asked, told } = await walk({ kind: 'CHOICE', prompt: 'Which?', options }, ['c', 'This one', '', ['a'], 'b']);
    expect(asked).toMatchObject([{ kind: 'CHOICE', prompt: 'Which?', options, responseSchema: { enum: ['a', 'b'] } }]);
    expect(told).toBe('"b"');
  });

  it('asks for a text, which is not empty and not endless', async () => {
    const { asked, told } = await walk({ kind: 'INPUT', prompt: 'What?' }, ['', 5, 'x'.repeat(10_001), 'This.']);
    expect(asked).toMatchObject([{ kind: 'INPUT', options: [], responseSchema: { type: 'string', minLength: 1, maxLength: 10_000 } }]);
    expect(told).toBe('"This."');
  });

  it('asks anew each time that a graph comes back to it', async () => {
    const { asked, told } = await walk({ kind: 'INPUT', prompt: 'What?' }, ['again'], ['again'], ['enough']);
    expect(new Set(asked.map(({ id }) => id)).size).toBe(3);
    expect(told).toBe('"again" "again" "enough"');
  });

  it.each<[string, object, string[], string]>([
    ['a choice of one', { kind: 'CHOICE', prompt: 'Which?', options: [{ value: 'a', label: 'A' }] }, ['options'], 'custom'],
    ['options for a text', { kind: 'INPUT', prompt: 'What?', options: [{ value: 'a', label: 'A' }, { value: 'b', label: 'B' }] }, ['options'], 'custom'],
    ['nothing to ask', { kind: 'INPUT', prompt: '' }, ['prompt'], 'minLength'],
    ['an unknown placeholder', { kind: 'INPUT', prompt: '{{password}}' }, ['prompt'], 'exists'],
    ['a value that nobody has given by then', { kind: 'INPUT', prompt: '{{values.nothing}}' }, ['prompt'], 'exists'],
  ])('is refused with %s', async (_what, config, field, constraint) => {
    expect(await create(config)).toMatchObject({ profile: null, userErrors: [{ field: ['graph', 'nodes', '0', 'config', ...field], constraint }] });
  });
});
