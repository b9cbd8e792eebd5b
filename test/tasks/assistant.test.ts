// The task assistant through GraphQL: what it understands, asks, does and suggests, without a model and with one that calls
// functions.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { attend, createSession, endOf, send, watch } from '../support/chats.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { createStrictClient, EVENTS, isEnd } from '../support/strict.ts';

const RUN_ASSISTANT = `mutation ($input: RunTaskAssistantInput!) { runTaskAssistant(input: $input) { run { id session { id profile { slug } } } cursor userErrors { code message field } } }`;
const RUN = `query ($id: ID!) { node(id: $id) { ... on Run { status error { code message node } steps { node status } profileVersion { graph { name } }
  outputMessage { text toolCalls { name arguments status result error } } } } }`;
const TASKS = '{ tasks(first: 50, orderBy: { field: CREATED_AT, direction: ASC }) { nodes { id title notes status priority dueAt tags } } }';
const RESUME = 'mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { userErrors { code message } } }';
const timeZone = 'Europe/Berlin';

const start = async (user: TestUser, text: string, more: object = {}) => {
  const { runTaskAssistant } = await user.ask(RUN_ASSISTANT, { input: { text, timeZone, idempotencyKey: randomUUID(), ...more } });
  expect(runTaskAssistant.userErrors).toEqual([]);
  return runTaskAssistant as { run: { id: string; session: { id: string; profile: { slug: string } } }; cursor: string };
};

