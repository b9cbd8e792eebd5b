// The node type and the tool of docs/extending.md: complete as they stand there, and doing what the text beside them says.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { attend, createSession } from '../support/chats.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { applied, EVENTS, isEnd } from '../support/strict.ts';

const root = join(import.meta.dirname, '../..');
const sample = await vi.hoisted(async () => {
  const { mkdtempSync, readFileSync, rmSync, writeFileSync } = await import('node:fs');
  const { createServer } = await import('node:http');
  const { join } = await import('node:path');
  const page = readFileSync(join(import.meta.dirname, '../../docs/extending.md'), 'utf8');
  // Beside the tests, since others read all of src while this runs.
  const folder = mkdtempSync(join(import.meta.dirname, 'sample-'));
  /** Writes a section's file, and the list of src in which its line stands, into the folder. */
  function lay(title: string, room: string, list: string) {
    const section = new RegExp(`\\n## ${title}\\n(.*?)(?=\\n## |$)`, 's').exec(page)?.[1] ?? '';
    const [file = '', line = ''] = [...section.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code as string);
    const name = /^\/\/ src\/\w+\/([\w-]+\.ts)\n/.exec(file)?.[1] ?? 'missing.ts';
    writeFileSync(join(folder, name), file.replace(/from '(\.\.?)\//g, (_, dots) => `from '../../../src/${dots === '.' ? `${room}/` : ''}`));
    const listed = readFileSync(join(import.meta.dirname, '../../src', list), 'utf8').replaceAll("from './", "from '../../../src/");
    writeFileSync(join(folder, list), listed + line.replace(`./${room}/`, './'));
    return { file, line, section, name };
  }
  const requests: { request: IncomingMessage; text: string; response: ServerResponse }[] = [];
  const operations = { requests, answer: (_response: ServerResponse): void => undefined };
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    requests.push({ request, text, response });
    operations.answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.env['OPERATIONS_URL'] = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  process.env['OPERATIONS_TOKEN'] = 'op-secret-0123456789';
  return {
    folder,
    node: lay('A new node type', 'agent', 'node-types.ts'),
    tool: lay('A new tool', 'agent', 'tools.ts'),
    operations,
    remove() {
      rmSync(folder, { recursive: true, force: true });
      server.closeAllConnections();
      server.close();
    },
  };
});
vi.mock('../../src/node-types.ts', () => import(join(sample.folder, 'node-types.ts')));
vi.mock('../../src/tools.ts', () => import(join(sample.folder, 'tools.ts')));

let model: ModelServer;
let respond: (call: ModelCall, turn: number) => void;
const calls: ModelCall[] = [];
let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  model = await startModelServer();
  void attend(model, (call) => respond(call, calls.push(call)));
  parley = await createTestApp(model.env);
  ada = await parley.signUp('Ada');
});
beforeEach(() => {
  calls.length = 0;
  sample.operations.requests.length = 0;
});
afterAll(async () => {
  await parley?.close();
  await model?.close();
  sample.remove();
});

const CREATE = `mutation ($input: CreateProfileInput!) { createProfile(input: $input) { userErrors { message field ... on ValidationError { constraint } }
  profile { id version { tools { name description requiresApproval parameters } } } } }`;
const RUN = `query ($id: ID!) { node(id: $id) { ... on Run { status error { code message node } usage { inputTokens } steps { node status }
  outputMessage { text toolCalls { name arguments status result error } } } } }`;

const create = async (more: object) => (await ada.ask(CREATE, { input: { name: 'P', systemPrompt: 'Be kind.', retrieval: { mode: 'OFF' }, ...more } })).createProfile;

/** Asks in a session of its own; `events` are those of the subscription. */
async function open(profileId: string, text: string, script: typeof respond, user = ada) {
  respond = script;
  const sessionId = await createSession(user, profileId);
  const sent = await sendTo(user, sessionId, text);
  const stream = user.subscribe(EVENTS, { s: sessionId, a: sent.cursor });
  return {
    ...sent,
    stream,
    /** Follows it to its end; the run as it is stored. */
    async end() {
      await stream.until(isEnd);
      stream.stop();
      const client = applied(stream.events as never, sent.cursor);
      expect(client.faults).toEqual([]);
      const { node } = await user.ask(RUN, { id: sent.runId });
      expect([...client.texts.values()].at(-1)).toBe(node.outputMessage.text);
      return node;
    },
  };
}
const cancel = (runId: string) => ada.ask('mutation ($id: ID!) { cancelRun(input: { runId: $id }) { userErrors { message } } }', { id: runId });
const says = (text: string) => (call: ModelCall): void => {
  call.say(text);
  call.end();
};

describe('both samples', () => {
  it.each([sample.node, sample.tool])('$name is a file of at most 30 lines and a line that registers it', ({ file, line }) => {
    const lines = file.trimEnd().split('\n').length;
    expect(lines).toBeGreaterThan(5);
    expect(lines).toBeLessThanOrEqual(30);
    expect(line.trimEnd().split('\n')).toHaveLength(1);
  });

  it('have the types that they should', { timeout: 120_000 }, async () => {
    const config = join(sample.folder, 'tsconfig.json');
    writeFileSync(config, JSON.stringify({ extends: '../../../tsconfig.json', include: [], files: [sample.node.name, sample.tool.name, 'node-types.ts', 'tools.ts', '../../../src/main.ts'] }));
    const { stdout } = await promisify(execFile)(join(root, 'node_modules/.bin/tsc'), ['-p', config], { cwd: root }).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });

  it('are what the page about graphs leads to', () => {
    const graphs = readFileSync(join(root, 'docs/graphs.md'), 'utf8');
    for (const anchor of ['a-new-node-type', 'a-new-tool']) expect(graphs).toContain(`(extending.md#${anchor})`);
  });
});

describe('a new node type', () => {
  const graph = JSON.parse(/```json\n(.*?)```/s.exec(sample.node.section)?.[1] ?? '{}');
  const withConfig = (config: object) => ({ ...graph, nodes: graph.nodes.map((node: { id: string }) => (node.id === 'translate' ? { ...node, config } : node)) });

  it('is published with its schemas', async () => {
    const { graphNodeTypes } = await ada.ask('{ graphNodeTypes { type description configSchema inputSchema outputSchema } }');
    expect(graphNodeTypes).toHaveLength(12);
    expect(graphNodeTypes.find(({ type }: { type: string }) => type === 'translate')).toMatchObject({
      description: expect.stringContaining('Translates the question'),
      configSchema: { type: 'object', properties: { to: { type: 'string', pattern: expect.any(String) } }, required: ['to'] },
      inputSchema: { properties: { question: { type: 'string' } } },
      outputSchema: { properties: { question: { type: 'string' }, original: { type: 'string' } }, required: ['question', 'original'] },
    });
  });

  it('works in the answers of a profile whose graph has it', async () => {
    const { profile, userErrors } = await create({ graph });
    expect(userErrors).toEqual([]);
    const run = await open(profile.id, 'Where is the key?', (call, turn) => says(turn === 1 ? 'Wo ist der Schlüssel?' : 'Under the mat.')(call));
    expect(await run.end()).toMatchObject({
      status: 'SUCCEEDED', error: null, usage: { inputTokens: 14 }, outputMessage: { text: 'Under the mat.' },
      steps: ['translate', 'find', 'ask', 'check'].map((node) => ({ node, status: 'SUCCEEDED' })),
    });
    expect(calls[0]!.body.messages).toMatchObject([{ role: 'system', content: expect.stringMatching(/^Translate into German /) }, { role: 'user', content: 'Where is the key?' }]);
    expect(calls[1]!.body.messages).toEqual([
      { role: 'system', content: 'Be kind.\nThe user asked: Where is the key?\nAnswer in that language.' },
      { role: 'user', content: 'Wo ist der Schlüssel?' },
    ]);
  });

  it('is cancelled while it waits for the model, and takes no half of a translation', async () => {
    const { profile } = await create({ graph });
    const asked = Promise.withResolvers<ModelCall>();
    const run = await open(profile.id, 'Where is the key?', asked.resolve);
    const call = await asked.promise;
    await cancel(run.runId);
    await call.abandoned;
    expect(await run.end()).toMatchObject({ status: 'CANCELLED', steps: [{ node: 'translate', status: 'CANCELLED' }], outputMessage: { text: '' } });
    const other = await open(profile.id, 'Where is the key?', (call, turn) => {
      call.say(turn === 2 ? 'Wo' : 'Here.');
      call.end(undefined, turn === 2 ? 'length' : 'stop');
    });
    expect(await other.end()).toMatchObject({ status: 'SUCCEEDED' });
    expect(calls[2]!.body.messages.at(-1)!.content).toBe('Where is the key?');
  });

  it.each([
    [{ to: 'auf Deutsch' }, ['graph', 'nodes', '0', 'config', 'to'], /English name of a language/],
    [{ to: 5 }, ['graph', 'nodes', '0', 'config', 'to'], /string/],
    [{}, ['graph', 'nodes', '0', 'config', 'to'], /string/],
  ])('is refused with the path for a configuration such as %j', async (config, field, message) => {
    expect(await create({ graph: withConfig(config) })).toMatchObject({ profile: null, userErrors: [{ field, message: expect.stringMatching(message), constraint: expect.any(String) }] });
  });

  it('gives what others read: its own value, and nothing by another name', async () => {
    const misspelt = JSON.parse(JSON.stringify(graph).replace('{{values.original}}', '{{values.orignal}}'));
    expect(await create({ graph: misspelt })).toMatchObject({ profile: null, userErrors: [{ field: ['graph', 'nodes', '2', 'config', 'template'], constraint: 'exists' }] });
  });
});

describe('a new tool', () => {
  const RESUME = 'mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { userErrors { code message } } }';
  const right = { service: 'invoices', reason: 'It hangs.' };
  let profileId: string;
  beforeAll(async () => {
    const { profile, userErrors } = await create({ toolNames: ['restart_service'] });
    expect(userErrors).toEqual([]);
    profileId = profile.id;
    expect(profile.version.tools).toEqual([
      {
        name: 'restart_service', description: expect.stringContaining('Restarts a service'), requiresApproval: true,
        parameters: expect.objectContaining({ type: 'object', required: ['service', 'reason'], properties: { service: expect.objectContaining({ pattern: '^[a-z][a-z0-9-]{0,39}$' }), reason: expect.objectContaining({ maxLength: 500 }) } }),
      },
    ]);
  });
  /** Calls it, then says something. */
  const calling = (...given: object[]) => (call: ModelCall, turn: number): void => (turn <= given.length ? call.request({ name: 'restart_service', arguments: given[turn - 1]! }) : says('Well.')(call));
  /** Waits for the question, and answers it. */
  async function decide({ stream }: Awaited<ReturnType<typeof open>>, approved: boolean) {
    await stream.until(({ chatEvents }) => chatEvents.runStatus === 'INTERRUPTED');
    const { interrupt } = stream.events.find(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')!.chatEvents;
    expect(interrupt).toMatchObject({ kind: 'APPROVAL', payload: { name: 'restart_service', arguments: right }, toolCall: { name: 'restart_service' } });
    expect(sample.operations.requests).toEqual([]);
    expect((await ada.ask(RESUME, { input: { interruptId: interrupt.id, response: { approved } } })).resumeRun.userErrors).toEqual([]);
  }

  it('is called by the model, once a person has allowed it', async () => {
    sample.operations.answer = (response) => void response.end('{"state":"RESTARTING","internal":"10.0.0.7"}');
    const run = await open(profileId, 'The invoices hang.', calling(right));
    await decide(run, true);
    expect(await run.end()).toMatchObject({
      status: 'SUCCEEDED', outputMessage: { text: 'Well.', toolCalls: [{ name: 'restart_service', arguments: right, status: 'SUCCEEDED', result: { state: 'RESTARTING' }, error: null }] },
    });
    expect(calls[0]!.body.tools!.map((tool) => tool.function.name)).toEqual(['restart_service']);
    expect(JSON.parse(calls[1]!.body.messages.at(-1)!.content)).toEqual({ state: 'RESTARTING' });
    expect(sample.operations.requests).toHaveLength(1);
    const [{ request, text }] = sample.operations.requests as [(typeof sample.operations.requests)[number]];
    expect([request.method, request.url, request.headers.authorization]).toEqual(['POST', '/services/invoices/restarts', 'Bearer op-secret-0123456789']);
    expect(request.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}\/\S+$/);
    expect(JSON.parse(text)).toEqual({ reason: 'It hangs.', requestedBy: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });

  it('is not called when the person does not allow it', async () => {
    const run = await open(profileId, 'The invoices hang.', calling(right));
    await decide(run, false);
    expect(await run.end()).toMatchObject({ status: 'SUCCEEDED', outputMessage: { toolCalls: [{ status: 'REJECTED', result: null }] } });
    expect(sample.operations.requests).toEqual([]);
  });

  it('tells the model once what does not fit, and never leaves its place in the address', async () => {
    const wrong = { service: '../accounts', reason: 'x' };
    const once = await (await open(profileId, 'Go.', calling(wrong))).end();
    expect(once).toMatchObject({ status: 'SUCCEEDED', outputMessage: { toolCalls: [{ status: 'FAILED', error: expect.stringMatching(/do not fit/) }] } });
    expect(JSON.parse(calls[1]!.body.messages.at(-1)!.content)).toEqual({ error: once.outputMessage.toolCalls[0].error });
    calls.length = 0;
    expect(await (await open(profileId, 'Go.', calling(wrong, { service: 'invoices' }))).end()).toMatchObject({ status: 'FAILED', error: { code: 'VALIDATION_FAILED', node: 'agent' } });
    expect(calls).toHaveLength(2);
    expect(sample.operations.requests).toEqual([]);
  });

  it.each([
    [404, 'There is no service invoices.'],
    [503, 'The tool failed unexpectedly.'],
  ])('fails with what may be shown when the other side answers %i', async (status, error) => {
    sample.operations.answer = (response) => void response.writeHead(status).end('secret stack trace');
    const run = await open(profileId, 'Go.', calling(right));
    await decide(run, true);
    expect(await run.end()).toMatchObject({ status: 'SUCCEEDED', outputMessage: { toolCalls: [{ status: 'FAILED', result: null, error }] } });
  });

  it('lets go of the other side when the run is cancelled', async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    sample.operations.answer = asked.resolve;
    const run = await open(profileId, 'Go.', calling(right));
    await decide(run, true);
    const response = await asked.promise;
    const gone = new Promise((resolve) => response.once('close', resolve));
    await cancel(run.runId);
    await gone;
    expect(await run.end()).toMatchObject({ status: 'CANCELLED', outputMessage: { toolCalls: [{ status: 'FAILED' }] } });
  });

  it('is not offered to whoever lacks the permission', async () => {
    const member = await parley.signUpInto(ada, 'MEMBER');
    const run = await (await open(profileId, 'Go.', calling(right), member)).end();
    expect(calls[0]!.body.tools).toBeUndefined();
    expect(run).toMatchObject({ status: 'SUCCEEDED', outputMessage: { toolCalls: [{ status: 'FAILED', error: expect.stringContaining('There is no tool') }] } });
  });
});
