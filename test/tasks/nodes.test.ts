// The task assistant's steps one by one, where a whole run does not come: what they refuse, what is gone by then, and what is near.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authenticate } from '../../src/accounts/service.ts';
import { createContext, transactional, type Context, type Viewer } from '../../src/context.ts';
import type { RunScope } from '../../src/graph/scope.ts';
import { taskCrudNode } from '../../src/tasks/crud-node.ts';
import { taskDisambiguateNode } from '../../src/tasks/disambiguate-node.ts';
import { anyTask, summaryOf, type TaskOutcome, type TaskRequest } from '../../src/tasks/request.ts';
import { createTask, deleteTask, tasksById, updateTask, type NewTask } from '../../src/tasks/service.ts';
import { taskSuggestNode } from '../../src/tasks/suggest-node.ts';
import { findTasks } from '../../src/tasks/tools.ts';
import { openScope, type TestScope } from '../graph/support.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';

let parley: TestApp;
let owner: TestUser;
let ctx: Context;
beforeAll(async () => {
  parley = await createTestApp();
});
beforeEach(async () => {
  owner = await parley.signUp('Ada');
  ctx = await contextOf(owner);
});
afterAll(() => parley.close());

async function contextOf(user: TestUser): Promise<Context> {
  return createContext(parley.app, { viewer: await authenticate(parley.app, user.accessToken) });
}

/** A run on somebody's behalf. */
function scopeOf(ctx: Context, dryRun = false): TestScope {
  const once: RunScope['once'] = (_call, effect) => transactional(ctx, effect);
  return Object.assign(openScope(crypto.randomUUID()), { ctx, once, settings: { timeZone: 'UTC', dryRun } as RunScope['settings'] });
}
const request = (operation: TaskRequest['operation'], wanted: TaskRequest['wanted'] = {}): TaskRequest => ({ operation, confidence: 1, wanted, match: anyTask });
const outcome = (state: TaskOutcome['state'], ...tasks: TaskOutcome['tasks']): TaskOutcome => ({ state, tasks, total: tasks.length, callId: null });
const add = async (input: NewTask, of = ctx) => summaryOf(await createTask(of, input));

describe('CRUD', () => {
  it('does nothing unless it is READY', async () => {
    const task = await add({ title: 'Stays' });
    for (const state of ['ASKING', 'NOT_FOUND', 'SEVERAL', 'DECLINED', 'UNCLEAR'] as const) {
      const scope = scopeOf(ctx);
      expect(await taskCrudNode.process({ request: request('delete'), outcome: outcome(state, task) }, {}, scope)).toEqual({ outcome: outcome(state, task) });
      expect(scope.parts).toEqual([]);
    }
    expect(await tasksById(ctx, [task.id])).toHaveLength(1);
  });

  it('does all of it or nothing, and says so, where a task is gone by then', async () => {
    const [stays, goes] = [await add({ title: 'Stays' }), await add({ title: 'Goes' })];
    await deleteTask(ctx, goes.id);
    const scope = scopeOf(ctx);
    expect(await taskCrudNode.process({ request: request('delete'), outcome: outcome('READY', stays, goes) }, {}, scope)).toMatchObject({ outcome: { state: 'NOT_FOUND' } });
    expect(scope.parts).toMatchObject([{ type: 'toolCall', status: 'RUNNING' }, { type: 'toolCall', status: 'FAILED', error: expect.stringContaining('No Task') }]);
    expect(await tasksById(ctx, [stays.id])).toHaveLength(1);
  });

  it('fails the run with what a task cannot be', async () => {
    await expect(taskCrudNode.process({ request: request('create', { title: ' ' }), outcome: outcome('READY') }, {}, scopeOf(ctx))).rejects.toThrow('The title is empty.');
  });

  it('changes nothing in a dry run, whatever is to be done', async () => {
    const task = await add({ title: 'Stays', tags: ['a'] });
    const planned = async (operation: TaskRequest['operation'], wanted: TaskRequest['wanted'] = {}) => (await taskCrudNode.process({ request: request(operation, wanted), outcome: outcome('READY', ...(operation === 'create' ? [] : [task])) }, {}, scopeOf(ctx, true))).outcome;
    expect(await planned('create', { title: 'New' })).toMatchObject({ state: 'DONE', tasks: [{ id: '', title: 'New', status: 'OPEN', priority: 'NORMAL' }] });
    expect(await planned('update', { title: 'Changed', tags: ['b', 'a'] })).toMatchObject({ state: 'DONE', tasks: [{ id: task.id, title: 'Changed', tags: ['a', 'b'] }] });
    expect(await planned('delete')).toMatchObject({ state: 'DONE', tasks: [task] });
    expect((await tasksById(ctx, [task.id])).map(summaryOf)).toEqual([task]);
  });
});

