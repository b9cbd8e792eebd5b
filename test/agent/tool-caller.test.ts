// Tools as a model calls them, through the whole product: what is streamed and stored, what the model is told, and every way
// in which a call can go wrong.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineTool, type Tool } from '../../src/agent/tools.ts';
import { endOverdueRuns, endRun } from '../../src/chat/ending.ts';
import { createContext, transactional } from '../../src/context.ts';
import { kysely, sql } from '../../src/platform/database.ts';
import { GenericError } from '../../src/platform/errors.ts';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { attend, createSession, rowIdOf } from '../support/chats.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { createStrictClient, EVENTS, isEnd } from '../support/strict.ts';

/** What the tools of these tests did. */
const effects: string[] = [];
const note = defineTool({
  name: 'note',
  description: 'Writes something down.',
  parameters: z.object({ text: z.string().max(20).describe('What.'), times: z.int().min(1).max(3).default(1), kind: z.enum(['SHORT', 'LONG']).optional(), deep: z.object({ tags: z.array(z.string()) }).optional() }),
  permission: null,
  requiresApproval: false,
  hasEffects: true,
  async execute(args, { afterCommit }) {
    afterCommit(() => void effects.push(`${args.text}×${args.times}`));
    return { ...args, noted: true };
  },
});
const launch = defineTool({ ...note, name: 'launch', description: 'Launches.', requiresApproval: true });
const fail = defineTool({
  name: 'fail',
  description: 'Fails.',
  parameters: z.object({ how: z.enum(['unexpected', 'large']) }),
  permission: null,
  requiresApproval: false,
  hasEffects: false,
  async execute({ how }) {
    if (how === 'unexpected') throw new Error('secret of the tool');
    return 'x'.repeat(30_000);
  },
});
const administer = defineTool({ ...fail, name: 'administer', description: 'Administers.', permission: 'CONFIG_WRITE' });
const decree = defineTool({ ...launch, name: 'decree', description: 'Decrees.', permission: 'CONFIG_WRITE' });
const spoil = defineTool({
  ...note,
  name: 'spoil',
  description: 'Spoils.',
  async execute({ text }, { afterCommit }) {
    afterCommit(() => void effects.push(text));
    if (text === 'expected') throw new GenericError('LIMIT_EXCEEDED', 'Enough is spoiled.');
    if (text === 'large') return 'x'.repeat(30_000);
    throw new Error('secret of the tool');
  },
});
const tools = [note, launch, fail, administer, decree, spoil] as unknown as Tool[];

let model: ModelServer;
let respond: (call: ModelCall, turn: number) => void;
let turn = 0;
const calls: ModelCall[] = [];
let parley: TestApp;
let ada: TestUser;
let profileId: string;
beforeAll(async () => {
  model = await startModelServer();
  void attend(model, (call) => {
    calls.push(call);
    respond(call, ++turn);
  });
  parley = await createTestApp({ ...model.env, RETRY_MAX_ATTEMPTS: '1', CIRCUIT_FAILURES: '100' }, { tools });
  ada = await parley.signUp();
  profileId = await profileWith(ada, { toolNames: ['note', 'launch', 'fail', 'current_time', 'search_documents'] });
});
afterAll(async () => {
  await parley.close();
  await model.close();
});

async function profileWith(user: TestUser, more: object): Promise<string> {
  const input = { name: 'P', systemPrompt: 'Help.', retrieval: { mode: 'OFF' }, ...more };
  const { createProfile } = await user.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message field } } }', { input });
  expect(createProfile.userErrors).toEqual([]);
  return createProfile.profile.id;
}

const RUN = `query ($id: ID!) { node(id: $id) { ... on Run { id status error { code message node } usage { inputTokens } steps { node status } profileVersion { graph { nodes { type } } }
  outputMessage { status text blocks { __typename ... on TextBlock { text } ... on ToolCallBlock { toolCall { id name } } } toolCalls { id name arguments status result error durationMs } } } } }`;

/** Asks, follows the stream to the end, and compares it with what is stored. */
async function ask(script: (call: ModelCall, turn: number) => void, user = ada, profile = profileId) {
  calls.length = 0;
  turn = 0;
  respond = script;
  const sessionId = await createSession(user, profile);
  const { runId, cursor } = await sendTo(user, sessionId, 'Do it.');
  const stream = user.subscribe(EVENTS, { s: sessionId, a: cursor });
  await stream.until(isEnd);
  stream.stop();
  const client = createStrictClient(cursor);
  for (const { chatEvents } of stream.events) client.apply(chatEvents);
  expect(client.faults).toEqual([]);
  const { node } = await user.ask(RUN, { id: runId });
  const blocks = [...client.blocks.values()].at(-1) ?? [];
  const stored = node.outputMessage.blocks.filter(({ text }: { text?: string }) => text !== '');
  expect(stored.map(({ __typename: type }: { __typename: string }) => type)).toEqual(blocks.map(({ type }) => (type === 'ToolCallUpdated' ? 'ToolCallBlock' : 'TextBlock')));
  const told = stream.events.flatMap(({ chatEvents: event }) => (event.__typename === 'ToolCallUpdated' ? [`${event.toolCall.name} ${event.toolCallStatus}`] : []));
  return { ...node, sessionId, told };
}

