// Readers that lose their connection at any point, and go on at another instance: exactly where they were.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openChat, percentile, sendTo, speak, spread, storedAnswers } from '../support/answers.ts';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { startProxy, type Proxy } from '../support/proxy.ts';
import { readOverSocket, readOverSse } from '../support/reading.ts';
import { seeded, soak, soakMs, stretched } from '../support/soak.ts';
import { createStrictClient, EVENTS, type StrictClient } from '../support/strict.ts';
import type { TestUser } from '../support/visitor.ts';

const sessionsAtOnce = 2;
const piecesPerAnswer = 40;
const words = ['a word ', 'naïve ', 'ﬁn ', '日本語、', 'ไทย ', '👩‍👩‍👧‍👦 ', '🇩🇪', 'e\u0301', '𝔘𝔫𝔦', '\u202eright\u202c ', '\n\n', '"quoted\\" ', '🙂'];

let model: ModelServer;
let cluster: Cluster;
let proxy: Proxy;
let instances: Instance[];
let ada: TestUser;
/** What the model said to each question. */
const said = new Map<string, string>();

beforeAll(async () => {
  model = await startModelServer();
  void (async () => {
    const random = seeded(7);
    for (;;) void answer(await model.call(), random);
  })();
  cluster = await startCluster({ ...model.env, LOG_LEVEL: 'warn' });
  proxy = await startProxy(cluster.redis.url);
  // One after the other, as the first makes the tables.
  instances = [await cluster.start({ REDIS_URL: proxy.url }), await cluster.start({ REDIS_URL: proxy.url })];
  ada = await (instances[0] as Instance).signUp();
});
afterAll(async () => {
  await cluster?.close();
  await proxy?.close();
  await model?.close();
});

async function answer(call: ModelCall, random: () => number): Promise<void> {
  const pieces = Array.from({ length: piecesPerAnswer }, () => words[Math.floor(random() * words.length)] as string);
  said.set(call.body.messages.at(-1)?.content as string, pieces.join(''));
  await speak(call, pieces, 15);
}

interface Outcome {
  /** Milliseconds from each forced reconnect to its first event. */
  readonly delays: number[];
  /** Reconnects after a piece of text that was not the last. */
  inText: number;
  answers: number;
}

/** Keeps a session busy and reads it, losing the connection `reconnects` times at random points; then reads it to its end. */
async function readWith(name: string, reconnects: number, random: () => number, onSever: () => void): Promise<Outcome> {
  const outcome: Outcome = { delays: [], inText: 0, answers: 0 };
  const sessionId = await openChat(ada);
  const ask = async (): Promise<string> => (await sendTo(ada.at(instances[outcome.answers % 2] as Instance), sessionId, `${name}, question ${++outcome.answers}`)).cursor;
  const isOver = (): boolean => outcome.delays.length === reconnects && client.ends.length === outcome.answers;
  const client = createStrictClient(await ask());
  for (let connection = 0; !isOver(); connection++) {
    const severAfter = connection === reconnects ? Infinity : 1 + Math.floor(random() * 20);
    const begun = performance.now();
    const open = random() < 0.3 ? readOverSse : readOverSocket;
    const reading = await open((instances[connection % 2] as Instance).url, ada.accessToken, EVENTS, { s: sessionId, a: client.cursor });
    for (let count = 1; !isOver(); count++) {
      const result = await reading.next();
      if (count === 1 && connection > 0) outcome.delays.push(performance.now() - begun);
      const event = result?.data?.chatEvents;
      if (!event) throw new Error(`The stream ended: ${JSON.stringify(result)}`);
      client.apply(event);
      if (client.ends.length === outcome.answers && !isOver()) await ask();
      if (count >= severAfter) {
        if (event.__typename === 'MessageDelta') outcome.inText++;
        break;
      }
    }
    onSever();
    await reading.sever();
  }
  await check(client, sessionId, name, outcome.answers);
  return outcome;
}

async function check(client: StrictClient, sessionId: string, name: string, answers: number): Promise<void> {
  expect(client.faults).toEqual([]);
  expect(client.ends).toEqual(Array(answers).fill('SUCCEEDED'));
  expect([...client.texts.values()]).toEqual(Array.from({ length: answers }, (_, index) => said.get(`${name}, question ${index + 1}`)));
  expect(client.texts).toEqual(await storedAnswers(ada, sessionId));
}

it.each([
  [soak(200), 'whatever carries it', (): void => undefined, 20261125],
  [soak(50), 'and Redis is cut off at the same moment', (): void => proxy.cut(), 20261126],
])('a stream goes on exactly at the other instance when its connection is lost at any point, %s times, %s', { timeout: soakMs(60_000) }, async (reconnects, how, onSever, seed) => {
  const random = seeded(seed);
  const outcomes = await Promise.all(
    Array.from({ length: sessionsAtOnce }, (_, index) => readWith(`${how} ${index}`, Math.floor((reconnects + index) / sessionsAtOnce), random, onSever)),
  );
  const delays = outcomes.flatMap((outcome) => outcome.delays);
  const sum = (count: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + count(outcome), 0);
  console.info(`${delays.length} reconnects, ${how}: ${sum(({ inText }) => inText)} in the middle of text, ${sum(({ answers }) => answers)} answers, 0 faults; first event ${spread(delays)}`);
  expect(delays).toHaveLength(reconnects);
  expect(percentile(delays, 95)).toBeLessThanOrEqual(stretched(500));
  expect(Math.max(...delays)).toBeLessThanOrEqual(stretched(2_000));
});
