// Many at once over two instances: what is asked twice happens once, and messages that meet in a session go by its policies.
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attend, branchOf, createProfile, createSession, endOf, eventsOf, isEndOf, questionOf, rowIdOf, send, SENT, watch, type SendAnswer } from '../support/chats.ts';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { openPool } from '../support/postgres.ts';
import { seeded, soak, soakMs, stretched } from '../support/soak.ts';
import type { Subscription, TestUser } from '../support/visitor.ts';

const policies = ['REJECT', 'ENQUEUE', 'INTERRUPT', 'ROLLBACK'] as const;
type Policy = (typeof policies)[number];

let model: ModelServer;
let cluster: Cluster;
let rows: pg.Pool;
let instances: Instance[];
/** The same person at both instances. */
let ada: [TestUser, TestUser];
let profileId: string;
beforeAll(async () => {
  model = await startModelServer();
  void attend(model, answer);
  cluster = await startCluster({ ...model.env, LOG_LEVEL: 'warn' });
  rows = openPool(cluster.databaseUrl);
  instances = [await cluster.start(), await cluster.start()];
  const [first, second] = instances as [Instance, Instance];
  const user = await first.signUp();
  ada = [user, user.at(second)];
  profileId = await createProfile(user);
});
afterAll(async () => {
  await rows?.end();
  await cluster?.close();
  await model?.close();
});

/** Answers at once; a question that begins with "Hold" gets a part of an answer, and no end. */
function answer(call: ModelCall): void {
  const question = questionOf(call);
  if (question.startsWith('Hold')) return call.say(`Part of ${question}`);
  call.say(`Answer to ${question}`);
  call.end();
}

const query = async (text: string, ...values: unknown[]) => (await rows.query(text, values)).rows;
const countOf = async (text: string, ...values: unknown[]): Promise<number> => (await query(`select count(*)::int as count from ${text}`, ...values))[0].count;

/** Does something fifty times at once, at both instances by turns. */
function fifty<T>(work: (user: TestUser) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: 50 }, (_, index) => work(ada[index % 2]!)));
}

/** What all of these answers say: one run and one cursor. */
function theOne(answers: readonly SendAnswer[]): { runId: string; cursor: string } {
  expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual([]);
  expect(new Set(answers.map(({ run, cursor }) => `${run?.id} ${cursor}`)).size).toBe(1);
  return { runId: answers[0]?.run?.id ?? '', cursor: answers[0]?.cursor ?? '' };
}

/** Waits for the end of a run, at the instance of `user`. */
async function finish(user: TestUser, sessionId: string, { runId, cursor }: { runId: string; cursor: string | null }): Promise<string> {
  const stream = watch(user, sessionId, cursor);
  const status = await endOf(stream, runId);
  stream.stop();
  return status;
}

/** Numbers of messages and runs of a session. */
async function countsOf(sessionId: string): Promise<{ questions: number; answers: number; runs: number }> {
  const [counts] = await query(
    `select (select count(*)::int from message where session_id = $1 and role = 'USER') as questions,
      (select count(*)::int from message where session_id = $1 and role = 'ASSISTANT') as answers,
      (select count(*)::int from run where session_id = $1) as runs`,
    rowIdOf(sessionId),
  );
  return counts;
}

