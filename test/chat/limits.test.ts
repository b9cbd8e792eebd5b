// What one run may take: tokens, steps and time, all its attempts together.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { createSession, endOf, watch } from '../support/chats.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';

let model: ModelServer;
beforeAll(async () => {
  model = await startModelServer();
});
afterAll(() => model.close());

/** A session whose runs visit these types of nodes, one after the other. */
async function open(user: TestUser, types: readonly string[]): Promise<string> {
  const ids = types.map((type, index) => `${type}${index}`);
  const graph = {
    name: 'Line',
    nodes: types.map((type, index) => ({ id: ids[index], type })),
    edges: ['start', ...ids].map((from, index) => ({ from, to: ids[index] ?? 'end' })),
  };
  const input = { name: 'P', systemPrompt: 'Answer.', retrieval: { mode: 'OFF' }, graph };
  const { createProfile } = await user.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input });
  expect(createProfile.userErrors).toEqual([]);
  return await createSession(user, createProfile.profile.id);
}

const RUN = `query ($id: ID!) { run(id: $id) { status error { code message retryable } usage { inputTokens outputTokens } outputMessage { status text }
  steps { node status error } attempt } }`;
const runOf = async (user: TestUser, id: string) => (await user.ask(RUN, { id })).run;

/** Asks; each call of the model says its text and takes so many tokens. Answers the run as it ended. */
async function ask(user: TestUser, sessionId: string, calls: readonly { text: string; in: number; out: number }[]) {
  const { runId, cursor } = await sendTo(user, sessionId, 'Hello?');
  for (const { text, in: prompt_tokens, out: completion_tokens } of calls) {
    const call = await model.call();
    call.say(text);
    call.end({ prompt_tokens, completion_tokens });
  }
  const stream = watch(user, sessionId, cursor);
  await endOf(stream, runId);
  stream.stop();
  return await runOf(user, runId);
}

describe('a run', () => {
  let parley: TestApp;
  let ada: TestUser;
  beforeAll(async () => {
    parley = await createTestApp({ ...model.env, RUN_MAX_TOKENS: '1000', RUN_MAX_STEPS: '3' });
    ada = await parley.signUp('Ada');
  });
  afterAll(() => parley.close());

  it('may take as many tokens as it may, over all calls of models', async () => {
    const sessionId = await open(ada, ['prompt', 'prompt', 'output']);
    const run = await ask(ada, sessionId, [{ text: 'One. ', in: 500, out: 100 }, { text: 'Two.', in: 300, out: 100 }]);
    expect(run).toMatchObject({ status: 'SUCCEEDED', error: null, usage: { inputTokens: 800, outputTokens: 200 }, outputMessage: { status: 'COMPLETE', text: 'One. Two.' } });
  });

  it('that takes more fails with what it took and what it may, and all of it is booked', async () => {
    const sessionId = await open(ada, ['prompt', 'prompt', 'output']);
    const run = await ask(ada, sessionId, [{ text: 'One. ', in: 500, out: 100 }, { text: 'Two.', in: 300, out: 101 }]);
    expect(run).toMatchObject({
      status: 'FAILED',
      error: { code: 'LIMIT_EXCEEDED', message: 'The run has taken 1001 tokens, and one may take 1000. Ask for less at once, or go on in a new chat.', retryable: false },
      usage: { inputTokens: 800, outputTokens: 201 },
      outputMessage: { status: 'FAILED', text: 'One. Two.' },
    });
    expect(run.steps.map(({ node, status }: { node: string; status: string }) => `${node} ${status}`)).toEqual(['prompt0 SUCCEEDED', 'prompt1 CANCELLED']);
  });

  it('that has taken more calls no model again', async () => {
    const calls = model.calls;
    const run = await ask(ada, await open(ada, ['prompt', 'prompt', 'output']), [{ text: 'One. ', in: 2000, out: 1 }]);
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'LIMIT_EXCEEDED' } });
    expect(model.calls).toBe(calls + 1);
  });

  it('may take as many steps as it may, and fails with the number when that does not bring it to its end', async () => {
    const three = await ask(ada, await open(ada, ['retrieval', 'prompt', 'output']), [{ text: 'Yes.', in: 1, out: 1 }]);
    expect(three).toMatchObject({ status: 'SUCCEEDED', steps: { length: 3 } });
    const more = await ask(ada, await open(ada, ['retrieval', 'prompt', 'output', 'output', 'output']), [{ text: 'Yes.', in: 1, out: 1 }]);
    expect(more).toMatchObject({ status: 'FAILED', error: { code: 'LIMIT_EXCEEDED', message: 'The run took more than 3 steps without reaching its end. Ask for less at once.' } });
    expect(more.steps.length).toBeLessThan(5);
  });
});

it('a run that takes longer than it may is timed out, and the model is left alone', async () => {
  const parley = await createTestApp({ ...model.env, RUN_MAX_SECONDS: '1' });
  try {
    const ada = await parley.signUp('Ada');
    const sessionId = await open(ada, ['prompt', 'output']);
    const { runId, cursor } = await sendTo(ada, sessionId, 'Hello?');
    const call = await model.call();
    call.say('Well');
    await call.abandoned;
    const stream = watch(ada, sessionId, cursor);
    expect(await endOf(stream, runId)).toBe('TIMED_OUT');
    stream.stop();
    expect(await runOf(ada, runId)).toMatchObject({ status: 'TIMED_OUT', error: { code: 'TIMEOUT', retryable: true }, outputMessage: { text: 'Well' } });
  } finally {
    await parley.close();
  }
});

it.each([
  { limit: 1000, calls: 1, taken: 1001 },
  { limit: 600, calls: 0, taken: 601 },
])('the tokens of an attempt that another goes on from count, too: $taken are more than $limit', async ({ limit, calls, taken }) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-limits-'));
  const env = { ...model.env, DATA_DIR: folder };
  const before = await createTestApp(env, { onDisk: true });
  const ada = await before.signUp('Ada');
  const sessionId = await open(ada, ['prompt', 'prompt', 'output']);
  const { runId, cursor } = await sendTo(ada, sessionId, 'Hello?');
  const first = await model.call();
  first.say('One. ');
  first.end({ prompt_tokens: 600, completion_tokens: 1 });
  const second = await model.call();
  await before.close(0);
  await second.abandoned;
  const asked = model.calls;
  const after = await createTestApp({ ...env, RUN_MAX_TOKENS: String(limit) }, { onDisk: true });
  try {
    if (calls > 0) (await model.call()).end({ prompt_tokens: 399, completion_tokens: 1 });
    const user = after.userOf(ada.accessToken, ada);
    const stream = watch(user, sessionId, cursor);
    await endOf(stream, runId);
    stream.stop();
    expect(await runOf(user, runId)).toMatchObject({ attempt: 2, status: 'FAILED', error: { code: 'LIMIT_EXCEEDED', message: expect.stringContaining(`${taken} tokens`) as string } });
    expect(model.calls).toBe(asked + calls);
  } finally {
    await after.close();
    await rm(folder, { recursive: true, force: true });
  }
});
