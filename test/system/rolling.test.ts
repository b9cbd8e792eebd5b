// New versions without anybody noticing: two instances are restarted in turn while people talk.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { createPatientClient } from '../support/patient.ts';
import { freePort } from '../support/postgres.ts';
import { seeded, soak, soakMs } from '../support/soak.ts';
import { openChat } from '../support/answers.ts';

const rounds = soak(20);
const people = 6;

let model: ModelServer;
let cluster: Cluster;
beforeAll(async () => {
  model = await startModelServer();
  // Shorter than some answers take, so that some are handed over.
  cluster = await startCluster({ ...model.env, DRAIN_TIMEOUT_SECONDS: '1', JWT_ACCESS_TOKEN_EXPIRE_HOURS: '24', LOG_LEVEL: 'warn' });
});
afterAll(async () => {
  await cluster?.close();
  await model?.close();
});

const answerTo = (question: string): string[] => Array.from({ length: 40 }, (_, index) => `word ${index} of ${question}, `);

it(`two instances are restarted ${rounds} times while ${people} people talk: nothing fails, is lost, repeated or out of order`, { timeout: soakMs(180_000) }, async () => {
  const random = seeded(20261125);
  void (async () => {
    for (;;) void speak(await model.call(), random() * 60);
  })();
  const ports = [await freePort(), await freePort()];
  const instances: Instance[] = [];
  for (const port of ports) instances.push(await cluster.start({ PORT: String(port) }));
  const urls = instances.map(({ url }) => url);
  const ada = await (instances[0] as Instance).signUp();
  const sessions = await Promise.all(Array.from({ length: people }, () => openChat(ada)));
  const clients = sessions.map((sessionId) => createPatientClient(urls, ada.accessToken, sessionId));
  const asked = sessions.map((): string[] => []);
  let isOver = false;
  const talking = clients.map(async (client, index) => {
    const own = asked[index] as string[];
    while (!isOver) {
      const question = `question ${own.length} of ${index}`;
      own.push(question);
      expect(await client.converse(question)).toBe(answerTo(question).join(''));
    }
  });
  // A failure ends the restarts, too.
  const failed = Promise.all(talking).then(() => 'over');

  let slowestStop = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [index, port] of ports.entries()) {
      const stopping = performance.now();
      process.kill((instances[index] as Instance).pid, 'SIGTERM');
      expect(await Promise.race([failed, (instances[index] as Instance).ending])).toMatchObject({ code: 0 });
      slowestStop = Math.max(slowestStop, performance.now() - stopping);
      instances[index] = await cluster.start({ PORT: String(port) });
    }
  }
  isOver = true;
  await failed;

  const total = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
  const reasons = new Map<string, number>();
  for (const { retries } of clients) for (const [reason, count] of retries) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  const takeovers = total(clients.map((client) => client.takeovers));
  console.info(`${rounds * 2} restarts, ${total(asked.map(({ length }) => length))} messages, 0 failed; tried again: ${[...reasons].map(([reason, count]) => `${count} × ${reason}`).join(', ')}; ${takeovers} answers handed over; the slowest stop ${(slowestStop / 1000).toFixed(1)} s`);
  expect(clients.flatMap(({ faults }) => faults)).toEqual([]);
  for (const [index, sessionId] of sessions.entries()) {
    const own = asked[index] as string[];
    const { messages, runs } = (await ada.at(instances[0] as Instance).ask(CHAT, { id: sessionId })).chatSession;
    expect(messages.totalCount).toBe(2 * own.length);
    expect(runs.totalCount).toBe(own.length);
    const last = own.slice(-40);
    expect(messages.nodes.map(({ text }: { text: string }) => text)).toEqual(last.flatMap((question) => [question, answerTo(question).join('')]));
  }
  // The test has seen what it is about.
  expect(total([...reasons.values()])).toBeGreaterThan(0);
  expect(takeovers).toBeGreaterThan(0);
  for (const instance of instances) expect((await instance.stop()).code).toBe(0);
});

const CHAT = 'query ($id: ID!) { chatSession(id: $id) { messages(last: 80) { totalCount nodes { text } } runs { totalCount } } }';

/** Answers a question word by word, until the caller has gone. */
async function speak(call: ModelCall, pauseMs: number): Promise<void> {
  let gone = false;
  void call.abandoned.then(() => (gone = true));
  for (const piece of answerTo(call.body.messages.at(-1)?.content ?? '')) {
    if (gone) return;
    call.say(piece);
    await sleep(pauseMs);
  }
  call.end();
}