describe('fifty requests at once with one idempotency key', () => {
  it.each(policies)('make one message, one run and one call of the model: sendMessage with %s', async (ifRunning) => {
    const sessionId = await createSession(ada[0], profileId);
    const [key, before] = [randomUUID(), model.calls];
    const sent = theOne(await fifty((user) => send(user, sessionId, 'Hello', { idempotencyKey: key, ifRunning })));
    expect(await finish(ada[1], sessionId, sent)).toBe('SUCCEEDED');
    expect(theOne(await fifty((user) => send(user, sessionId, 'Hello', { idempotencyKey: key, ifRunning })))).toEqual(sent);
    expect(await countsOf(sessionId)).toEqual({ questions: 1, answers: 1, runs: 1 });
    expect(model.calls - before).toBe(1);
    for (const user of ada) {
      const { userErrors } = await send(user, sessionId, 'Another text', { idempotencyKey: key, ifRunning });
      expect(userErrors).toEqual([{ code: 'CONFLICT', existing: { id: sent.runId } }]);
    }
  });

  it('make one sibling and one run: editMessage and regenerateMessage', async () => {
    const sessionId = await createSession(ada[0], profileId);
    const first = await send(ada[0], sessionId, 'Hello');
    await finish(ada[0], sessionId, { runId: first.run?.id ?? '', cursor: first.cursor });
    for (const [name, input, other, expected] of [
      ['editMessage', { text: 'Hello again' }, { text: 'Another text' }, { questions: 2, answers: 2, runs: 2 }],
      ['regenerateMessage', {}, { modelId: await modelId() }, { questions: 2, answers: 3, runs: 3 }],
    ] as const) {
      const ask = async (user: TestUser, rest: object): Promise<SendAnswer> => {
        const mutation = `mutation ($input: ${name.replace(/^./, (letter) => letter.toUpperCase())}Input!) { sent: ${name}(input: $input) { ${SENT} } }`;
        return (await user.ask(mutation, { input: { messageId: first.userMessage?.id, ...rest } })).sent;
      };
      const [key, before] = [randomUUID(), model.calls];
      const sent = theOne(await fifty((user) => ask(user, { ...input, idempotencyKey: key })));
      expect(await finish(ada[1], sessionId, sent)).toBe('SUCCEEDED');
      expect(await countsOf(sessionId)).toEqual(expected);
      expect(model.calls - before).toBe(1);
      expect((await ask(ada[1], { ...other, idempotencyKey: key })).userErrors).toEqual([{ code: 'CONFLICT', existing: { id: sent.runId } }]);
    }
  });

  it('make one session: createChatSession', async () => {
    const mutation = 'mutation ($input: CreateChatSessionInput!) { createChatSession(input: $input) { session { id } userErrors { code } } }';
    const create = async (user: TestUser, profile: string, idempotencyKey: string) => (await user.ask(mutation, { input: { profileId: profile, idempotencyKey } })).createChatSession;
    const key = randomUUID();
    const made = await fifty((user) => create(user, profileId, key));
    expect(made.flatMap(({ userErrors }) => userErrors)).toEqual([]);
    expect(new Set(made.map(({ session }) => session.id)).size).toBe(1);
    expect(await countOf('chat_session where idempotency_key = $1', key)).toBe(1);
    const otherProfile = await createProfile(ada[0]);
    expect(await create(ada[1], otherProfile, key)).toEqual({ session: null, userErrors: [{ code: 'CONFLICT' }] });
  });

  it('are answered alike by the instance that is left when the other was killed right after its acknowledgement', { timeout: 60_000 }, async () => {
    const [doomed, stays] = [await cluster.start(), ada[1]];
    const sessionId = await createSession(stays, profileId);
    const key = randomUUID();
    const acknowledged = await send(stays.at(doomed), sessionId, 'Hello', { idempotencyKey: key });
    const killed = doomed.kill();
    const answers = await Promise.all(Array.from({ length: 49 }, () => send(stays, sessionId, 'Hello', { idempotencyKey: key })));
    const sent = theOne([acknowledged, ...answers]);
    await killed;
    const stream = watch(stays, sessionId, sent.cursor);
    expect(await endOf(stream, sent.runId)).toBe('SUCCEEDED');
    expect(eventsOf(stream).filter((event) => isEndOf(null, event))).toHaveLength(1);
    stream.stop();
    expect(await countsOf(sessionId)).toEqual({ questions: 1, answers: 1, runs: 1 });
    expect((await branchOf(stays, sessionId)).map(({ text }) => text)).toEqual(['Hello', 'Answer to Hello']);
  });
});

/** What is wrong with the log of a session, read from its rows. */
async function faultsOf(sessionId: string): Promise<string[]> {
  const events = await query('select sequence, type, payload from chat_event where session_id = $1 order by sequence', rowIdOf(sessionId));
  const runs = await query('select id, status from run where session_id = $1', rowIdOf(sessionId));
  const messages = new Map((await query('select id, status, run_id from message where session_id = $1', rowIdOf(sessionId))).map((row) => [row.id, row]));
  const faults: string[] = [];
  const ended = new Map<string, string>();
  for (const [index, { sequence, type, payload }] of events.entries()) {
    if (sequence !== index + 1) faults.push(`${type} is number ${sequence} instead of ${index + 1}`);
    const runId = payload.runId ?? messages.get(payload.messageId)?.run_id;
    if (ended.has(runId)) faults.push(`${type} of run ${runId} after its end`);
    if (type === 'RunUpdated' && !['QUEUED', 'RUNNING'].includes(payload.runStatus)) ended.set(runId, payload.runStatus);
    if (payload.messageId && type !== 'MessageDeleted' && !messages.has(payload.messageId)) faults.push(`${type} speaks of a message that is gone`);
  }
  for (const { id, status } of runs) if (ended.get(id) !== status) faults.push(`run ${id} is ${status} and said ${ended.get(id)}`);
  for (const { status } of messages.values()) if (status === 'STREAMING') faults.push('a message streams on');
  return faults;
}

