// What Parley adds to a model's own time, for one person on an idle instance: from sending a message until the model is
// asked, and from the model's first word until the person has it. Model and person share this process and its clock; Parley
// runs in a process of its own, on the embedded database, or on PostgreSQL with --postgres.
// `npm run bench:ttft -- [--count 50] [--postgres]`
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openChat, percentile, sendTo } from '../test/support/answers.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../test/support/model-server.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { startProgram } from '../test/support/program.ts';
import { hear, isEnd } from '../test/support/talk.ts';
import { visit, type TestUser } from '../test/support/visitor.ts';

const { values } = parseArgs({ options: { count: { type: 'string', default: '50' }, postgres: { type: 'boolean', default: false } } });
/** Messages before the measured ones: code is compiled and connections are opened by the first. */
const warmUps = 5;

const folder = await mkdtemp(join(tmpdir(), 'parley-ttft-'));
const model = await startModelServer();
const postgres = values.postgres ? await startPostgres() : null;
const program = await startProgram({
  cwd: folder,
  env: {
    PORT: '0',
    SEED: 'off',
    ...(postgres && { DATABASE_URL: await postgres.createDatabase('parley') }),
    ...model.env,
  },
});
const door = visit(program.url);
const measured = { untilAsked: [] as number[], untilHeard: [] as number[] };
try {
  const user = await door.signUp();
  const sessionId = await openChat(user);
  for (let round = 0; round < warmUps + Number(values.count); round++) {
    const { untilAsked, untilHeard } = await talk(user, sessionId, model);
    if (round < warmUps) continue;
    measured.untilAsked.push(untilAsked);
    measured.untilHeard.push(untilHeard);
  }
} finally {
  await door.leave();
  await program.stop();
  await model.close();
  await postgres?.close();
  await rm(folder, { recursive: true });
}
for (const [name, times] of Object.entries({ "sendMessage → the provider's request": measured.untilAsked, "the model's first chunk → the subscriber's first delta": measured.untilHeard })) {
  const [p50, p95, max] = [percentile(times, 50), percentile(times, 95), Math.max(...times)].map((ms) => ms.toFixed(1));
  console.info(`${name}: p50 ${p50}, p95 ${p95}, at most ${max} ms of ${times.length}`);
}

/** One message and its answer, in milliseconds. */
async function talk(user: TestUser, sessionId: string, { call }: ModelServer): Promise<{ untilAsked: number; untilHeard: number }> {
  const stream = hear(user, sessionId, null);
  await stream.until(({ chatEvents }) => chatEvents.__typename === 'StreamCaughtUp');
  const asked = call().then((made): [ModelCall, number] => [made, performance.now()]);
  const sentAt = performance.now();
  await sendTo(user, sessionId, 'Hello');
  const [made, askedAt] = await asked;
  const heard = stream.until(({ chatEvents }) => chatEvents.__typename === 'MessageDelta').then(() => performance.now());
  const saidAt = performance.now();
  made.say('Hello yourself.');
  const heardAt = await heard;
  made.end();
  await stream.until(({ chatEvents }) => isEnd(chatEvents));
  stream.stop();
  return { untilAsked: askedAt - sentAt, untilHeard: heardAt - saidAt };
}
