// Models that think before they call, in runs: what their vendors want back with a turn outlives approvals, restarts and the node
// that asked, and goes to nobody else. The servers refuse whatever is missing or changed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { maxTurnStateBytes } from '../../src/agent/tool-caller-node.ts';
import { defineTool, type Tool } from '../../src/agent/tools.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createLog } from '../../src/platform/log.ts';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { createSession } from '../support/chats.ts';
import { configFile } from '../support/installation.ts';
import { applied, EVENTS, isEnd } from '../support/strict.ts';
import { secretOf, startThinkingVendors, thinkingModels, thinkingVendors, type ThinkingTurn, type ThinkingVendor, type ThinkingVendors } from '../support/thinking-vendors.ts';

const look = defineTool({
  name: 'look', description: 'Looks.', parameters: z.object({ text: z.string() }), permission: null, requiresApproval: false, hasEffects: false,
  execute: async ({ text }) => ({ seen: text }),
});
const launch = defineTool({ ...look, name: 'launch', description: 'Launches.', requiresApproval: true, hasEffects: true });
const tools = [look, launch] as unknown as Tool[];

const looking: ThinkingTurn = { text: 'Let me see. ', calls: [{ name: 'look', arguments: { text: 'ä' } }, { name: 'look', arguments: { text: 'b' } }] };
const launching: ThinkingTurn = { text: 'Now. ', calls: [{ name: 'launch', arguments: { text: 'c' } }] };
const done: ThinkingTurn = { text: 'Done.' };

const logged: string[] = [];
const env = { RETRY_MAX_ATTEMPTS: '1', CIRCUIT_FAILURES: '1000', LOG_LEVEL: 'warn', OPENAI_API_KEY: 'sk-test-0123456789', SEED: '0' };
let vendors: ThinkingVendors;
let folder: string;
let file: string;
let parley: TestApp;
let ada: TestUser;

const start = (): Promise<TestApp> => {
  const settings = { ...env, DATA_DIR: folder, CONFIG_FILE: file };
  return createTestApp(settings, { onDisk: true, tools, log: createLog(loadConfig({ NODE_ENV: 'test', ...settings }), { write: (line) => void logged.push(line) }) });
};
beforeAll(async () => {
  vendors = await startThinkingVendors();
  folder = await mkdtemp(join(tmpdir(), 'parley-turn-state-'));
  const providers = vendors.providers.map(({ id, name, kind, baseUrl, models }) => ({ id, name, kind, baseUrl, models, apiKey: '${OPENAI_API_KEY}' }));
  file = configFile(() => ({ defaults: { chatModels: [], embeddingModels: [] }, providers }));
  parley = await start();
  ada = await parley.signUp();
});
beforeEach(() => void (logged.length = 0));
afterAll(async () => {
  await parley?.close();
  await vendors?.close();
  await rm(folder, { recursive: true, force: true });
});

const modelId = (vendor: ThinkingVendor): string => Buffer.from(`Model:${thinkingModels[vendor]}`).toString('base64url');

/** A run of a profile of its own, just begun. */
async function begin(vendor: ThinkingVendor, more: object = {}) {
  const input = { name: vendor, systemPrompt: 'Help.', retrieval: { mode: 'OFF' }, toolNames: ['look', 'launch'], modelId: modelId(vendor), ...more };
  const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message field } } }', { input });
  expect(createProfile.userErrors).toEqual([]);
  const sessionId = await createSession(ada, createProfile.profile.id);
  const sent = await sendTo(ada, sessionId, 'Do it.');
  return { ...sent, sessionId, stream: ada.subscribe(EVENTS, { s: sessionId, a: sent.cursor }) };
}
type Begun = Awaited<ReturnType<typeof begin>>;

async function ended({ stream, runId, cursor }: Pick<Begun, 'stream' | 'runId' | 'cursor'>) {
  await stream.until(isEnd);
  stream.stop();
  expect(applied(stream.events as never, cursor).faults).toEqual([]);
  const { run } = await ada.ask('query ($id: ID!) { run(id: $id) { status error { code message } outputMessage { text toolCalls { name status } } } }', { id: runId });
  return { ...run, events: JSON.stringify(stream.events) };
}
const answered = () => vendors.requests.map(({ vendor, status }) => `${vendor} ${status}`);

