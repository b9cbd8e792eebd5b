// The agent on PostgreSQL and Redis: what runs ask at one instance is answered at another, and calls of tools, answers and
// changes of tasks have their effects once, whichever instances they meet at.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sendTo } from '../support/answers.ts';
import { attend, createSession } from '../support/chats.ts';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { applied, EVENTS, isEnd } from '../support/strict.ts';
import type { Subscription, TestUser } from '../support/visitor.ts';

const RESUME = 'mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { run { id } userErrors { code message } } }';
const ASSIST = 'mutation ($input: RunTaskAssistantInput!) { runTaskAssistant(input: $input) { run { id session { id } } cursor userErrors { code message } } }';
const CREATE = 'mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } userErrors { code message } } }';
const UPDATE = 'mutation ($id: ID!, $patch: TaskPatch!) { updateTask(input: { id: $id, patch: $patch }) { task { title notes priority updatedAt } userErrors { code message } } }';
const TASKS = '{ tasks(first: 50, orderBy: { field: CREATED_AT, direction: ASC }) { nodes { id title notes priority tags updatedAt } } }';
const CHANGES = 'subscription { taskChanged { kind runId taskId task { title notes priority updatedAt } } }';
const CALLS = 'query ($id: ID!) { node(id: $id) { ... on Run { status outputMessage { text toolCalls { name status result error } } } } }';

let model: ModelServer;
let respond: (call: ModelCall, turn: number) => void;
let turn = 0;
let cluster: Cluster;
/** The same one twice for as long as it is alone. */
let instances: [Instance, Instance];
/** The same person at both. */
let users: [TestUser, TestUser];
beforeAll(async () => {
  model = await startModelServer();
  void attend(model, (call) => respond(call, ++turn));
  cluster = await startCluster({ ...model.env, LOG_LEVEL: 'error', RUN_LEASE_SECONDS: '2' });
  const here = await cluster.start();
  instances = [here, here];
});
beforeEach(async () => {
  turn = 0;
  const ada = await instances[0].signUp('Ada');
  users = [ada, ada.at(instances[1])];
});
afterAll(async () => {
  await cluster?.close();
  await model?.close();
});

const says = (text: string) => (call: ModelCall): void => {
  call.say(text);
  call.end();
};
const tasks = async (user: TestUser) => (await user.ask(TASKS)).tasks.nodes as { id: string; title: string; notes: string | null; priority: string; tags: string[]; updatedAt: string }[];
async function create(user: TestUser, title: string): Promise<string> {
  const { createTask } = await user.ask(CREATE, { input: { title } });
  expect(createTask.userErrors).toEqual([]);
  return createTask.task.id;
}