/** The questions and answers of a session in the order in which their runs were accepted. */
async function acceptedOf(sessionId: string): Promise<{ runId: string; status: string; question: string }[]> {
  return await query(
    `select run.id as "runId", run.status, block.text as question from run
      left join message_block block on block.message_id = run.input_message_id where session_id = $1 order by start_sequence`,
    rowIdOf(sessionId),
  );
}

/** That each run was cancelled by a later message, but the last; between them one may have been quick enough to answer. */
function expectCancelledButTheLast(accepted: readonly { status: string }[], count: number): void {
  expect(accepted).toHaveLength(count);
  expect([accepted.at(0)?.status, accepted.at(-1)?.status]).toEqual(['CANCELLED', 'SUCCEEDED']);
  expect(['CANCELLED', 'SUCCEEDED']).toEqual(expect.arrayContaining(accepted.map(({ status }) => status)));
}

/** Two or more messages at once in one session, sent by turns to both instances; all are accepted or refused once it resolves. */
function meet(sessionId: string, turn: number, ifRunning: readonly Policy[]): Promise<(SendAnswer & { text: string })[]> {
  return Promise.all(
    ifRunning.map(async (policy, index) => {
      const text = `Meet ${turn}.${index}`;
      return { ...(await send(ada[(turn + index) % 2]!, sessionId, text, { ifRunning: policy })), text };
    }),
  );
}

/** Waits until every run of the session has ended. */
async function settle(stream: Subscription, answers: readonly SendAnswer[]): Promise<Map<string, string>> {
  const ids = answers.flatMap(({ run }) => run?.id ?? []);
  return new Map(await Promise.all(ids.map(async (id) => [id, await endOf(stream, id)] as const)));
}

/** A session whose run has said a part of its answer and says no more; `turn` chooses the instance that took it. */
async function hold(turn: number): Promise<{ sessionId: string; held: SendAnswer; stream: Subscription }> {
  const sessionId = await createSession(ada[0], profileId);
  const held = await send(ada[turn % 2]!, sessionId, `Hold ${turn}`);
  const stream = watch(ada[(turn + 1) % 2]!, sessionId, held.cursor);
  await stream.until(({ chatEvents }) => chatEvents.text === `Part of Hold ${turn}`);
  return { sessionId, held, stream };
}

