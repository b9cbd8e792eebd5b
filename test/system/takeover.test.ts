// Instances that die or sleep while they answer: another goes on, and nothing is done or told twice.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { openPool } from '../support/postgres.ts';
import { seeded, soak, soakMs } from '../support/soak.ts';
import { applied, createStrictClient, EVENTS, isEnd } from '../support/strict.ts';
import type { TestUser } from '../support/visitor.ts';

const calls = 6;
const pieces = Array.from({ length: 30 }, (_, index) => `piece ${index} `);
const told = Array.from({ length: calls }, (_, call) => `call ${call} `).join('');
const answer = told + pieces.join('');

let model: ModelServer;
/** Who gets the calls of the model. */
let onCall: (call: ModelCall) => void = (call) => void speak(call);
let cluster: Cluster;
let rows: pg.Pool;
beforeAll(async () => {
  model = await startModelServer();
  void (async () => {
    for (;;) {
      const call = await model.call();
      // Not in one line, which would take the listener of before the call.
      onCall(call);
    }
  })();
  // Models fail here as often as a test wants.
  cluster = await startCluster({ ...model.env, LOG_LEVEL: 'warn', CIRCUIT_FAILURES: '1000' });
  rows = openPool(cluster.databaseUrl);
  await rows.query('create table tally (run_id uuid, call int)');
});
afterAll(async () => {
  await rows?.end();
  await cluster?.close();
  await model?.close();
});

const start = (): Promise<Instance> => cluster.start({}, { withEffects: true });

async function instanceIdOf(instance: Instance, user: TestUser): Promise<string> {
  return (await user.at(instance).ask('{ status { instanceId } }')).status.instanceId;
}

/** A session whose answers begin with effects and go on with the model's words, or with those of others in its place. */
async function openSession(user: TestUser, fallbacks: readonly string[] = []): Promise<string> {
  const graph = {
    name: 'effects',
    nodes: [{ id: 'tally', type: 'tally', config: { calls } }, { id: 'ask', type: 'prompt' }, { id: 'check', type: 'output' }],
    edges: [{ from: 'start', to: 'tally' }, { from: 'tally', to: 'ask' }, { from: 'ask', to: 'check' }, { from: 'check', to: 'end' }],
  };
  const profile = await user.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input: { name: 'P', systemPrompt: 'Answer.', retrieval: { mode: 'OFF' }, fallbackModelIds: fallbacks.map((id) => Buffer.from(`Model:${id}`).toString('base64url')), graph } });
  const session = await user.ask('mutation ($input: CreateChatSessionInput!) { createChatSession(input: $input) { session { id } } }', { input: { profileId: profile.createProfile.profile.id } });
  return session.createChatSession.session.id;
}

async function send(user: TestUser, sessionId: string): Promise<{ runId: string; cursor: string }> {
  const { sendMessage } = await user.ask('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id } cursor userErrors { message } } }', { input: { sessionId, text: 'Hello', idempotencyKey: randomUUID() } });
  return { runId: rowIdOf(sendMessage.run.id), cursor: sendMessage.cursor };
}

/** The row's id in a global id. */
function rowIdOf(id: string): string {
  return Buffer.from(id, 'base64url').toString().replace(/^\w+:/, '');
}

/** Says everything, a piece at a time, until the caller has gone. */
async function speak(call: ModelCall): Promise<void> {
  let gone = false;
  void call.abandoned.then(() => (gone = true));
  for (const piece of pieces) {
    if (gone) return;
    call.say(piece);
    await sleep(8);
  }
  call.end();
}

/** The next call of the model; the ones after it are answered as usual. */
function nextCall(): Promise<ModelCall> {
  return new Promise((resolve) => {
    onCall = (call) => {
      onCall = (later) => void speak(later);
      resolve(call);
    };
  });
}

/** The owner of a run's lease; waits until there is one. */
async function ownerOf(runId: string): Promise<string> {
  for (;;) {
    const { rows: [run] } = await rows.query('select lease_owner from run where id = $1', [runId]);
    if (run?.lease_owner) return run.lease_owner;
    await sleep(5);
  }
}