describe.each(thinkingVendors)('%s', (vendor) => {
  it('gets back with each turn of a run what came with it', async () => {
    vendors.script([looking, { ...looking, calls: looking.calls!.slice(1) }, done]);
    const run = await ended(await begin(vendor));
    expect(run).toMatchObject({ status: 'SUCCEEDED', error: null, outputMessage: { text: 'Let me see. Let me see. Done.', toolCalls: Array(3).fill({ name: 'look', status: 'SUCCEEDED' }) } });
    expect(answered()).toEqual(Array(3).fill(`${vendor} 200`));
    // What DeepSeek wants back is the reasoning itself, which is shown.
    if (vendor !== 'deepseek') expect(run.events).not.toContain(secretOf(vendor));
  });

  it('gets it back from the next node, too', async () => {
    vendors.script([looking, done]);
    const edges = [['start', 'first'], ['first', 'second'], ['second', 'output'], ['output', 'end']].map(([from, to]) => ({ from, to }));
    const run = await ended(await begin(vendor, { graph: { name: 'twice', nodes: [{ id: 'first', type: 'toolCaller' }, { id: 'second', type: 'toolCaller' }, { id: 'output', type: 'output' }], edges } }));
    expect(run).toMatchObject({ status: 'SUCCEEDED', outputMessage: { text: 'Let me see. Done.Done.' } });
    expect(answered()).toEqual(Array(3).fill(`${vendor} 200`));
  });

  it(`refuses a turn that came with more than ${maxTurnStateBytes / 1024} KB, which is left out and logged`, async () => {
    vendors.script([looking, done], maxTurnStateBytes - 1_000 >> (vendor === 'anthropic' || vendor === 'openrouter' ? 1 : 0));
    expect(await ended(await begin(vendor))).toMatchObject({ status: 'SUCCEEDED' });
    expect(logged.join()).not.toContain('too large');
    vendors.script([looking, done], maxTurnStateBytes);
    expect(await ended(await begin(vendor))).toMatchObject({ status: 'FAILED', error: { code: 'PROVIDER_REJECTED' }, outputMessage: { toolCalls: Array(2).fill({ name: 'look', status: 'SUCCEEDED' }) } });
    expect(answered()).toEqual([`${vendor} 200`, `${vendor} 400`]);
    expect(logged.filter((line) => line.includes('too large')).map((line) => JSON.parse(line))).toEqual([expect.objectContaining({ modelId: thinkingModels[vendor], maxBytes: maxTurnStateBytes })]);
    expect(logged.join()).not.toContain(secretOf(vendor));
  });
});

it('a person is waited for and the process starts anew meanwhile: every vendor gets back what came before', async () => {
  vendors.script([looking, launching, done]);
  const begun: { run: Begun; interruptId: string }[] = [];
  for (const vendor of thinkingVendors) {
    const run = await begin(vendor);
    await run.stream.until(({ chatEvents }) => chatEvents.runStatus === 'INTERRUPTED');
    run.stream.stop();
    begun.push({ run, interruptId: run.stream.events.find(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')!.chatEvents.interrupt.id });
  }
  await parley.close();
  parley = await start();
  ada = parley.userOf(ada.accessToken, ada);
  for (const { run, interruptId } of begun) {
    const { resumeRun } = await ada.ask('mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { userErrors { message } } }', { input: { interruptId, response: { approved: true } } });
    expect(resumeRun.userErrors).toEqual([]);
    const stream = ada.subscribe(EVENTS, { s: run.sessionId, a: run.cursor });
    expect(await ended({ ...run, stream })).toMatchObject({ status: 'SUCCEEDED', error: null, outputMessage: { text: 'Let me see. Now. Done.' } });
  }
  expect(answered().sort()).toEqual(thinkingVendors.flatMap((vendor) => Array(3).fill(`${vendor} 200`)).sort());
});

it('another vendor that goes on in the middle of a run is sent nothing of the first, and its own again', async () => {
  vendors.script([looking, launching, looking, done]);
  const run = await begin('gemini', { fallbackModelIds: [modelId('anthropic')] });
  await run.stream.until(({ chatEvents }) => chatEvents.__typename === 'ToolCallUpdated' && chatEvents.toolCallStatus === 'AWAITING_APPROVAL');
  // The third turn and the last are the other's.
  vendors.down.add('gemini');
  const { interrupt } = (await run.stream.until(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')).chatEvents;
  await run.stream.until(({ chatEvents }) => chatEvents.runStatus === 'INTERRUPTED');
  await ada.ask('mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { userErrors { message } } }', { input: { interruptId: interrupt.id, response: { approved: true } } });
  expect(await ended(run)).toMatchObject({ status: 'SUCCEEDED', error: null });
  expect(answered()).toEqual(['gemini 200', 'gemini 200', 'gemini 503', 'anthropic 200', 'gemini 503', 'anthropic 200']);
});
