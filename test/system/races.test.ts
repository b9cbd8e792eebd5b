// Cancel against finish: whoever comes first, a run ends once, and everybody is told the same.
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { attend, createProfile, createSession, endOf, eventsOf, isEndOf, rowIdOf, send, SENT, watch } from '../support/chats.ts';
import { startCluster, type Cluster } from '../support/cluster.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { openPool } from '../support/postgres.ts';
import { seeded, soak, soakMs } from '../support/soak.ts';
import type { TestUser } from '../support/visitor.ts';

let model: ModelServer;
/** Who gets the calls of the model. */
let onCall: (call: ModelCall) => void = () => undefined;
let cluster: Cluster;
let rows: pg.Pool;
beforeAll(async () => {
  model = await startModelServer();
  void attend(model, (call) => onCall(call));
  cluster = await startCluster({ ...model.env, LOG_LEVEL: 'warn' });
  rows = openPool(cluster.databaseUrl);
});
afterAll(async () => {
  await rows?.end();
  await cluster?.close();
  await model?.close();
});

it(`a run that is cancelled at one instance while it ends at the other has one end, and all agree on which: ${soak(200)} races`, { timeout: soakMs(90_000) }, async () => {
  const random = seeded(20261126);
  const first = await cluster.start();
  const second = await cluster.start();
  const user = await first.signUp();
  const ada: [TestUser, TestUser] = [user, user.at(second)];
  const profileId = await createProfile(user);
  /** Milliseconds after the model's end at which cancelling comes about as often too late as in time, as far as is known. */
  let aimMs = 20;
  const outcomes: Record<string, number> = { CANCELLED: 0, SUCCEEDED: 0 };
  for (let race = 0; race < soak(200); race++) {
    const [at, elsewhere] = race % 2 === 0 ? ada : [ada[1], ada[0]];
    const sessionId = await createSession(at, profileId);
    const called = new Promise<ModelCall>((resolve) => (onCall = resolve));
    const sent = await send(at, sessionId, `Race ${race}`);
    const runId = sent.run?.id ?? '';
    const streams = ada.map((each) => watch(each, sessionId, sent.cursor));
    const call = await called;
    call.say('All of it.');
    await Promise.all(streams.map((stream) => stream.until(({ chatEvents }) => chatEvents.text === 'All of it.')));
    const offsetMs = Math.round(aimMs + (random() - 0.5) * 60);
    const ends = async (): Promise<void> => {
      await sleep(Math.max(0, -offsetMs));
      call.end();
    };
    const cancels = async (): Promise<{ run: { id: string } | null; userErrors: { code: string }[] }> => {
      await sleep(Math.max(0, offsetMs));
      return (await elsewhere.ask(`mutation ($id: ID!) { cancelRun(input: { runId: $id }) { ${SENT} } }`, { id: runId })).cancelRun;
    };
    const [cancelled] = await Promise.all([cancels(), ends()]);
    const [outcome, alike] = await Promise.all(streams.map((stream) => endOf(stream, runId)));
    outcomes[outcome as string]!++;
    aimMs += outcome === 'CANCELLED' ? 10 : -10;
    expect(alike).toBe(outcome);
    expect(cancelled).toMatchObject(outcome === 'CANCELLED' ? { run: { id: runId }, userErrors: [] } : { run: null, userErrors: [{ code: 'RUN_NOT_ACTIVE' }] });
    // A second asking finds the run over, whatever the first did; whatever was still on its way has come by then.
    expect((await cancels()).userErrors).toMatchObject([{ code: 'RUN_NOT_ACTIVE' }]);
    const { rows: [run] } = await rows.query('select run.status, message.status as message, text from run join message on message.id = output_message_id join message_block on message_id = message.id where run.id = $1', [rowIdOf(runId)]);
    expect(run).toEqual({ status: outcome, message: outcome === 'CANCELLED' ? 'CANCELLED' : 'COMPLETE', text: 'All of it.' });
    const { rows: log } = await rows.query('select type, payload from chat_event where session_id = $1 order by sequence', [rowIdOf(sessionId)]);
    const finals = log.filter(({ payload }) => ['SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(payload.runStatus));
    expect(finals).toHaveLength(1);
    expect(log.indexOf(finals[0])).toBe(log.length - 1);
    for (const stream of streams) {
      const events = eventsOf(stream).filter(({ __typename }) => __typename !== 'TypingChanged');
      expect(events.filter((event) => isEndOf(null, event))).toHaveLength(1);
      expect(isEndOf(runId, events.at(-1)!)).toBe(true);
      stream.stop();
    }
  }
  console.info(`${soak(200)} races: ${JSON.stringify(outcomes)}`);
  // Both sides won some.
  expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(0);
});