describe('messages that meet in one session, one at each instance', () => {
  it(`wait for each other with ENQUEUE and make one line: ${soak(100)} pairs`, { timeout: soakMs(60_000) }, async () => {
    const sessionId = await createSession(ada[0], profileId);
    const stream = watch(ada[1], sessionId, null);
    await stream.until(({ chatEvents }) => chatEvents.__typename === 'StreamCaughtUp');
    let last: SendAnswer[] = [];
    for (let pair = 0; pair < soak(100); pair++) {
      const answers = await meet(sessionId, pair, ['ENQUEUE', 'ENQUEUE']);
      expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual([]);
      // Every other pair comes while the one before it is still waiting.
      if (pair % 2 === 1) await settle(stream, last);
      last = answers;
    }
    await settle(stream, last);
    const accepted = await acceptedOf(sessionId);
    expect(accepted).toHaveLength(2 * soak(100));
    expect(new Set(accepted.map(({ status }) => status))).toEqual(new Set(['SUCCEEDED']));
    expect(await faultsOf(sessionId)).toEqual([]);
    // Every question stands below the answer before it, from the root: the rows hold nothing else.
    const messages = await query('select message.id, parent_id, text from message join message_block on message_id = message.id where session_id = $1 order by message.id', rowIdOf(sessionId));
    const below = new Map(messages.map((message) => [message.parent_id, message]));
    const line: string[] = [];
    for (let message = below.get(null); message; message = below.get(message.id)) line.push(message.text);
    expect(below.size).toBe(messages.length);
    expect(line).toEqual(accepted.flatMap(({ question }) => [question, `Answer to ${question}`]));
    const seen = eventsOf(stream).filter(({ __typename }) => !['MessageDelta', 'TypingChanged', 'StreamCaughtUp'].includes(__typename));
    expect(seen.map(({ sequence }) => sequence)).toEqual(seen.map((_, index) => index + 1));
    stream.stop();
  });

  it(`are refused but one with REJECT: ${soak(100)} pairs`, { timeout: soakMs(60_000) }, async () => {
    for (let pair = 0; pair < soak(100); pair++) {
      const { sessionId, held, stream } = pair % 2 === 0 ? await hold(pair) : { sessionId: await createSession(ada[0], profileId), held: null, stream: null };
      const answers = await meet(sessionId, pair, ['REJECT', 'REJECT']);
      const accepted = held ?? answers.find(({ run }) => run !== null);
      const refused = answers.filter((each) => each !== accepted);
      expect(refused).toHaveLength(held ? 2 : 1);
      for (const { userErrors } of refused) expect(userErrors).toEqual([{ code: 'RUN_IN_PROGRESS', existing: { id: accepted?.run?.id } }]);
      stream?.stop();
      if (held) continue;
      expect(await finish(ada[0], sessionId, { runId: accepted?.run?.id ?? '', cursor: accepted?.cursor ?? null })).toBe('SUCCEEDED');
      expect(await countsOf(sessionId)).toEqual({ questions: 1, answers: 1, runs: 1 });
    }
  });

  it(`cancel what runs and keep its text with INTERRUPT: ${soak(100)} times two or three`, { timeout: soakMs(60_000) }, async () => {
    for (let turn = 0; turn < soak(100); turn++) {
      const many = 2 + (turn % 2);
      const { sessionId, held, stream } = await hold(turn);
      const answers = await meet(sessionId, turn, Array.from({ length: many }, () => 'INTERRUPT' as const));
      expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual([]);
      await settle(stream, [held, ...answers]);
      const accepted = await acceptedOf(sessionId);
      expectCancelledButTheLast(accepted, many + 1);
      const line = (await branchOf(ada[turn % 2]!, sessionId)).map(({ text, status }) => `${status} ${text}`);
      const question = accepted.at(-1)?.question;
      expect(line.slice(0, 2)).toEqual([`COMPLETE Hold ${turn}`, `CANCELLED Part of Hold ${turn}`]);
      expect(line.slice(-2)).toEqual([`COMPLETE ${question}`, `COMPLETE Answer to ${question}`]);
      expect(await faultsOf(sessionId)).toEqual([]);
      stream.stop();
    }
  });

  it(`delete the messages of what runs or waits with ROLLBACK: ${soak(100)} times two or three`, { timeout: soakMs(60_000) }, async () => {
    for (let turn = 0; turn < soak(100); turn++) {
      const many = 2 + (turn % 2);
      const { sessionId, held, stream } = await hold(turn);
      const answers = await meet(sessionId, turn, Array.from({ length: many }, () => 'ROLLBACK' as const));
      expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual([]);
      await settle(stream, [held, ...answers]);
      const accepted = await acceptedOf(sessionId);
      expectCancelledButTheLast(accepted, many + 1);
      const line = await branchOf(ada[turn % 2]!, sessionId);
      const answered = accepted.filter(({ status }) => status === 'SUCCEEDED').map(({ question }) => question);
      expect(line.map(({ text }) => text)).toEqual(answered.flatMap((question) => [question, `Answer to ${question}`]));
      expect(await countsOf(sessionId)).toEqual({ questions: answered.length, answers: answered.length, runs: many + 1 });
      expect(await faultsOf(sessionId)).toEqual([]);
      // Who watched was told of every message that is gone, and who comes later hears of none but that they are gone.
      const stays = new Set(line.map(({ id }) => id));
      const gone = new Set(eventsOf(stream).flatMap(({ __typename, message }) => (__typename === 'MessageCreated' && message ? [message.id] : [])).filter((id) => !stays.has(id)));
      expect(gone.size).toBeGreaterThanOrEqual(2);
      for (const user of ada) {
        const replay = watch(user, sessionId, held.cursor);
        await replay.until(({ chatEvents }) => chatEvents.__typename === 'StreamCaughtUp');
        const spoken = eventsOf(replay).filter(({ __typename }) => __typename !== 'MessageDeleted').map(({ message, messageId }) => message?.id ?? messageId);
        expect(spoken.filter((id) => id !== undefined && !stays.has(id))).toEqual([]);
        replay.stop();
      }
      const deleted = new Set(eventsOf(stream).flatMap(({ __typename, messageId }) => (__typename === 'MessageDeleted' ? [messageId] : [])));
      expect([...gone].filter((id) => !deleted.has(id))).toEqual([]);
      stream.stop();
    }
  });

  it(`with policies of all kinds leave every session whole: ${soak(100)} meetings`, { timeout: soakMs(60_000) }, async () => {
    const random = seeded(20261125);
    for (let turn = 0; turn < soak(100); turn++) {
      const { sessionId, held, stream } = await hold(turn);
      const mixed = Array.from({ length: 2 + Math.floor(random() * 3) }, () => policies[Math.floor(random() * policies.length)] as Policy);
      const answers = await meet(sessionId, turn, mixed);
      for (const [index, { run, userErrors }] of answers.entries()) {
        if (run === null) expect([mixed[index], userErrors[0]?.code]).toEqual(['REJECT', 'RUN_IN_PROGRESS']);
      }
      // What was held must be cancelled before those that wait for it can go on.
      if (!mixed.includes('INTERRUPT') && !mixed.includes('ROLLBACK')) await cancel(ada[0], held.run?.id ?? '');
      await settle(stream, [held, ...answers]);
      const accepted = await acceptedOf(sessionId);
      // Nothing came after the last one that could have ended it.
      expect(accepted.length === 1 || accepted.at(-1)?.status === 'SUCCEEDED').toBe(true);
      const line = (await branchOf(ada[turn % 2]!, sessionId)).map(({ text }) => text);
      const answered = accepted.filter(({ status }) => status === 'SUCCEEDED').flatMap(({ question }) => [question, `Answer to ${question}`]);
      expect(line.filter((text) => answered.includes(text))).toEqual(answered);
      expect(await faultsOf(sessionId)).toEqual([]);
      stream.stop();
    }
  });
});