/** Says something and follows it to its end; `answer` is given to what is asked. */
async function say(user: TestUser, text: string, more: object = {}, answer?: (interrupt: any) => unknown) {
  const { run, cursor } = await start(user, text, more);
  const stream = user.subscribe(EVENTS, { s: run.session.id, a: cursor });
  let asked: any;
  await stream.until((result) => isEnd(result) || result.chatEvents.runStatus === 'INTERRUPTED');
  asked = stream.events.find(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')?.chatEvents.interrupt ?? null;
  if (asked) {
    const { resumeRun } = await user.ask(RESUME, { input: { interruptId: asked.id, response: await answer!(asked) } });
    expect(resumeRun.userErrors).toEqual([]);
    await stream.until(isEnd);
  }
  stream.stop();
  const client = createStrictClient(cursor);
  for (const { chatEvents } of stream.events) client.apply(chatEvents);
  expect(client.faults).toEqual([]);
  const { node } = await user.ask(RUN, { id: run.id });
  return { ...node, text: node.outputMessage.text as string, calls: node.outputMessage.toolCalls, asked, sessionId: run.session.id };
}

const tasksOf = async (user: TestUser) => (await user.ask(TASKS)).tasks.nodes as { id: string; title: string; notes: string | null; status: string; priority: string; dueAt: string | null; tags: string[] }[];
const create = async (user: TestUser, input: object) => (await user.ask('mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } userErrors { message } } }', { input })).createTask.task.id as string;

describe('without a model', () => {
  let parley: TestApp;
  let ada: TestUser;
  beforeAll(async () => {
    parley = await createTestApp();
  });
  beforeEach(async () => {
    ada = await parley.signUp();
  });
  afterAll(() => parley.close());

  it('is a profile of every workspace from the beginning, with which anybody chats as with others', async () => {
    const { profiles, graphTemplates } = await ada.ask('{ profiles(nameContains: "task") { nodes { id slug version { graph { name mermaid } } } } graphTemplates { name mermaid } }');
    expect(profiles.nodes).toMatchObject([{ slug: 'task-assistant', version: { graph: { name: 'TASK_ASSISTANT' } } }]);
    expect(graphTemplates.map(({ name }: { name: string }) => name)).toEqual(['Answer with passages', 'Answer with passages and tools', 'TASK_ASSISTANT']);
    expect(graphTemplates).toContainEqual(profiles.nodes[0].version.graph);
    const sessionId = await createSession(ada, profiles.nodes[0].id);
    const { run, cursor } = await send(ada, sessionId, 'Remind me to water the plants tomorrow');
    const stream = watch(ada, sessionId, cursor);
    expect(await endOf(stream, run?.id ?? '')).toBe('SUCCEEDED');
    stream.stop();
    expect(await tasksOf(ada)).toMatchObject([{ title: 'water the plants' }]);
  });

  it('walks from Parse to Respond, one step each, and makes the task that is meant', async () => {
    const changes = ada.subscribe('subscription { taskChanged { kind runId task { title } } }');
    // Open once it tells of something.
    while (changes.events.length === 0) await ada.ask('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedId } }', { id: await create(ada, { title: 'Is it open?' }) });
    const run = await say(ada, 'remind me to call the dentist on 24 december 2031 at 3pm');
    expect(run).toMatchObject({ status: 'SUCCEEDED', error: null, profileVersion: { graph: { name: 'TASK_ASSISTANT' } } });
    expect(run.steps).toEqual(['parse', 'disambiguate', 'crud', 'suggest', 'respond'].map((node) => ({ node, status: 'SUCCEEDED' })));
    const [task] = await tasksOf(ada);
    expect(task).toMatchObject({ title: 'call the dentist', status: 'OPEN', dueAt: '2031-12-24T14:00:00.000Z' });
    expect(run.calls).toMatchObject([{ name: 'create_task', status: 'SUCCEEDED', arguments: { title: 'call the dentist' }, result: { tasks: [{ id: task!.id, title: 'call the dentist' }], suggestions: [] } }]);
    expect(run.text).toContain('I have added "call the dentist"');
    const { taskChanged } = await changes.until((result) => result.taskChanged.task?.title === 'call the dentist');
    expect(taskChanged).toMatchObject({ kind: 'CREATED', runId: expect.any(String) });
    changes.stop();
  });

  it('finds, changes and deletes the one that matches', async () => {
    await create(ada, { title: 'Call the dentist' });
    await create(ada, { title: 'Buy milk', tags: ['grocery'] });
    const found = await say(ada, 'what is on my grocery list');
    expect(found.calls).toMatchObject([{ name: 'find_tasks', result: { tasks: [{ title: 'Buy milk' }] } }]);
    expect(found.text).toContain('Buy milk');
    const done = await say(ada, 'mark call the dentist as done');
    expect(done.calls).toMatchObject([{ name: 'update_task', status: 'SUCCEEDED' }]);
    expect((await tasksOf(ada)).map(({ title, status }) => [title, status])).toEqual([['Call the dentist', 'DONE'], ['Buy milk', 'OPEN']]);
    const gone = await say(ada, 'delete the task buy milk');
    expect(gone.text).toContain('deleted "Buy milk"');
    expect((await tasksOf(ada)).map(({ title }) => title)).toEqual(['Call the dentist']);
    const none = await say(ada, 'delete the task feed the dragon');
    expect(none).toMatchObject({ status: 'SUCCEEDED', calls: [], text: expect.stringContaining('found no task') });
  });

  it('asks which of several is meant, and does it to that one', async () => {
    const ids = [await create(ada, { title: 'Meeting with Bob' }), await create(ada, { title: 'Meeting with Eve' })];
    const run = await say(ada, 'cancel the meeting', {}, ({ options }) => options.find(({ label }: { label: string }) => label.includes('Eve')).value);
    expect(run.asked).toMatchObject({ kind: 'CHOICE', prompt: 'Delete which task?', options: [{ value: expect.any(String) }, { value: expect.any(String) }, { value: 'none', label: 'None of these' }] });
    expect(run.asked.options.slice(0, 2).map(({ value }: { value: string }) => value).sort()).toEqual([...ids].sort());
    expect((await tasksOf(ada)).map(({ id }) => id)).toEqual([ids[0]]);
    await create(ada, { title: 'Meeting with Eve' });
    const declined = await say(ada, 'cancel the meeting', {}, () => 'none');
    expect(declined).toMatchObject({ status: 'SUCCEEDED', calls: [], text: expect.stringContaining('left everything') });
    expect(await tasksOf(ada)).toHaveLength(2);
  });

  it('does what was answered to what was asked about, whatever has come and gone meanwhile', async () => {
    const remove = async (id: string) => expect((await ada.ask('mutation ($id: ID!) { deleteTask(input: { id: $id }) { userErrors { message } } }', { id })).deleteTask.userErrors).toEqual([]);
    const ids = [await create(ada, { title: 'Meeting with Bob' }), await create(ada, { title: 'Meeting with Eve' })] as const;
    // The other one would be the only match by then.
    const gone = await say(ada, 'cancel the meeting', {}, async () => {
      await remove(ids[0]);
      return ids[0];
    });
    expect(gone).toMatchObject({ status: 'SUCCEEDED', calls: [], text: expect.stringContaining('found no task') });
    expect((await tasksOf(ada)).map(({ id }) => id)).toEqual([ids[1]]);
    const third = await create(ada, { title: 'Meeting with Joe' });
    let fourth = '';
    const all = await say(ada, 'delete all my meetings', {}, async ({ prompt }) => {
      expect(prompt).toBe('Delete 2 tasks?');
      fourth = await create(ada, { title: 'Meeting with Zoe' });
      await remove(third);
      return { approved: true };
    });
    expect(all.text).toContain('deleted "Meeting with Eve"');
    expect((await tasksOf(ada)).map(({ id }) => id)).toEqual([fourth]);
    await create(ada, { title: 'Meeting with Tom', tags: ['work'] });
    const tagged = await say(ada, 'tag the meeting with #home', {}, async ({ options }) => {
      const { value } = options.find(({ label }: { label: string }) => label.includes('Tom'));
      await ada.ask('mutation ($id: ID!) { updateTask(input: { id: $id, patch: { tags: ["work", "urgent"] } }) { userErrors { message } } }', { id: value });
      return value;
    });
    expect(tagged.calls).toMatchObject([{ name: 'update_task', status: 'SUCCEEDED' }]);
    expect((await tasksOf(ada)).find(({ title }) => title.includes('Tom'))?.tags).toEqual(['work', 'urgent', 'home']);
  });

  it('asks before it does something to all of several, and for a title where none was said', async () => {
    await create(ada, { title: 'Meeting with Bob' });
    await create(ada, { title: 'Meeting with Eve' });
    const kept = await say(ada, 'delete all my meetings', {}, () => ({ approved: false }));
    expect(kept.asked).toMatchObject({ kind: 'APPROVAL', prompt: 'Delete 2 tasks?' });
    expect(await tasksOf(ada)).toHaveLength(2);
    const gone = await say(ada, 'delete all my meetings', {}, () => ({ approved: true }));
    expect(gone.text).toContain('deleted 2 tasks');
    expect(await tasksOf(ada)).toEqual([]);
    const named = await say(ada, 'set a reminder for tomorrow', {}, () => 'Water the plants');
    expect(named.asked).toMatchObject({ kind: 'INPUT', prompt: 'What is to be done?' });
    expect(await tasksOf(ada)).toMatchObject([{ title: 'Water the plants', dueAt: expect.any(String) }]);
  });

  it('shows, and does it to, at most twenty at once, and says so', async () => {
    for (let number = 1; number <= 21; number++) await create(ada, { title: `Chore ${number}` });
    const listed = await say(ada, 'show all my tasks');
    expect(listed.text).toContain('There are 21 tasks:');
    expect(listed.text).toContain('These are the first 20 of 21.');
    expect(listed.calls[0].result.tasks).toHaveLength(20);
    const gone = await say(ada, 'delete all my chores', {}, () => ({ approved: true }));
    expect(gone.asked.prompt).toBe('Delete the first 20 of 21 tasks?');
    expect(gone.text).toContain('deleted 20 tasks');
    expect(await tasksOf(ada)).toHaveLength(1);
  });

  it('says what is missing where nothing is to change', async () => {
    await create(ada, { title: 'Dentist' });
    const run = await say(ada, 'reschedule the dentist');
    expect(run).toMatchObject({ status: 'SUCCEEDED', calls: [], text: expect.stringContaining('Say what should change') });
  });

  it('moves a task by so much time from when it is due, also in a dry run', async () => {
    await create(ada, { title: 'Standup', dueAt: '2031-12-24T14:00:00Z' });
    const planned = await say(ada, 'push the standup back by two days', { dryRun: true });
    expect(planned.calls).toMatchObject([{ arguments: { patch: { dueShift: { unit: 'day', amount: 2 } } }, result: { tasks: [{ dueAt: '2031-12-26T14:00:00.000Z' }] } }]);
    expect(await tasksOf(ada)).toMatchObject([{ dueAt: '2031-12-24T14:00:00.000Z' }]);
    await say(ada, 'bring the standup forward by half an hour');
    expect(await tasksOf(ada)).toMatchObject([{ title: 'Standup', dueAt: '2031-12-24T13:30:00.000Z' }]);
  });

  it('changes nothing in a dry run, and says what it would do', async () => {
    await create(ada, { title: 'Buy milk' });
    for (const [text, name] of [['remind me to call mum', 'create_task'], ['mark buy milk as done', 'update_task'], ['delete the task buy milk', 'delete_task']] as const) {
      const run = await say(ada, text, { dryRun: true });
      expect(run).toMatchObject({ status: 'SUCCEEDED', calls: [{ name, status: 'SUCCEEDED', result: { dryRun: true } }], text: expect.stringContaining('Nothing was changed') });
    }
    expect(await tasksOf(ada)).toMatchObject([{ title: 'Buy milk', status: 'OPEN' }]);
  });

  it('asks nothing in a dry run, since nothing is to be decided', async () => {
    await create(ada, { title: 'Meeting with Bob' });
    await create(ada, { title: 'Meeting with Eve' });
    const one = await say(ada, 'cancel the meeting', { dryRun: true });
    expect(one).toMatchObject({ status: 'SUCCEEDED', asked: null, calls: [], text: expect.stringContaining('Nothing was changed; 2 tasks match') });
    const all = await say(ada, 'delete all my meetings', { dryRun: true });
    expect(all).toMatchObject({ status: 'SUCCEEDED', asked: null, text: expect.stringContaining('I would delete 2 tasks') });
    const untitled = await say(ada, 'set a reminder for tomorrow', { dryRun: true });
    expect(untitled).toMatchObject({ status: 'SUCCEEDED', asked: null, calls: [], text: expect.stringContaining('Say what is to be done') });
    expect(await tasksOf(ada)).toHaveLength(2);
  });

  it('suggests the next step, tells of a clash and of what is overdue', async () => {
    await create(ada, { title: 'Old thing', dueAt: '2020-01-01T10:00:00Z' });
    await create(ada, { title: 'Lunch', dueAt: '2031-12-24T12:00:00Z' });
    const clash = await say(ada, 'add a meeting on 24 december 2031 at 1:10 pm');
    expect(clash.calls[0].result.suggestions).toMatchObject([{ kind: 'CLASH', message: expect.stringContaining('Lunch') }, { kind: 'OVERDUE', message: expect.stringContaining('Old thing') }]);
    expect(clash.text).toContain('is due at about the same time');
    const open = await say(ada, 'remind me to call mum');
    expect(open.calls[0].result.suggestions).toContainEqual({ kind: 'NEXT_STEP', message: 'Say when it is due.', taskId: expect.any(String) });
  });

  it('is one run and one task for one key, in one session, and stays in the session that is named', async () => {
    const idempotencyKey = randomUUID();
    const all = await Promise.all(Array.from({ length: 10 }, () => start(ada, 'remind me to call mum', { idempotencyKey })));
    expect(new Set(all.map(({ run }) => run.id)).size).toBe(1);
    expect(new Set(all.map(({ run }) => run.session.id)).size).toBe(1);
    expect(all[0]!.run.session.profile.slug).toBe('task-assistant');
    const stream = ada.subscribe(EVENTS, { s: all[0]!.run.session.id, a: all[0]!.cursor });
    await stream.until(isEnd);
    stream.stop();
    expect(await tasksOf(ada)).toHaveLength(1);
    const { createProfile } = await ada.ask('mutation { createProfile(input: { name: "Other", systemPrompt: "" }) { profile { id } } }');
    const sessionId = await createSession(ada, createProfile.profile.id);
    const run = await say(ada, 'remind me to buy bread', { sessionId });
    expect(run).toMatchObject({ sessionId, profileVersion: { graph: { name: 'TASK_ASSISTANT' } } });
  });

  it("refuses what is wrong, and never touches another's tasks", async () => {
    const refuse = async (user: TestUser, input: object) => (await user.ask(RUN_ASSISTANT, { input: { text: 'remind me to run', timeZone, idempotencyKey: randomUUID(), ...input } })).runTaskAssistant.userErrors;
    expect(await refuse(ada, { timeZone: 'Mars/Base' })).toMatchObject([{ code: 'VALIDATION_FAILED', field: ['timeZone'] }]);
    expect(await refuse(ada, { text: ' ' })).toMatchObject([{ code: 'VALIDATION_FAILED', field: ['text'] }]);
    expect(await refuse(ada, { idempotencyKey: '' })).toMatchObject([{ code: 'VALIDATION_FAILED', field: ['idempotencyKey'] }]);
    const viewer = await parley.signUpInto(ada, 'VIEWER');
    expect(await refuse(viewer, {})).toMatchObject([{ code: 'FORBIDDEN' }]);
    await create(ada, { title: 'Secret meeting' });
    const member = await parley.signUpInto(ada, 'MEMBER');
    const run = await say(member, 'delete the secret meeting');
    expect(run.text).toContain('found no task');
    expect(await tasksOf(ada)).toHaveLength(1);
  });
});

describe('with a model that calls functions', () => {
  let model: ModelServer;
  let parley: TestApp;
  let ada: TestUser;
  let respond: (call: ModelCall, turn: number) => void;
  let calls: ModelCall[] = [];
  beforeAll(async () => {
    model = await startModelServer();
    void attend(model, (call) => {
      calls.push(call);
      respond(call, calls.length);
    });
    parley = await createTestApp(model.env);
  });
  beforeEach(async () => {
    calls = [];
    ada = await parley.signUp();
  });
  afterAll(async () => {
    await parley.close();
    await model.close();
  });
  const calling = (name: string, given: object | string) => (call: ModelCall) => call.request({ name, arguments: given });

  it('round-trips every property of a task', async () => {
    respond = (call) => {
      // Nobody is shown what a model says while it decides.
      call.say('I think aloud.');
      calling('create_task', given)(call);
    };
    const given = { title: 'Ärger 😀 "quoted"', notes: 'Line 1\nLine 2', priority: 'URGENT', due: '2031-03-30T02:30', tags: ['home', 'a b'] };
    const run = await say(ada, 'please');
    expect(run.text).not.toContain('aloud');
    // 02:30 does not exist on that day in Berlin.
    expect(await tasksOf(ada)).toMatchObject([{ title: 'Ärger 😀 "quoted"', notes: 'Line 1\nLine 2', priority: 'URGENT', dueAt: '2031-03-30T01:30:00.000Z', tags: ['home', 'a b'], status: 'OPEN' }]);
    expect(run.calls).toMatchObject([{ name: 'create_task', status: 'SUCCEEDED' }]);
    expect(calls).toHaveLength(1);
    expect(calls[0]!.body.tools!.map(({ function: { name } }) => name)).toEqual(['create_task', 'find_tasks', 'update_task', 'delete_task']);
    expect(calls[0]!.body.tools![0]!.function.parameters).toMatchObject({ required: ['title'], properties: { priority: { enum: ['LOW', 'NORMAL', 'HIGH', 'URGENT'] }, title: { maxLength: 500 } } });
    respond = calling('update_task', { task: 'ärger', newTitle: 'Joy', status: 'IN_PROGRESS', notes: 'New', priority: 'LOW', due: 'friday at 9', tags: ['work'] });
    await say(ada, 'please');
    const [task] = await tasksOf(ada);
    expect(task).toMatchObject({ title: 'Joy', status: 'IN_PROGRESS', notes: 'New', priority: 'LOW', tags: ['home', 'a b', 'work'] });
    expect(new Date(task!.dueAt as string).getTime()).toBeGreaterThan(Date.now());
    respond = calling('find_tasks', { withStatus: 'IN_PROGRESS', tag: 'WORK' });
    expect((await say(ada, 'please')).calls).toMatchObject([{ name: 'find_tasks', result: { tasks: [{ title: 'Joy' }] } }]);
    respond = calling('delete_task', { task: 'joy' });
    await say(ada, 'please');
    expect(await tasksOf(ada)).toEqual([]);
  });

  it.each<[string, string, object | string, RegExp]>([
    ['wrong arguments', 'create_task', { title: 7 }, /do not fit/],
    ['a day that is none', 'create_task', { title: 'x', due: 'when pigs fly' }, /no day or time is meant by "when pigs fly"/],
    ['no JSON', 'create_task', '{', /no JSON object/],
    ['an unknown function', 'launch_rocket', {}, /There is no function "launch_rocket"/],
  ])('%s are told to the model once, and then are a typed error', async (_what, name, given, error) => {
    respond = (call, turn) => (turn === 1 ? calling(name, given)(call) : calling('create_task', { title: 'Right' })(call));
    expect(await say(ada, 'please')).toMatchObject({ status: 'SUCCEEDED' });
    expect(calls[1]!.body.messages.at(-1)).toMatchObject({ role: 'tool', content: expect.stringMatching(error.source.includes('"') ? new RegExp(error.source.replaceAll('"', '\\\\"')) : error) });
    expect((await tasksOf(ada)).map(({ title }) => title)).toEqual(['Right']);
    calls = [];
    respond = calling(name, given);
    expect(await say(ada, 'please')).toMatchObject({ status: 'FAILED', error: { code: 'VALIDATION_FAILED', node: 'parse', message: expect.stringMatching(error) } });
    expect(calls).toHaveLength(2);
    expect(await tasksOf(ada)).toHaveLength(1);
  });

  it('gives a wrong call back with what the model signed it with', async () => {
    const more = { extra_content: { google: { thought_signature: 'signed' } } };
    respond = (call, turn) => call.request({ name: 'create_task', arguments: { title: turn === 1 ? 7 : 'Right' }, more });
    expect(await say(ada, 'please')).toMatchObject({ status: 'SUCCEEDED' });
    expect(calls[1]!.body.messages.flatMap(({ tool_calls: requested = [] }) => requested)).toMatchObject([more]);
  });

  it('keeps tasks in the answers of any profile that names the tools, and asks before it deletes', async () => {
    const input = { name: 'P', systemPrompt: 'Help.', retrieval: { mode: 'OFF' }, toolNames: ['create_task', 'find_tasks', 'update_task', 'delete_task'] };
    const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input });
    const sessionId = await createSession(ada, createProfile.profile.id);
    const lastResult = (call: ModelCall) => JSON.parse(call.body.messages.at(-1)!.content);
    const script: ((call: ModelCall) => void)[] = [
      (call) => call.request({ name: 'create_task', arguments: { title: 'Water plants', due: '2031-01-02T09:00', priority: 'HIGH' } }, { name: 'create_task', arguments: { title: 'x', due: 'never ever' } }),
      (call) => call.request({ name: 'find_tasks', arguments: { task: 'plants' } }),
      (call) => call.request({ name: 'update_task', arguments: { id: lastResult(call).tasks[0].id, status: 'DONE' } }),
      (call) => call.request({ name: 'delete_task', arguments: { id: lastResult(call).id } }, { name: 'delete_task', arguments: { id: 'nonsense' } }),
      (call) => {
        call.say('Done.');
        call.end();
      },
    ];
    respond = (call, turn) => script[turn - 1]!(call);
    const changes = ada.subscribe('subscription { taskChanged { kind runId task { title } } }');
    // Open once it tells of something.
    while (changes.events.length === 0) await ada.ask('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedId } }', { id: await create(ada, { title: 'Is it open?' }) });
    const { sendMessage } = await ada.ask('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id } cursor userErrors { message } } }', { input: { sessionId, text: 'Go.', timeZone, idempotencyKey: randomUUID() } });
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: sendMessage.cursor });
    for (let asked = 1; asked <= 2; asked++) {
      await stream.until(() => stream.events.filter(({ chatEvents }) => chatEvents.runStatus === 'INTERRUPTED').length === asked);
      if (asked === 1) expect(await tasksOf(ada)).toMatchObject([{ title: 'Water plants', status: 'DONE', priority: 'HIGH', dueAt: '2031-01-02T08:00:00.000Z' }]);
      const { interrupt } = stream.events.findLast(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')!.chatEvents;
      expect((await ada.ask(RESUME, { input: { interruptId: interrupt.id, response: { approved: true } } })).resumeRun.userErrors).toEqual([]);
    }
    await stream.until(isEnd);
    stream.stop();
    const { node } = await ada.ask(RUN, { id: sendMessage.run.id });
    expect(node.outputMessage.toolCalls.map(({ name, status }: { name: string; status: string }) => `${name} ${status}`)).toEqual([
      'create_task SUCCEEDED', 'create_task FAILED', 'find_tasks SUCCEEDED', 'update_task SUCCEEDED', 'delete_task SUCCEEDED', 'delete_task FAILED',
    ]);
    expect(await tasksOf(ada)).toEqual([]);
    await changes.until(({ taskChanged: { kind, runId } }) => kind === 'DELETED' && runId === sendMessage.run.id);
    changes.stop();
  });

  it('does nothing when the model calls nothing', async () => {
    respond = (call) => {
      call.say('Hello!');
      call.end();
    };
    expect(await say(ada, 'hello')).toMatchObject({ status: 'SUCCEEDED', calls: [], text: expect.stringContaining('I keep your tasks') });
  });
});
