// What a run asked is answered after the process that asked was killed: on the embedded database by the next process, in a
// cluster by any instance; of many answers at the same time one counts, and what follows from it happens once.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster } from '../support/cluster.ts';
import { startProgram, type Program } from '../support/program.ts';
import { applied, EVENTS, isEnd } from '../support/strict.ts';
import { visit, type TestUser } from '../support/visitor.ts';

const RESUME = 'mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { userErrors { code message } } }';

/** A question that the task assistant asks, since two tasks match. */
async function asked(user: TestUser) {
  for (const title of ['Meeting with Bob', 'Meeting with Eve']) await user.ask('mutation ($title: String!) { createTask(input: { title: $title }) { userErrors { message } } }', { title });
  const { runTaskAssistant } = await user.ask('mutation ($input: RunTaskAssistantInput!) { runTaskAssistant(input: $input) { run { id session { id } } cursor userErrors { message } } }', {
    input: { text: 'cancel the meeting', timeZone: 'UTC', idempotencyKey: randomUUID() },
  });
  expect(runTaskAssistant.userErrors).toEqual([]);
  const { run, cursor } = runTaskAssistant;
  const stream = user.subscribe(EVENTS, { s: run.session.id, a: cursor });
  await stream.until(({ chatEvents }) => chatEvents.runStatus === 'INTERRUPTED');
  const { interrupt } = stream.events.find(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')!.chatEvents;
  return { runId: run.id, sessionId: run.session.id, cursor, interrupt };
}

/** Follows the run from its beginning to its end, as somebody who was away all the time. */
async function followed(user: TestUser, { sessionId, cursor }: { sessionId: string; cursor: string }) {
  const stream = user.subscribe(EVENTS, { s: sessionId, a: cursor });
  await stream.until(isEnd);
  stream.stop();
  const client = applied(stream.events as never, cursor);
  expect(client.faults).toEqual([]);
  return { client, events: stream.events.map(({ chatEvents }) => chatEvents) };
}

const titles = async (user: TestUser) => (await user.ask('{ tasks(first: 10) { nodes { title } } }')).tasks.nodes.map(({ title }: { title: string }) => title).sort();

describe('on the embedded database', () => {
  let folder: string;
  let program: Program;
  const start = (env: Record<string, string> = {}) => startProgram({ cwd: folder, env: { PORT: '0', NODE_ENV: 'test', DATA_DIR: join(folder, 'data'), SEED: '0', RUN_LEASE_SECONDS: '5', ...env } });
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-interrupts-'));
    program = await start();
  });
  afterAll(async () => {
    await program?.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('an answer after a SIGKILL and a new start is taken, and the run goes on where it stood', async () => {
    const ada = await visit(program.url).signUp();
    const question = await asked(ada);
    await program.stop('SIGKILL');
    program = await start();
    const again = ada.at(visit(program.url));
    const { chatSession } = await again.ask('query ($id: ID!) { chatSession(id: $id) { pendingInterrupts { id prompt options { label value } } activeRun { status } } }', { id: question.sessionId });
    expect(chatSession).toMatchObject({ activeRun: { status: 'INTERRUPTED' }, pendingInterrupts: [{ id: question.interrupt.id, options: question.interrupt.options }] });
    const { value } = question.interrupt.options.find(({ label }: { label: string }) => label.includes('Bob'));
    expect((await again.ask(RESUME, { input: { interruptId: question.interrupt.id, response: value } })).resumeRun.userErrors).toEqual([]);
    const { client, events } = await followed(again, question);
    expect(client.ends).toEqual(['SUCCEEDED']);
    expect(events.map(({ __typename: type }) => type)).not.toContain('MessageTruncated');
    expect([...client.texts.values()]).toEqual(['I have deleted "Meeting with Bob".']);
    expect(await titles(again)).toEqual(['Meeting with Eve']);
  });

  it('a question that nobody answers in time ends its run, which frees the chat', async () => {
    await program.stop('SIGTERM');
    program = await start({ INTERRUPT_TTL_SECONDS: '1' });
    const ada = await visit(program.url).signUp();
    const question = await asked(ada);
    const { client, events } = await followed(ada, question);
    expect(client.ends).toEqual(['TIMED_OUT']);
    expect(events.filter(({ __typename: type }) => type === 'InterruptResolved')).toMatchObject([{ interruptId: question.interrupt.id, resolvedBy: null }]);
    const { resumeRun } = await ada.ask(RESUME, { input: { interruptId: question.interrupt.id, response: question.interrupt.options[0].value } });
    expect(resumeRun.userErrors).toMatchObject([{ code: 'INTERRUPT_ALREADY_RESOLVED' }]);
    expect(await titles(ada)).toEqual(['Meeting with Bob', 'Meeting with Eve']);
    const { chatSession } = await ada.ask('query ($id: ID!) { chatSession(id: $id) { activeRun { id } pendingInterrupts { id } } }', { id: question.sessionId });
    expect(chatSession).toEqual({ activeRun: null, pendingInterrupts: [] });
  });
});

describe('in a cluster', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ RUN_LEASE_SECONDS: '2' });
  });
  afterAll(() => cluster?.close());

  it('of fifty answers at two instances one counts, after the instance that asked was killed', async () => {
    const asking = await cluster.start();
    const ada = await asking.signUp();
    const question = await asked(ada);
    await asking.kill();
    const instances = [await cluster.start(), await cluster.start()];
    const users = instances.map((instance) => ada.at(instance));
    const [first, second] = question.interrupt.options.map(({ value }: { value: string }) => value);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => users[index % 2]!.ask(RESUME, { input: { interruptId: question.interrupt.id, response: index % 3 === 0 ? first : second } })));
    const codes = answers.map(({ resumeRun }) => resumeRun.userErrors[0]?.code ?? 'OK').sort();
    expect(codes).toEqual([...Array(49).fill('INTERRUPT_ALREADY_RESOLVED'), 'OK']);
    for (const user of users) expect((await followed(user, question)).client.ends).toEqual(['SUCCEEDED']);
    expect(await titles(users[0]!)).toHaveLength(1);
  });
});