/** Changes rows as only time does. */
const rows = (...[text, ...values]: Parameters<typeof sql>) => sql(text, ...values).execute(kysely(parley.app.database.fork()));

const done = (text: string) => (call: ModelCall): void => {
  call.say(text);
  call.end();
};
/** The results that the model was told in its last question. */
const results = (): string[] => calls.at(-1)!.body.messages.flatMap((message) => (message.role === 'tool' ? [message.content] : []));

describe('a tool caller', () => {
  it('makes the calls of a turn one after the other and tells the model what they gave', async () => {
    effects.length = 0;
    const given = { text: 'Ärger 😀', times: 3, kind: 'LONG', deep: { tags: ['a', 'b"c'] } };
    const run = await ask((call, turn) => {
      if (turn > 1) return done('It is noted.')(call);
      call.say('Let me see. ');
      call.request({ name: 'note', arguments: given }, { name: 'note', arguments: { text: 'two' } });
    });
    expect(run).toMatchObject({ status: 'SUCCEEDED', error: null, usage: { inputTokens: 14 }, outputMessage: { status: 'COMPLETE', text: 'Let me see. It is noted.' } });
    expect(run.profileVersion.graph.nodes.map(({ type }: { type: string }) => type)).toEqual(['retrieval', 'toolCaller', 'output']);
    expect(run.outputMessage.toolCalls).toMatchObject([
      { name: 'note', arguments: given, status: 'SUCCEEDED', result: { ...given, noted: true }, error: null, durationMs: expect.any(Number) },
      { name: 'note', arguments: { text: 'two' }, status: 'SUCCEEDED', result: { text: 'two', times: 1, noted: true } },
    ]);
    expect(run.outputMessage.blocks).toEqual([
      { __typename: 'TextBlock', text: 'Let me see. ' },
      ...run.outputMessage.toolCalls.map(({ id, name }: { id: string; name: string }) => ({ __typename: 'ToolCallBlock', toolCall: { id, name } })),
      { __typename: 'TextBlock', text: 'It is noted.' },
    ]);
    expect(run.told).toEqual(['note PENDING', 'note PENDING', 'note RUNNING', 'note SUCCEEDED', 'note RUNNING', 'note SUCCEEDED']);
    expect(effects).toEqual(['Ärger 😀×3', 'two×1']);
    expect(run.steps.map(({ node }: { node: string }) => node)).toEqual(['retrieval', 'agent', 'agent', 'agent', 'agent', 'output']);
    const { messages, tools: offered } = calls[1]!.body;
    expect(offered!.map((tool) => tool.function.name)).toEqual(['note', 'launch', 'fail', 'current_time', 'search_documents']);
    expect(offered![0]!.function.parameters).toMatchObject({ type: 'object', required: ['text'], properties: { text: { maxLength: 20, description: 'What.' }, kind: { enum: ['SHORT', 'LONG'] } } });
    const [, , asked, first, second] = messages;
    expect(asked).toMatchObject({ role: 'assistant', content: 'Let me see. ' });
    expect(asked!.tool_calls!.map((call) => JSON.parse(call.function.arguments))).toEqual([given, { text: 'two' }]);
    expect([first, second].map((message) => message!.tool_call_id)).toEqual(asked!.tool_calls!.map(({ id }) => id));
    expect(JSON.parse(first!.content)).toEqual({ ...given, noted: true });
  });

  it('keeps turns apart whose calls the model numbers alike', async () => {
    const run = await ask((call, turn) => (turn > 2 ? done('Done.')(call) : call.request({ name: 'note', arguments: { text: `turn ${turn}` } })));
    expect(run.outputMessage.toolCalls.map(({ result }: { result: { text: string } }) => result.text)).toEqual(['turn 1', 'turn 2']);
    expect(calls[2]!.body.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'assistant', 'tool']);
    const ids = calls[2]!.body.messages.flatMap(({ tool_calls: requested = [] }) => requested.map(({ id }) => id));
    expect(new Set(ids).size).toBe(2);
  });

  it('looks at the clock in the zone of the user, or in another that there is', async () => {
    const clock = (arguments_: object) => ({ name: 'current_time', arguments: arguments_ });
    const run = await ask((call, turn) => (turn > 1 ? done('It is late.')(call) : call.request(clock({ timeZone: 'Asia/Tokyo' }), clock({}), clock({ timeZone: 'Nowhere' }))));
    expect(run.outputMessage.toolCalls).toMatchObject([{ result: { timeZone: 'Asia/Tokyo' } }, { result: { timeZone: 'UTC' } }, { status: 'FAILED', error: expect.stringContaining('IANA') }]);
  });

  it.each<[string, { name: string; arguments: object | string }, RegExp]>([
    ['a tool that does not exist', { name: 'destroy', arguments: {} }, /There is no tool "destroy"\. Tools: note, /],
    ['a tool that the profile does not name', { name: 'administer', arguments: { how: 'large' } }, /There is no tool "administer"/],
    ['arguments of the wrong shape', { name: 'note', arguments: { text: 5 } }, /do not fit: .*expected string/s],
    ['arguments that are no JSON', { name: 'note', arguments: '{"text": ' }, /no JSON object/],
    ['arguments that are far too long', { name: 'note', arguments: { text: 'x'.repeat(60_000) } }, /more than 50,000 characters/],
  ])('%s: the model is told once, and the run goes on', async (_what, wrong, error) => {
    const run = await ask((call, turn) => (turn === 1 ? call.request(wrong) : done('Sorry.')(call)));
    expect(run).toMatchObject({ status: 'SUCCEEDED', outputMessage: { text: 'Sorry.', toolCalls: [{ status: 'FAILED', result: null, error: expect.stringMatching(error) }] } });
    expect(JSON.parse(results()[0]!)).toEqual({ error: run.outputMessage.toolCalls[0].error });
    expect(run.told).toEqual([`${wrong.name} FAILED`]);
    // Nobody is sent again what was too long.
    if (JSON.stringify(wrong.arguments).length > 50_000) expect(run.outputMessage.toolCalls[0].arguments).toEqual({});
    const again = await ask((call) => call.request(wrong));
    expect(again).toMatchObject({ status: 'FAILED', error: { code: 'VALIDATION_FAILED', node: 'agent', message: expect.stringMatching(error) } });
    expect(calls).toHaveLength(2);
  });

  it('goes on when a wrong call is followed by a right one, and then by a wrong one', async () => {
    const wrong = { name: 'note', arguments: {} };
    const run = await ask((call, turn) => (turn === 1 || turn === 3 ? call.request(wrong) : turn === 2 ? call.request({ name: 'note', arguments: { text: 'right' } }) : done('Well.')(call)));
    expect(run).toMatchObject({ status: 'SUCCEEDED', outputMessage: { toolCalls: [{ status: 'FAILED' }, { status: 'SUCCEEDED' }, { status: 'FAILED' }] } });
  });

  it('tells what fails unexpectedly without saying why, and what is too large', async () => {
    const run = await ask((call, turn) => (turn === 1 ? call.request({ name: 'fail', arguments: { how: 'unexpected' } }, { name: 'fail', arguments: { how: 'large' } }) : done('Sorry.')(call)));
    expect(run).toMatchObject({
      status: 'SUCCEEDED',
      outputMessage: { toolCalls: [{ status: 'FAILED', error: 'The tool failed unexpectedly.' }, { status: 'FAILED', result: null, error: expect.stringMatching(/30,002 characters; at most 20,000/) }] },
    });
    expect(results().join()).not.toContain('secret');
  });

  it('fails its run with a tool that has effects and fails unexpectedly, and tells the model what such a tool expects', async () => {
    effects.length = 0;
    const profile = await profileWith(ada, { toolNames: ['spoil'] });
    const spoiling = (text: string) => (call: ModelCall, turn: number): void => (turn === 1 ? call.request({ name: 'spoil', arguments: { text } }) : done('Sorry.')(call));
    const failed = await ask(spoiling('unexpected'), ada, profile);
    expect(failed).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL', node: 'agent' }, outputMessage: { toolCalls: [{ status: 'FAILED', error: expect.stringContaining('ended before') }] } });
    expect(JSON.stringify(failed)).not.toContain('secret');
    expect(await ask(spoiling('expected'), ada, profile)).toMatchObject({ status: 'SUCCEEDED', outputMessage: { toolCalls: [{ status: 'FAILED', error: 'Enough is spoiled.' }] } });
    expect(effects).toEqual([]);
    // It is done, and must not be done again because of its size.
    expect(await ask(spoiling('large'), ada, profile)).toMatchObject({ status: 'SUCCEEDED', outputMessage: { toolCalls: [{ status: 'SUCCEEDED', result: { note: expect.stringContaining('30002 characters') } }] } });
    expect(effects).toEqual(['large']);
  });

  it('ends a model that calls without end', async () => {
    const run = await ask((call) => call.request({ name: 'note', arguments: { text: 'again' } }));
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'LIMIT_EXCEEDED', node: 'agent', message: expect.stringContaining('in 8 turns') } });
    expect(calls).toHaveLength(8);
  });

  it('makes at most eight calls of one turn', async () => {
    const run = await ask((call, turn) => (turn === 1 ? call.request(...Array.from({ length: 11 }, (_, index) => ({ name: 'note', arguments: { text: `${index}` } }))) : done('Many.')(call)));
    expect(run.outputMessage.toolCalls.map(({ status }: { status: string }) => status)).toEqual([...Array(8).fill('SUCCEEDED'), ...Array(3).fill('FAILED')]);
  });

  it('offers only what the person may do', async () => {
    const admin = await profileWith(ada, { toolNames: ['administer', 'note'] });
    await ask(done('Nothing.'), ada, admin);
    expect(calls[0]!.body.tools!.map((tool) => tool.function.name)).toEqual(['administer', 'note']);
    const member = await parley.signUpInto(ada, 'MEMBER');
    const run = await ask((call, turn) => (turn === 1 ? call.request({ name: 'administer', arguments: { how: 'large' } }) : done('No.')(call)), member, admin);
    expect(calls[0]!.body.tools!.map((tool) => tool.function.name)).toEqual(['note']);
    expect(run.outputMessage.toolCalls).toMatchObject([{ status: 'FAILED', error: expect.stringContaining('There is no tool') }]);
  });

  it('makes no call that the person may not make any more when it is allowed', async () => {
    const profile = await profileWith(ada, { toolNames: ['decree'] });
    const admin = await parley.signUpInto(ada, 'ADMIN');
    effects.length = 0;
    turn = 0;
    respond = (call, turn) => (turn === 1 ? call.request({ name: 'decree', arguments: { text: 'law' } }) : done('No.')(call));
    const sessionId = await createSession(admin, profile);
    const { runId, cursor } = await sendTo(admin, sessionId, 'Decree it.');
    // Another role ends the streams of before.
    const before = admin.subscribe(EVENTS, { s: sessionId, a: cursor });
    await before.until(({ chatEvents }) => chatEvents.runStatus === 'INTERRUPTED');
    const { interrupt } = before.events.find(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')!.chatEvents;
    await ada.ask('mutation ($input: SetMemberRoleInput!) { setMemberRole(input: $input) { userErrors { message } } }', { input: { userId: admin.id, role: 'MEMBER' } });
    expect((await admin.ask('mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { userErrors { message } } }', { input: { interruptId: interrupt.id, response: { approved: true } } })).resumeRun.userErrors).toEqual([]);
    const stream = admin.subscribe(EVENTS, { s: sessionId, a: cursor });
    await stream.until(isEnd);
    stream.stop();
    const { node } = await admin.ask(RUN, { id: runId });
    expect(node).toMatchObject({ status: 'SUCCEEDED', outputMessage: { toolCalls: [{ status: 'FAILED', error: expect.stringContaining('CONFIG_WRITE') }] } });
    expect(effects).toEqual([]);
  });

  it("offers of the profile's tools those that its node names, where it names some", async () => {
    const nodes = [{ id: 'agent', type: 'toolCaller', config: { toolNames: ['fail', 'launch', 'administer'] } }, { id: 'output', type: 'output' }];
    const graph = { name: 'Few', nodes, edges: [['start', 'agent'], ['agent', 'output'], ['output', 'end']].map(([from, to]) => ({ from, to })) };
    const profile = await profileWith(ada, { toolNames: ['note', 'launch', 'fail'], graph });
    await ask(done('Nothing.'), ada, profile);
    expect(calls[0]!.body.tools!.map((tool) => tool.function.name)).toEqual(['launch', 'fail']);
  });

  it('cites what it finds, and what it finds again by the same number', async () => {
    const profile = await profileWith(ada, { toolNames: ['search_documents'], retrieval: { mode: 'OFF', minScore: 0 } });
    for (const [name, text] of [['Warranty', 'The warranty of the coffee machine lasts 24 months.'], ['Opening', 'The shop opens at nine in the morning.']] as const) {
      const { addTextDocument } = await ada.ask('mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { job { id } userErrors { message } } }', { input: { name, text, profileIds: [profile], mediaType: 'text/plain' } });
      expect(await ada.subscribe('subscription ($id: ID) { ingestionJobUpdated(jobId: $id) { status } }', { id: addTextDocument.job.id }).ended).toBeNull();
    }
    const searching = (query: string) => ({ name: 'search_documents', arguments: { query, limit: 1 } });
    const run = await ask(
      (call, turn) => {
        if (turn === 1) call.request(searching('When does the shop open?'), searching('warranty of the coffee machine'));
        else if (turn === 2) call.request(searching('When does the shop open?'));
        else done('The warranty of the coffee machine lasts 24 months [2]. The shop opens at nine in the morning [1].')(call);
      },
      ada,
      profile,
    );
    expect(run.outputMessage.toolCalls.map(({ result }: { result: { n: number; document: string }[] }) => result.map(({ n, document }) => [n, document]))).toEqual([[[1, 'Opening']], [[2, 'Warranty']], [[1, 'Opening']]]);
    const { node } = await ada.ask('query ($id: ID!) { node(id: $id) { ... on Run { outputMessage { citations { index documentName quote } } } } }', { id: run.id });
    expect(node.outputMessage.citations.map(({ index, documentName }: { index: number; documentName: string }) => [index, documentName])).toEqual([[2, 'Warranty'], [1, 'Opening']]);
  });

  it('asks a model without tools as the prompt node would', async () => {
    const offline = await profileWith(ada, { toolNames: ['note'], modelId: Buffer.from('Model:offline:extractive').toString('base64url') });
    const run = await ask(() => undefined, ada, offline);
    expect(run).toMatchObject({ status: 'SUCCEEDED', outputMessage: { toolCalls: [] } });
    expect(run.outputMessage.text).not.toBe('');
  });

  it('begins anew where a graph comes back to it', async () => {
    const nodes = [{ id: 'agent', type: 'toolCaller', config: { maxSteps: 1 } }, { id: 'output', type: 'output' }];
    const edges = [{ from: 'start', to: 'agent' }, { from: 'agent', to: 'agent', condition: 'steps.agent < 3' }, { from: 'agent', to: 'output' }, { from: 'output', to: 'end' }];
    const profile = await profileWith(ada, { toolNames: ['note'], graph: { name: 'Again', nodes, edges } });
    expect(await ask((call, turn) => done(`${turn} `)(call), ada, profile)).toMatchObject({ status: 'SUCCEEDED', outputMessage: { text: '1 2 3 ' } });
  });

  it('falls back to no model that takes no tools, since that could not do what it was asked', async () => {
    const offline = Buffer.from('Model:offline:extractive').toString('base64url');
    const cut = (call: ModelCall): void => call.cut();
    const withTools = await profileWith(ada, { toolNames: ['note'], fallbackModelIds: [offline] });
    expect(await ask(cut, ada, withTools)).toMatchObject({ status: 'FAILED', error: { code: 'PROVIDER_UNAVAILABLE', node: 'agent' } });
    // Without tools it may answer.
    const without = await profileWith(ada, { fallbackModelIds: [offline] });
    expect(await ask(cut, ada, without)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('shows its calls in a copy of the chat, too, and lets them be read by nobody else', async () => {
    const run = await ask((call, turn) => (turn === 1 ? call.request({ name: 'note', arguments: { text: 'mine' } }) : done('Noted.')(call)));
    const { chatSession } = await ada.ask('query ($id: ID!) { chatSession(id: $id) { leaves { id } } }', { id: run.sessionId });
    const { forkChatSession } = await ada.ask(
      'mutation ($input: ForkChatSessionInput!) { forkChatSession(input: $input) { session { id messages(last: 1) { nodes { blocks { __typename ... on ToolCallBlock { toolCall { name result } } } toolCalls { name } } } } userErrors { message } } }',
      { input: { sessionId: run.sessionId, fromMessageId: chatSession.leaves[0].id } },
    );
    expect(forkChatSession.userErrors).toEqual([]);
    expect(forkChatSession.session.messages.nodes[0]).toEqual({
      blocks: [{ __typename: 'ToolCallBlock', toolCall: { name: 'note', result: { text: 'mine', times: 1, noted: true } } }, { __typename: 'TextBlock' }],
      toolCalls: [{ name: 'note' }],
    });
  });
});

describe('a call that needs approval', () => {
  const RESUME = 'mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { run { id status } userErrors { code message field } } }';
  const asksFirst = (call: ModelCall, turn: number): void => (turn === 1 ? call.request({ name: 'launch', arguments: { text: 'rocket' } }) : done('As you say.')(call));

  async function waiting(user = ada) {
    calls.length = 0;
    turn = 0;
    effects.length = 0;
    respond = asksFirst;
    const sessionId = await createSession(user, profileId);
    const sent = await sendTo(user, sessionId, 'Launch it.');
    const stream = user.subscribe(EVENTS, { s: sessionId, a: sent.cursor });
    await stream.until(({ chatEvents }) => chatEvents.runStatus === 'INTERRUPTED');
    const { interrupt } = stream.events.find(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')!.chatEvents;
    return { ...sent, sessionId, stream, interrupt };
  }
  const answer = (interruptId: string, response: unknown, user = ada) => user.ask(RESUME, { input: { interruptId, response } });

  it.each([
    [{ approved: true }, ['launch PENDING', 'launch AWAITING_APPROVAL', 'launch RUNNING', 'launch SUCCEEDED'], ['rocket×1'], null],
    [{ approved: false, reason: 'Not on a Sunday.' }, ['launch PENDING', 'launch AWAITING_APPROVAL', 'launch REJECTED'], [], 'Not on a Sunday.'],
    [{ approved: false }, ['launch PENDING', 'launch AWAITING_APPROVAL', 'launch REJECTED'], [], 'A person did not allow this call.'],
  ])('waits for a person, and does as told: %j', async (response, told, did, error) => {
    const { interrupt, sessionId, runId, stream, cursor } = await waiting();
    expect(interrupt).toMatchObject({ kind: 'APPROVAL', prompt: expect.stringContaining('"launch"'), payload: { name: 'launch', arguments: { text: 'rocket' } }, options: [], toolCall: { name: 'launch' }, resolvedAt: null });
    expect(effects).toEqual([]);
    const seen = await ada.ask('query ($id: ID!) { chatSession(id: $id) { pendingInterrupts { id kind } activeRun { status outputMessage { status toolCalls { status } } } } }', { id: sessionId });
    expect(seen.chatSession).toEqual({ pendingInterrupts: [{ id: interrupt.id, kind: 'APPROVAL' }], activeRun: { status: 'INTERRUPTED', outputMessage: { status: 'INTERRUPTED', toolCalls: [{ status: 'AWAITING_APPROVAL' }] } } });
    for (const wrong of [true, 'yes', {}, { approved: 'yes' }, { approved: true, reason: 5 }, []]) {
      const { resumeRun } = await answer(interrupt.id, wrong);
      expect(resumeRun).toMatchObject({ run: null, userErrors: [{ code: 'VALIDATION_FAILED', field: expect.arrayContaining(['response']) }] });
    }
    expect((await answer(interrupt.id, response)).resumeRun).toMatchObject({ run: { id: runId, status: 'QUEUED' }, userErrors: [] });
    await stream.until(isEnd);
    stream.stop();
    const client = createStrictClient(cursor);
    for (const { chatEvents } of stream.events) client.apply(chatEvents);
    expect(client.faults).toEqual([]);
    expect(client.ends).toEqual(['SUCCEEDED']);
    expect(stream.events.flatMap(({ chatEvents: event }) => (event.__typename === 'ToolCallUpdated' ? [`${event.toolCall.name} ${event.toolCallStatus}`] : []))).toEqual(told);
    expect(stream.events.map(({ chatEvents }) => chatEvents.__typename)).not.toContain('MessageTruncated');
    expect(stream.events.find(({ chatEvents }) => chatEvents.__typename === 'InterruptResolved')!.chatEvents).toMatchObject({ interruptId: interrupt.id, resolvedBy: { id: expect.any(String) } });
    expect(effects).toEqual(did);
    const { node } = await ada.ask(RUN, { id: runId });
    expect(node).toMatchObject({ status: 'SUCCEEDED', usage: { inputTokens: 14 }, outputMessage: { text: 'As you say.', toolCalls: [{ error }] } });
    expect((await answer(interrupt.id, response)).resumeRun).toMatchObject({ run: null, userErrors: [{ code: 'INTERRUPT_ALREADY_RESOLVED', field: ['interruptId'] }] });
    const { viewer } = await ada.ask('query ($from: DateTime!, $to: DateTime!) { viewer { usage(from: $from, to: $to) { inputTokens } } }', { from: new Date(Date.now() - 3_600_000), to: new Date(Date.now() + 3_600_000) });
    expect(viewer.usage.inputTokens).toBeGreaterThanOrEqual(14);
  });

  it('is answered once by fifty who answer at the same time, and has one effect', async () => {
    const { interrupt, stream } = await waiting();
    const answers = await Promise.all(Array.from({ length: 50 }, () => answer(interrupt.id, { approved: true })));
    const codes = answers.map(({ resumeRun }) => resumeRun.userErrors[0]?.code ?? 'OK').sort();
    expect(codes).toEqual([...Array(49).fill('INTERRUPT_ALREADY_RESOLVED'), 'OK']);
    await stream.until(isEnd);
    stream.stop();
    expect(effects).toEqual(['rocket×1']);
  });

  it('can be cancelled in place of an answer, and taken back with the whole question', async () => {
    for (const policy of ['cancelRun', 'INTERRUPT', 'ROLLBACK']) {
      const { interrupt, sessionId, runId, stream, cursor } = await waiting();
      respond = done('Something else.');
      if (policy === 'cancelRun') await ada.ask('mutation ($id: ID!) { cancelRun(input: { runId: $id }) { run { status } userErrors { message } } }', { id: runId });
      else await sendTo(ada, sessionId, 'Rather not.', { ifRunning: policy });
      await stream.until(({ chatEvents }) => chatEvents.runStatus === 'CANCELLED');
      if (policy !== 'cancelRun') await stream.until(({ chatEvents }) => chatEvents.runStatus === 'SUCCEEDED');
      stream.stop();
      const client = createStrictClient(cursor);
      for (const { chatEvents } of stream.events) client.apply(chatEvents);
      expect(client.faults).toEqual([]);
      const { node } = await ada.ask(RUN, { id: runId });
      if (policy === 'ROLLBACK') expect(node).toMatchObject({ status: 'CANCELLED', outputMessage: null });
      else expect(node).toMatchObject({ status: 'CANCELLED', outputMessage: { status: 'CANCELLED', toolCalls: [{ status: 'FAILED', error: expect.stringContaining('ended before') }] } });
      expect((await answer(interrupt.id, { approved: true })).resumeRun.userErrors).toMatchObject([{ code: 'INTERRUPT_ALREADY_RESOLVED' }]);
      expect((await ada.ask('query ($id: ID!) { chatSession(id: $id) { pendingInterrupts { id } } }', { id: sessionId })).chatSession.pendingInterrupts).toEqual([]);
      expect(effects).toEqual([]);
    }
  });

  it('cannot be answered once it has expired, and then its run ends in time-out', async () => {
    const { interrupt, runId, stream, sessionId } = await waiting();
    await rows`update interrupt set expires_at = now() - interval '1 second' where id = ${rowIdOf(interrupt.id)}`;
    expect((await answer(interrupt.id, { approved: true })).resumeRun).toMatchObject({ run: null, userErrors: [{ code: 'RUN_NOT_ACTIVE', field: ['interruptId'], message: expect.stringContaining('expired') }] });
    // As two instances do that find it at the same time.
    await Promise.all([endOverdueRuns(parley.app), endOverdueRuns(parley.app)]);
    expect((await rows`select 1 from chat_event where payload->>'runId' = ${rowIdOf(runId)} and payload->>'runStatus' = 'TIMED_OUT'`).rows).toHaveLength(1);
    await stream.until(isEnd);
    stream.stop();
    expect(stream.events.filter(({ chatEvents }) => chatEvents.__typename === 'InterruptResolved').map(({ chatEvents }) => chatEvents)).toMatchObject([{ interruptId: interrupt.id, resolvedBy: null }]);
    const { node } = await ada.ask(RUN, { id: runId });
    expect(node).toMatchObject({ status: 'TIMED_OUT', error: { code: 'TIMEOUT' }, outputMessage: { status: 'FAILED', toolCalls: [{ status: 'FAILED' }] } });
    expect((await answer(interrupt.id, { approved: true })).resumeRun.userErrors).toMatchObject([{ code: 'INTERRUPT_ALREADY_RESOLVED' }]);
    expect((await ada.ask('query ($id: ID!) { chatSession(id: $id) { pendingInterrupts { id } activeRun { id } } }', { id: sessionId })).chatSession).toEqual({ pendingInterrupts: [], activeRun: null });
    expect(effects).toEqual([]);
  });

  it('ends as cancelled once that was asked for, whatever its run would have ended as', async () => {
    const { runId, stream } = await waiting();
    await rows`update run set cancel_requested_at = now() where id = ${rowIdOf(runId)}`;
    const ctx = createContext(parley.app, { workspaceId: rowIdOf(ada.workspaceId) });
    const { status } = await transactional(ctx, (tx) => endRun(tx, rowIdOf(runId), 'SUCCEEDED', null));
    expect(status).toBe('CANCELLED');
    stream.stop();
    expect((await ada.ask(RUN, { id: runId })).node).toMatchObject({ status: 'CANCELLED', outputMessage: { status: 'CANCELLED' } });
  });

  it('ends the others, too, when the run of one cannot be ended', async () => {
    const stuck = await waiting();
    const other = await waiting();
    for (const { interrupt } of [stuck, other]) await rows`update interrupt set expires_at = now() - interval '1 second' where id = ${rowIdOf(interrupt.id)}`;
    await rows`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no end of this one'; end $$`;
    await sql.raw(`create trigger refuse before update on run for each row when (old.id = '${rowIdOf(stuck.runId)}') execute function refuse()`).execute(kysely(parley.app.database.fork()));
    try {
      await endOverdueRuns(parley.app);
      await other.stream.until(isEnd);
      expect((await ada.ask(RUN, { id: other.runId })).node.status).toBe('TIMED_OUT');
      expect((await ada.ask(RUN, { id: stuck.runId })).node.status).toBe('INTERRUPTED');
    } finally {
      await rows`drop function refuse() cascade`;
    }
    await endOverdueRuns(parley.app);
    await stuck.stream.until(isEnd);
    for (const { stream } of [stuck, other]) stream.stop();
    expect((await ada.ask(RUN, { id: stuck.runId })).node.status).toBe('TIMED_OUT');
  });

  it('is left alone by what ends overdue runs for as long as it may be answered, and when it was', async () => {
    const { interrupt, runId, stream } = await waiting();
    await endOverdueRuns(parley.app);
    expect((await ada.ask(RUN, { id: runId })).node.status).toBe('INTERRUPTED');
    expect((await answer(interrupt.id, { approved: true })).resumeRun.userErrors).toEqual([]);
    await rows`update interrupt set expires_at = now() - interval '1 second' where id = ${rowIdOf(interrupt.id)}`;
    await endOverdueRuns(parley.app);
    await stream.until(isEnd);
    stream.stop();
    expect((await ada.ask(RUN, { id: runId })).node.status).toBe('SUCCEEDED');
  });

  it('takes the time of the person, not of the run', async () => {
    const { interrupt, runId, stream } = await waiting();
    // As if the person had taken an hour, which is longer than a run may take.
    await rows`update run set started_at = started_at - interval '1 hour', created_at = created_at - interval '1 hour' where id = ${rowIdOf(runId)}`;
    await rows`update interrupt set created_at = created_at - interval '1 hour' where id = ${rowIdOf(interrupt.id)}`;
    expect((await answer(interrupt.id, { approved: true })).resumeRun.userErrors).toEqual([]);
    await stream.until(isEnd);
    stream.stop();
    expect((await ada.ask(RUN, { id: runId })).node.status).toBe('SUCCEEDED');
  });

  it("is nobody else's to answer, and an id that names nothing is told as such", async () => {
    const { interrupt, stream, runId } = await waiting();
    const mallory = await parley.signUp('Mallory');
    for (const [user, id] of [[mallory, interrupt.id], [ada, Buffer.from(`Interrupt:${randomUUID()}`).toString('base64url')], [ada, runId], [ada, 'nonsense']] as const) {
      const { resumeRun } = await answer(id, { approved: true }, user);
      expect(resumeRun).toMatchObject({ run: null, userErrors: [{ code: 'NOT_FOUND', field: ['interruptId'] }] });
    }
    expect((await mallory.ask('query ($id: ID!) { node(id: $id) { id } }', { id: interrupt.id })).node).toBeNull();
    // Who may only look on answers nothing.
    expect((await answer(interrupt.id, { approved: true }, await parley.signUpInto(ada, 'VIEWER'))).resumeRun).toMatchObject({ run: null, userErrors: [{ code: 'FORBIDDEN' }] });
    await ada.ask('mutation ($id: ID!) { cancelRun(input: { runId: $id }) { run { status } } }', { id: runId });
    await stream.until(isEnd);
    stream.stop();
  });

  it('in a shared session it is for whoever sent the message, or for an admin', async () => {
    const { interrupt, stream, sessionId } = await waiting();
    await ada.ask('mutation ($id: ID!) { updateChatSession(input: { id: $id, visibility: WORKSPACE }) { userErrors { message } } }', { id: sessionId });
    const member = await parley.signUpInto(ada, 'MEMBER');
    expect((await member.ask('query ($id: ID!) { node(id: $id) { id } }', { id: interrupt.id })).node).toEqual({ id: interrupt.id });
    expect((await answer(interrupt.id, { approved: true }, member)).resumeRun).toMatchObject({ run: null, userErrors: [{ code: 'FORBIDDEN' }] });
    expect((await answer(interrupt.id, { approved: true }, await parley.signUpInto(ada, 'ADMIN'))).resumeRun.userErrors).toEqual([]);
    await stream.until(isEnd);
    stream.stop();
  });
});