describe('a run that another instance works on', () => {
  it.each(['by a message', 'without Redis'] as const)('is cancelled within a moment, %s, and what waits for it goes on', { timeout: 60_000 }, async (how) => {
    if (how === 'without Redis') await cluster.redis.stop();
    try {
      for (const policy of ['cancelRun', 'INTERRUPT', 'ROLLBACK'] as const) {
        const turn = policies.length + 1;
        const { sessionId, held, stream } = await hold(turn);
        const owners = await query('select lease_owner from run where id = $1', rowIdOf(held.run?.id ?? ''));
        const ids = await Promise.all(ada.map(async (user) => (await user.ask('{ status { instanceId } }')).status.instanceId));
        const other = ada[1 - ids.indexOf(owners[0].lease_owner)]!;
        const asked = performance.now();
        const next = policy === 'cancelRun' ? await cancel(other, held.run?.id ?? '') : await send(other, sessionId, 'Hello', { ifRunning: policy });
        expect(next.userErrors).toEqual([]);
        expect(await endOf(stream, held.run?.id ?? '')).toBe('CANCELLED');
        const tookMs = performance.now() - asked;
        if (policy !== 'cancelRun') expect(await endOf(stream, next.run?.id ?? '')).toBe('SUCCEEDED');
        expect(await faultsOf(sessionId)).toEqual([]);
        stream.stop();
        console.info(`${policy} ${how}: cancelled elsewhere after ${Math.round(tookMs)} ms`);
        // Rows are looked at every second, and streams compared with theirs every half.
        expect(tookMs).toBeLessThan(stretched(how === 'without Redis' ? 2_500 : 1_000));
      }
    } finally {
      if (how === 'without Redis') await cluster.redis.start();
    }
  });
});

it('a run that is cancelled after its instance was killed keeps the text that was saved', { timeout: 60_000 }, async () => {
  const doomed = await cluster.start();
  const [stays] = ada;
  const sessionId = await createSession(stays, profileId);
  const held = await send(stays.at(doomed), sessionId, 'Hold on');
  const runId = held.run?.id ?? '';
  await expect.poll(async () => (await query('select text from message_block join message on id = message_id where run_id = $1 and role = $2', rowIdOf(runId), 'ASSISTANT'))[0]?.text, { timeout: 10_000 }).toBe('Part of Hold on');
  await doomed.kill();
  const next = await send(stays, sessionId, 'Hello', { ifRunning: 'INTERRUPT' });
  expect(await finish(stays, sessionId, { runId: next.run?.id ?? '', cursor: next.cursor })).toBe('SUCCEEDED');
  expect((await branchOf(stays, sessionId)).map(({ status, text }) => `${status} ${text}`)).toEqual(['COMPLETE Hold on', 'CANCELLED Part of Hold on', 'COMPLETE Hello', 'COMPLETE Answer to Hello']);
  expect(await faultsOf(sessionId)).toEqual([]);
});

async function cancel(user: TestUser, runId: string): Promise<SendAnswer> {
  return (await user.ask(`mutation ($id: ID!) { cancelRun(input: { runId: $id }) { ${SENT} } }`, { id: runId })).cancelRun;
}

async function modelId(): Promise<string> {
  return (await ada[0].ask('{ models(capability: CHAT) { id } }')).models[0].id;
}