it(`a run whose instance is killed between its first delta and its end is finished by the other: ${soak(50)} kills`, { timeout: soakMs(120_000) }, async () => {
  const random = seeded(20261124);
  let instances = [await start(), await start()];
  const ada = await instances[0]!.signUp();
  let taken = 0;
  let slowest = 0;
  for (let kill = 0; kill < soak(50); kill++) {
    const sessionId = await openSession(ada.at(instances[0]!));
    const { runId, cursor } = await send(ada.at(instances[kill % 2]!), sessionId);
    const owner = await ownerOf(runId);
    const ids = await Promise.all(instances.map((instance) => instanceIdOf(instance, ada)));
    const victim = instances[ids.indexOf(owner)]!;
    const survivor = instances[1 - ids.indexOf(owner)]!;
    const stream = ada.at(survivor).subscribe(EVENTS, { s: sessionId, a: cursor });
    // In the middle of the effects, between them and the model's words, or in the middle of those.
    const killAt = 1 + Math.floor(random() * (answer.length - 2));
    await stream.until((event) => event.chatEvents.__typename === 'MessageDelta' && event.chatEvents.offset + event.chatEvents.text.length >= killAt);
    const killed = performance.now();
    await victim.kill();
    await stream.until(isEnd);
    slowest = Math.max(slowest, performance.now() - killed);
    stream.stop();
    const { faults, ends, texts } = applied(stream.events, cursor);
    expect(faults).toEqual([]);
    expect(ends).toEqual(['SUCCEEDED']);
    expect([...texts.values()]).toEqual([answer]);
    if (stream.events.some((event) => event.chatEvents.cause === 'RUN_TAKEN_OVER')) taken++;
    const { rows: tallied } = await rows.query('select call, count(*)::int from tally where run_id = $1 group by call order by call', [runId]);
    expect(tallied).toEqual(Array.from({ length: calls }, (_, call) => ({ call, count: 1 })));
    instances = [survivor, await start()];
  }
  console.info(`${soak(50)} kills: ${taken} runs taken over, 0 effects doubled, the slowest end ${Math.round(slowest)} ms after its kill`);
  // A run may end before the kill arrives, but not often.
  expect(taken).toBeGreaterThanOrEqual(soak(50) * 0.8);
  expect(slowest).toBeLessThan(60_000);
  for (const instance of instances) await instance.stop();
});

it('an owner that sleeps past its lease and wakes up writes no row, tells nothing and has no effect', { timeout: 60_000 }, async () => {
  const instances = [await start(), await start()];
  const ada = await instances[0]!.signUp();
  for (const [round, inEffects] of [true, false].entries()) {
    const sessionId = await openSession(ada.at(instances[0]!));
    const firstCall = nextCall();
    const { runId, cursor } = await send(ada.at(instances[round % 2]!), sessionId);
    const owner = await ownerOf(runId);
    const ids = await Promise.all(instances.map((instance) => instanceIdOf(instance, ada)));
    const sleeper = instances[ids.indexOf(owner)]!;
    const other = instances[1 - ids.indexOf(owner)]!;
    const atSleeper = ada.at(sleeper).subscribe(EVENTS, { s: sessionId, a: cursor });
    const stream = ada.at(other).subscribe(EVENTS, { s: sessionId, a: cursor });
    const before = sleeper.output().length;
    const first = inEffects ? null : await firstCall;
    first?.say('words of the sleeper, ');
    await stream.until((event) => event.chatEvents.__typename === 'MessageDelta' && (inEffects || event.chatEvents.text.includes('sleeper')));
    await atSleeper.until((event) => event.chatEvents.__typename === 'MessageDelta' && (inEffects || event.chatEvents.text.includes('sleeper')));
    sleeper.pause();
    // Words that wait in its socket for when it wakes.
    first?.say('said while it slept, ');
    if (first) void nextCall().then(speak);
    else void firstCall.then(speak);
    await stream.until(isEnd);
    await untilTrue(async () => (await checkpointsOf(runId)).length === 0);
    const asItWas = await everythingOf(runId, rowIdOf(sessionId));
    sleeper.resume();
    await untilTrue(async () => sleeper.output().slice(before).includes('a run was lost'));
    await atSleeper.until(isEnd);
    first?.say('said to an owner that is none any more, ');
    await first?.abandoned;
    expect(await everythingOf(runId, rowIdOf(sessionId))).toEqual(asItWas);
    for (const events of [stream.events, atSleeper.events]) {
      const { faults, ends, texts } = applied(events, cursor);
      expect(faults).toEqual([]);
      expect(ends).toEqual(['SUCCEEDED']);
      expect([...texts.values()]).toEqual([answer]);
      expect(JSON.stringify(events)).not.toContain('while it slept');
    }
    stream.stop();
    atSleeper.stop();
  }
  for (const instance of instances) await instance.stop();
});