/** Waits for the question of a run that is followed. */
async function question(stream: Subscription) {
  await stream.until(({ chatEvents }) => chatEvents.runStatus === 'INTERRUPTED');
  return stream.events.find(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')!.chatEvents.interrupt;
}

/** What everybody sees who follows a session from a place, at whichever instance: the same events. */
async function seenByAll(sessionId: string, cursor: string, streams: readonly Subscription[] = users.map((user) => user.subscribe(EVENTS, { s: sessionId, a: cursor }))) {
  const seen = await Promise.all(streams.map(async (stream) => {
    await stream.until(isEnd);
    stream.stop();
    const client = applied(stream.events as never, cursor);
    expect(client.faults).toEqual([]);
    return { ends: client.ends, texts: [...client.texts.values()], events: stream.events.map(({ chatEvents }) => chatEvents) };
  }));
  for (const { ends, texts } of seen) expect({ ends, texts }).toEqual({ ends: seen[0]!.ends, texts: seen[0]!.texts });
  return seen[0]!;
}

describe('on PostgreSQL and Redis', () => {
  it('what was done just before an instance died is not done again, whether a step of the assistant did it or a tool', async () => {
    const [dying, other] = instances;
    if (other !== dying) await other.kill();
    const [ada] = users;
    const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } } }', { input: { name: 'P', systemPrompt: 'Help.', retrieval: { mode: 'OFF' }, toolNames: ['create_task'] } });
    const sessionId = await createSession(ada, createProfile.profile.id);
    const rows = new pg.Client({ connectionString: cluster.databaseUrl });
    await rows.connect();
    try {
      // Once a run has made its task, what it writes of its state waits: the step that did it is never kept.
      await rows.query('select pg_advisory_lock(1)');
      await rows.query(`create function hold() returns trigger language plpgsql as $$ begin
        if exists (select 1 from public.task where last_run_id::text = new.thread_id) then perform pg_advisory_xact_lock_shared(1); end if;
        return new; end $$`);
      for (const table of ['checkpoints', 'checkpoint_blobs', 'checkpoint_writes']) await rows.query(`create trigger hold before insert or update on langgraph.${table} for each row execute function hold()`);
      respond = (call) => {
        const { role, content } = call.body.messages.at(-1)!;
        if (role === 'tool') says('Done.')(call);
        else call.request({ name: 'create_task', arguments: { title: content } });
      };
      const { runTaskAssistant: assisted } = await ada.ask(ASSIST, { input: { text: 'By the assistant', timeZone: 'UTC', idempotencyKey: randomUUID() } });
      const byTool = { sessionId, ...(await sendTo(ada, sessionId, 'By a tool')) };
      // Both have had their effect, and their calls are shown.
      await expect.poll(async () => (await rows.query("select from task join tool_call on tool_call.run_id = task.last_run_id where task.title like 'By %' and tool_call.status = 'SUCCEEDED' and tool_call.message_id is not null")).rowCount).toBe(2);
      await dying.kill();
      // What it has sent before goes with it.
      await rows.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()');
      await rows.query('drop function hold() cascade');
      await rows.query('select pg_advisory_unlock(1)');
      const heir = await cluster.start();
      instances = [heir, heir];
      users = [ada.at(heir), ada.at(heir)];
      for (const { runId, cursor, ...chat } of [{ runId: assisted.run.id, sessionId: assisted.run.session.id, cursor: assisted.cursor }, byTool]) {
        const { ends } = await seenByAll(chat.sessionId, cursor);
        expect(ends).toEqual(['SUCCEEDED']);
        const { node } = await users[0].ask('query ($id: ID!) { node(id: $id) { ... on Run { attempt outputMessage { toolCalls { name status } blocks { __typename } } } } }', { id: runId });
        expect(node).toEqual({ attempt: 2, outputMessage: { toolCalls: [{ name: 'create_task', status: 'SUCCEEDED' }], blocks: [{ __typename: 'ToolCallBlock' }, { __typename: 'TextBlock' }] } });
      }
      expect((await tasks(users[0])).map(({ title }) => title).sort()).toEqual(['By a tool', 'By the assistant']);
      // One question of the assistant's and two of the other: none was asked again.
      expect(turn).toBe(3);
    } finally {
      await rows.end();
    }
  });

  it('a choice that the task assistant asked for at one instance is made at another, which started later', async () => {
    const ids = [await create(users[0], 'Meeting with Bob'), await create(users[0], 'Meeting with Eve')];
    respond = (call) => call.request({ name: 'delete_task', arguments: { task: 'meeting' } });
    const { runTaskAssistant: asked } = await users[0].ask(ASSIST, { input: { text: 'Cancel it.', timeZone: 'UTC', idempotencyKey: randomUUID() } });
    expect(asked.userErrors).toEqual([]);
    const here = users[0].subscribe(EVENTS, { s: asked.run.session.id, a: asked.cursor });
    const interrupt = await question(here);
    expect(interrupt).toMatchObject({ kind: 'CHOICE', prompt: 'Delete which task?' });
    instances[1] = await cluster.start();
    users[1] = users[0].at(instances[1]);
    const { chatSession } = await users[1].ask('query ($id: ID!) { chatSession(id: $id) { pendingInterrupts { id options { value } } } }', { id: asked.run.session.id });
    expect(chatSession.pendingInterrupts).toMatchObject([{ id: interrupt.id, options: interrupt.options.map(({ value }: { value: string }) => ({ value })) }]);
    const { resumeRun } = await users[1].ask(RESUME, { input: { interruptId: interrupt.id, response: ids[1] } });
    expect(resumeRun).toEqual({ run: { id: asked.run.id }, userErrors: [] });
    const { ends, texts } = await seenByAll(asked.run.session.id, asked.cursor, [here, users[1].subscribe(EVENTS, { s: asked.run.session.id, a: asked.cursor })]);
    expect({ ends, texts }).toEqual({ ends: ['SUCCEEDED'], texts: ['I have deleted "Meeting with Eve".'] });
    expect((await tasks(users[1])).map(({ id }) => id)).toEqual([ids[0]]);
    // Asked once: what the model said stands in a checkpoint.
    expect(turn).toBe(1);
  });

  it('a call with an effect that needs approval is made once, of many approvals at both instances', async () => {
    const id = await create(users[0], 'Old one');
    const input = { name: 'P', systemPrompt: 'Help.', retrieval: { mode: 'OFF' }, toolNames: ['create_task', 'delete_task'] };
    const { createProfile } = await users[0].ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input });
    const sessionId = await createSession(users[0], createProfile.profile.id);
    const changes = users.map((user) => user.subscribe(CHANGES));
    // Open at both once each tells of something.
    while (changes.some(({ events }) => events.length === 0)) await users[0].ask('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedId } }', { id: await create(users[0], 'Is it open?') });
    respond = (call, turn) => (turn > 1 ? says('Done.')(call) : call.request({ name: 'create_task', arguments: { title: 'New one' } }, { name: 'delete_task', arguments: { id } }));
    const { runId, cursor } = await sendTo(users[0], sessionId, 'Go.');
    const streams = users.map((user) => user.subscribe(EVENTS, { s: sessionId, a: cursor }));
    const [interrupt, same] = await Promise.all(streams.map(question));
    expect(interrupt).toMatchObject({ kind: 'APPROVAL', toolCall: { name: 'delete_task' }, payload: { name: 'delete_task', arguments: { id } } });
    expect(same).toEqual(interrupt);
    expect((await tasks(users[1])).map(({ title }) => title)).toEqual(['Old one', 'New one']);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => users[index % 2]!.ask(RESUME, { input: { interruptId: interrupt.id, response: { approved: true } } })));
    expect(answers.map(({ resumeRun }) => resumeRun.userErrors[0]?.code ?? 'OK').sort()).toEqual([...Array(19).fill('INTERRUPT_ALREADY_RESOLVED'), 'OK']);
    const { ends, texts, events } = await seenByAll(sessionId, cursor, streams);
    expect({ ends, texts }).toEqual({ ends: ['SUCCEEDED'], texts: ['Done.'] });
    expect(events.flatMap((event) => (event.__typename === 'ToolCallUpdated' ? [`${event.toolCall.name} ${event.toolCallStatus}`] : []))).toEqual([
      'create_task PENDING', 'delete_task PENDING', 'create_task RUNNING', 'create_task SUCCEEDED', 'delete_task AWAITING_APPROVAL', 'delete_task RUNNING', 'delete_task SUCCEEDED',
    ]);
    const { node } = await users[1].ask(CALLS, { id: runId });
    expect(node).toMatchObject({ status: 'SUCCEEDED', outputMessage: { text: 'Done.', toolCalls: [{ status: 'SUCCEEDED', result: { title: 'New one' } }, { status: 'SUCCEEDED', result: { id, title: 'Old one' } }] } });
    expect((await tasks(users[0])).map(({ title }) => title)).toEqual(['New one']);
    expect(turn).toBe(2);
    for (const stream of changes) {
      const { taskChanged } = await stream.until(({ taskChanged: { kind, taskId } }) => kind === 'DELETED' && taskId === id);
      expect(taskChanged.runId).toBe(runId);
      stream.stop();
    }
  });

  it('one key makes one run and one task at both instances, and other words with it are refused', async () => {
    respond = (call) => call.request({ name: 'create_task', arguments: { title: 'Once', tags: ['key'] } });
    const input = { text: 'Remember it.', timeZone: 'UTC', idempotencyKey: randomUUID() };
    const sent = (await Promise.all(Array.from({ length: 20 }, (_, index) => users[index % 2]!.ask(ASSIST, { input })))).map(({ runTaskAssistant }) => runTaskAssistant);
    expect(sent.flatMap(({ userErrors }) => userErrors)).toEqual([]);
    expect(new Set(sent.map(({ run }) => run.id)).size).toBe(1);
    const { ends } = await seenByAll(sent[0].run.session.id, sent[0].cursor);
    expect(ends).toEqual(['SUCCEEDED']);
    expect(await tasks(users[1])).toMatchObject([{ title: 'Once', tags: ['key'] }]);
    expect((await users[1].ask(ASSIST, { input: { ...input, text: 'Something else.' } })).runTaskAssistant).toMatchObject({ run: null, userErrors: [{ code: 'CONFLICT' }] });
    expect(turn).toBe(1);
  });

  it('simultaneous changes of a task by people and by runs at both instances take turns, and none is lost', async () => {
    const id = await create(users[0], 'Shared');
    const priorities = ['LOW', 'HIGH', 'URGENT', 'NORMAL'];
    respond = (call) => call.request({ name: 'update_task', arguments: { task: 'shared', tags: [call.body.messages.at(-1)!.content] } });
    const byRuns = Array.from({ length: 4 }, async (_, index) => {
      const { runTaskAssistant: sent } = await users[index % 2]!.ask(ASSIST, { input: { text: `tag${index}`, timeZone: 'UTC', idempotencyKey: randomUUID() } });
      expect(sent.userErrors).toEqual([]);
      return await seenByAll(sent.run.session.id, sent.cursor);
    });
    const byPeople = Array.from({ length: 20 }, async (_, index) => {
      const { updateTask } = await users[index % 2]!.ask(UPDATE, { id, patch: { notes: `note ${index}`, priority: priorities[index % 4] } });
      expect(updateTask.userErrors).toEqual([]);
      return updateTask.task as { notes: string; priority: string; updatedAt: string };
    });
    for (const { ends } of await Promise.all(byRuns)) expect(ends).toEqual(['SUCCEEDED']);
    const changed = await Promise.all(byPeople);
    // Each change has a time of its own, and is whole.
    expect(new Set(changed.map(({ updatedAt }) => updatedAt)).size).toBe(20);
    const last = changed.reduce((a, b) => (a.updatedAt > b.updatedAt ? a : b));
    const [task] = await tasks(users[1]);
    expect(task).toMatchObject({ title: 'Shared', notes: last.notes, priority: last.priority });
    expect([...task!.tags].sort()).toEqual(['tag0', 'tag1', 'tag2', 'tag3']);
  });
});