it('who may not keep tasks has none found, changed or suggested', async () => {
  const task = await add({ title: 'Mine', dueAt: '2020-01-01T00:00:00Z' });
  const without: Context = { ...ctx, viewer: { ...(ctx.viewer as Viewer), permissions: new Set(['CHAT'] as const) } };
  await expect(taskDisambiguateNode.process({ request: request('query') }, {}, scopeOf(without))).rejects.toThrow('TASK');
  await expect(taskCrudNode.process({ request: request('delete'), outcome: outcome('READY', task) }, {}, scopeOf(without))).rejects.toThrow('TASK');
  await expect(taskSuggestNode.process({ request: request('query'), outcome: outcome('DONE') }, {}, scopeOf(without))).rejects.toThrow('TASK');
  expect(await tasksById(ctx, [task.id])).toHaveLength(1);
});

it('a model is shown at most fifty tasks at once, and told how many there are', async () => {
  for (let number = 1; number <= 51; number++) await createTask(ctx, { title: `Task ${number}` });
  const run = scopeOf(ctx);
  const found = await findTasks.execute({ overdue: false }, { ctx, run, signal: run.signal, cite: () => [], afterCommit: () => undefined });
  expect(found).toMatchObject({ total: 51, tasks: expect.objectContaining({ length: 50 }) });
});

describe('Suggest', () => {
  const suggested = async (operation: TaskRequest['operation'], ...tasks: TaskOutcome['tasks']) =>
    (await taskSuggestNode.process({ request: request(operation, { dueAt: tasks[0]?.dueAt ?? undefined }), outcome: outcome('DONE', ...tasks) }, {}, scopeOf(ctx))).suggestions.map(({ kind, message }) => `${kind} ${message}`);

  it('tells of what is less than half an hour away, and of nothing else', async () => {
    const at = (time: string) => `2031-05-01T${time}:00Z`;
    for (const [title, time] of [['Just before', '11:31'], ['Just after', '12:29'], ['Half an hour before', '11:30'], ['Half an hour after', '12:30']] as const) await add({ title, dueAt: at(time) });
    const finished = await add({ title: 'Finished', dueAt: at('12:00') });
    await updateTask(ctx, finished.id, { status: 'DONE' });
    await add({ title: "Somebody else's", dueAt: at('12:00') }, await contextOf(await parley.signUpInto(owner, 'MEMBER')));
    const clashes = ['CLASH "Just before" is due at about the same time.', 'CLASH "Just after" is due at about the same time.'];
    const task = await add({ title: 'This', dueAt: at('12:00') });
    expect(await suggested('create', task)).toEqual(clashes);
    expect(await suggested('update', task)).toEqual(clashes);
    expect(await suggested('delete', task)).toEqual([]);
  });

  it('tells of what is overdue, beside what was spoken of', async () => {
    const [first, second, third] = [await add({ title: 'First', dueAt: '2020-01-01T00:00:00Z' }), await add({ title: 'Second', dueAt: '2020-01-02T00:00:00Z' }), await add({ title: 'Third', dueAt: '2020-01-03T00:00:00Z' })];
    await updateTask(ctx, third.id, { status: 'CANCELLED' });
    expect(await suggested('delete', third)).toEqual(['OVERDUE 2 tasks are overdue, "First" for the longest time.']);
    expect(await suggested('delete', first)).toEqual(['OVERDUE "Second" is overdue.']);
    expect(await suggested('delete', first, second)).toEqual([]);
  });

  it('suggests nothing where nothing was done', async () => {
    await add({ title: 'Late', dueAt: '2020-01-01T00:00:00Z' });
    expect((await taskSuggestNode.process({ request: request('delete'), outcome: outcome('DECLINED') }, {}, scopeOf(ctx))).suggestions).toEqual([]);
  });
});