it(`a run whose instance is killed while models fail and others go on never mixes their texts: ${soak(15)} kills`, { timeout: soakMs(120_000) }, async () => {
  const random = seeded(20261125);
  const chain = ['openai:gpt-4o', 'openai:gpt-4', 'openai:gpt-3.5-turbo'];
  let instances = [await start(), await start()];
  const ada = await instances[0]!.signUp();
  let fellBack = 0;
  let taken = 0;
  let made = 0;
  onCall = async (call) => {
    const name = `#${++made} `;
    const isLast = call.body.model === 'gpt-3.5-turbo';
    const length = 1 + Math.floor(random() * 12);
    let gone = false;
    void call.abandoned.then(() => (gone = true));
    for (let piece = 0; piece < length && !gone; piece++) {
      call.say(name);
      await sleep(8);
    }
    if (gone) return;
    if (isLast) call.end();
    else call.cut();
  };
  for (let kill = 0; kill < soak(15); kill++) {
    const sessionId = await openSession(ada.at(instances[0]!), chain);
    const { runId, cursor } = await send(ada.at(instances[kill % 2]!), sessionId);
    const owner = await ownerOf(runId);
    const ids = await Promise.all(instances.map((instance) => instanceIdOf(instance, ada)));
    const victim = instances[ids.indexOf(owner)]!;
    const survivor = instances[1 - ids.indexOf(owner)]!;
    const stream = ada.at(survivor).subscribe(EVENTS, { s: sessionId, a: cursor });
    await stream.until((event) => event.chatEvents.text?.includes('#'));
    await sleep(Math.floor(random() * 120));
    await victim.kill();
    await stream.until(isEnd);
    stream.stop();
    const client = createStrictClient(cursor);
    for (const { chatEvents } of stream.events) {
      client.apply(chatEvents);
      if (chatEvents.__typename === 'ModelFellBack') fellBack++;
      // What the effects say is before, and stays; after it stands what one call of a model said.
      for (const text of client.texts.values()) {
        expect(new Set(text.match(/#\d+/g)).size).toBeLessThanOrEqual(1);
        expect(told.startsWith(text) || text.startsWith(told)).toBe(true);
      }
    }
    expect(client.faults).toEqual([]);
    expect(client.ends).toEqual(['SUCCEEDED']);
    if (stream.events.some((event) => event.chatEvents.cause === 'RUN_TAKEN_OVER')) taken++;
    instances = [survivor, await start()];
  }
  onCall = (call) => void speak(call);
  console.info(`${soak(15)} kills while models fell back ${fellBack} times: ${taken} runs taken over`);
  expect(taken).toBeGreaterThanOrEqual(soak(15) * 0.4);
  expect(fellBack).toBeGreaterThan(soak(15));
  for (const instance of instances) await instance.stop();
});

/** Every row that speaks of a run, checkpoints and effects included. */
async function everythingOf(runId: string, sessionId: string): Promise<unknown> {
  const of = async (text: string, id: string) => (await rows.query(text, [id])).rows;
  return {
    run: await of('select * from run where id = $1', runId),
    events: await of('select * from chat_event where session_id = $1 order by sequence', sessionId),
    messages: await of('select * from message where session_id = $1 order by id', sessionId),
    blocks: await of('select * from message_block where message_id in (select id from message where session_id = $1) order by message_id, index', sessionId),
    steps: await of('select * from run_step where run_id = $1 order by ordinal', runId),
    calls: await of('select * from tool_call where run_id = $1 order by call_id', runId),
    tally: await of('select * from tally where run_id = $1 order by call', runId),
    checkpoints: await checkpointsOf(runId),
    writes: await of('select * from langgraph.checkpoint_writes where thread_id = $1::text order by checkpoint_id, task_id, idx', runId),
  };
}

async function checkpointsOf(runId: string): Promise<unknown[]> {
  return (await rows.query('select * from langgraph.checkpoints where thread_id = $1 order by checkpoint_id', [runId])).rows;
}

/** Waits, with the test's own limit, until something has become true. */
async function untilTrue(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}
