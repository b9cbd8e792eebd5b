// Tasks: whose they are, how they are made, changed, found and deleted, and how their changes are heard of.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { authenticate } from '../src/accounts/service.ts';
import { encodeId } from '../src/builder.ts';
import { createContext, transactional, type App, type Context, type Viewer } from '../src/context.ts';
import { announceTask } from '../src/tasks/changes.ts';
import { newTask, taskPatch } from '../src/tasks/fields.ts';
import { changeTask, insertTask, removeTask, type Changed } from '../src/tasks/service.ts';
import { createTestApp, type Subscription, type TestApp, type TestUser } from './support/app.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { startProxy, type Proxy } from './support/proxy.ts';
import { startRedis, type TestRedis } from './support/redis.ts';

// biome-ignore lint: answers are read by the test that wrote the query.
type Data = any;

const TASK = 'id owner { id } title notes status priority dueAt tags createdAt updatedAt completedAt';
const ERRORS = `userErrors { __typename code message field ... on ValidationError { constraint } ... on ConflictError { existing { id } }
  ... on NotFoundError { typeName nodeId } ... on ForbiddenError { requiredPermission } }`;
const CREATE = `mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { ${TASK} } ${ERRORS} } }`;
const UPDATE = `mutation ($id: ID!, $patch: TaskPatch!) { updateTask(input: { id: $id, patch: $patch }) { task { ${TASK} } ${ERRORS} } }`;
const DELETE = `mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedId ${ERRORS} } }`;
const READ = `query ($id: ID!) { task(id: $id) { ${TASK} } }`;
const LIST = `query ($first: Int, $after: String, $filterBy: TaskFilter, $orderBy: TaskOrder) {
  tasks(first: $first, after: $after, filterBy: $filterBy, orderBy: $orderBy) { totalCount pageInfo { hasNextPage endCursor } nodes { ${TASK} } } }`;
const CHANGES = 'subscription { taskChanged { kind taskId runId task { title status } } }';

let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  parley = await createTestApp();
  ada = await parley.signUp('Ada');
});
afterAll(() => parley.close());

async function create(user: TestUser, input: object): Promise<Data> {
  const { createTask } = await user.ask(CREATE, { input });
  expect(createTask.userErrors).toEqual([]);
  return createTask.task;
}

async function update(user: TestUser, id: string, patch: object): Promise<Data> {
  return (await user.ask(UPDATE, { id, patch })).updateTask;
}

async function titles(user: TestUser, variables: object = {}): Promise<string[]> {
  return (await user.ask(LIST, variables)).tasks.nodes.map((task: Data) => task.title);
}

describe('a task', () => {
  it('has what it was made of, and defaults for the rest', async () => {
    const bare = await create(ada, { title: '  Call the dentist ' });
    expect(bare).toMatchObject({ owner: { id: ada.id }, title: 'Call the dentist', notes: null, status: 'OPEN', priority: 'NORMAL', dueAt: null, tags: [], completedAt: null });
    const full = await create(ada, { title: 'Bake', notes: 'Rye', priority: 'HIGH', dueAt: '2026-12-24T19:00:00+01:00', tags: ['home', ' bread ', 'home'] });
    expect(full).toMatchObject({ notes: 'Rye', priority: 'HIGH', dueAt: '2026-12-24T18:00:00.000Z', tags: ['home', 'bread'] });
    for (const task of [bare, full]) {
      expect((await ada.ask(READ, { id: task.id })).task).toEqual(task);
      expect((await ada.ask('query ($id: ID!) { node(id: $id) { ... on Task { title } } }', { id: task.id })).node).toEqual({ title: task.title });
    }
  });

  it('keeps what a patch leaves out, and loses what it sets to null', async () => {
    const task = await create(ada, { title: 'Bake', notes: 'Rye', priority: 'HIGH', dueAt: '2026-12-24T18:00:00Z', tags: ['home'] });
    const renamed = await update(ada, task.id, { title: 'Bake bread' });
    expect(renamed.task).toEqual({ ...task, title: 'Bake bread', updatedAt: renamed.task.updatedAt });
    expect(Date.parse(renamed.task.updatedAt)).toBeGreaterThan(Date.parse(task.updatedAt));
    expect((await update(ada, task.id, { notes: null, dueAt: null, tags: null })).task).toMatchObject({ title: 'Bake bread', priority: 'HIGH', notes: null, dueAt: null, tags: [] });
    expect((await update(ada, task.id, { notes: 'Spelt', dueAt: '2026-12-31T12:00:00Z', tags: ['a', 'b'], priority: 'LOW', status: 'IN_PROGRESS' })).task).toMatchObject({
      notes: 'Spelt', dueAt: '2026-12-31T12:00:00.000Z', tags: ['a', 'b'], priority: 'LOW', status: 'IN_PROGRESS',
    });
  });

  it.each(['title', 'status', 'priority'])('is never without its %s', async (name) => {
    const task = await create(ada, { title: 'Bake' });
    const { task: changed, userErrors } = await update(ada, task.id, { [name]: null, notes: 'not stored' });
    expect(changed).toBeNull();
    expect(userErrors).toMatchObject([{ __typename: 'ValidationError', code: 'VALIDATION_FAILED', field: ['patch', name], message: expect.stringContaining('leave it out') }]);
    expect((await ada.ask(READ, { id: task.id })).task).toEqual(task);
  });

  it('is completed when it becomes DONE, and no longer when it is taken up again', async () => {
    const task = await create(ada, { title: 'Bake' });
    const done = (await update(ada, task.id, { status: 'DONE' })).task;
    expect(done.completedAt).toBe(done.updatedAt);
    const renamed = (await update(ada, task.id, { status: 'DONE', title: 'Bake bread' })).task;
    expect(renamed).toMatchObject({ status: 'DONE', completedAt: done.completedAt });
    for (const status of ['IN_PROGRESS', 'OPEN', 'CANCELLED']) expect((await update(ada, task.id, { status })).task).toMatchObject({ status, completedAt: null });
    expect(Date.parse((await update(ada, task.id, { status: 'DONE' })).task.completedAt)).toBeGreaterThan(Date.parse(done.completedAt));
  });

  it('does not change with a patch that says what it is already', async () => {
    const task = await create(ada, { title: 'Bake', dueAt: '2026-12-24T18:00:00Z', tags: ['home'] });
    expect(await update(ada, task.id, { title: ' Bake', notes: null, dueAt: '2026-12-24T19:00:00+01:00', tags: ['home', 'home'], status: 'OPEN' })).toEqual({ task, userErrors: [] });
    expect((await update(ada, task.id, {})).task).toEqual(task);
  });

  it('takes simultaneous changes one after the other, and each moves its time on', async () => {
    const { id } = await create(ada, { title: 'Bake' });
    const patches = [{ notes: 'Rye' }, { priority: 'URGENT' }, { dueAt: '2026-12-24T18:00:00Z' }, { tags: ['home'] }, { status: 'DONE' }, ...Array.from({ length: 20 }, (_, index) => ({ title: `Bake ${index}` }))];
    const changed = await Promise.all(patches.map(async (patch) => (await update(ada, id, patch)).task));
    expect(new Set(changed.map((task) => task.updatedAt)).size).toBe(patches.length);
    const { task } = await ada.ask(READ, { id });
    expect(task).toMatchObject({ notes: 'Rye', priority: 'URGENT', dueAt: '2026-12-24T18:00:00.000Z', tags: ['home'], status: 'DONE', title: expect.stringMatching(/^Bake \d+$/) });
    expect(task.updatedAt).toBe(changed.map((each) => each.updatedAt).sort().at(-1));
  });

  it('moves its time on, also when it was changed last by an instance whose clock is fast', async () => {
    const { id } = await create(ada, { title: 'Bake' });
    await parley.app.database.fork().getConnection().execute(`update task set updated_at = '2999-01-01T00:00:00Z' where id = '${rowIdOf(id)}'`);
    expect((await update(ada, id, { title: 'Bake bread' })).task.updatedAt).toBe('2999-01-01T00:00:00.001Z');
  });

  it('that is deleted is gone', async () => {
    const { id } = await create(ada, { title: 'Bake' });
    expect((await ada.ask(DELETE, { id })).deleteTask).toEqual({ deletedId: id, userErrors: [] });
    expect((await ada.ask(READ, { id })).task).toBeNull();
    const notFound = [expect.objectContaining({ __typename: 'NotFoundError', code: 'NOT_FOUND', typeName: 'Task', nodeId: id, field: ['id'] })];
    expect((await ada.ask(DELETE, { id })).deleteTask).toEqual({ deletedId: null, userErrors: notFound });
    expect(await update(ada, id, { title: 'Bake bread' })).toEqual({ task: null, userErrors: notFound });
  });

  it('goes with its owner, and with its workspace', async () => {
    const execute = (text: string): Promise<Data[]> => parley.app.database.fork().getConnection().execute(text);
    for (const table of ['user', 'workspace']) {
      const user = await parley.signUp('Gone');
      const [kept, deleted] = [await create(user, { title: 'Kept' }), await create(user, { title: 'Deleted' })];
      await user.ask(DELETE, { id: deleted.id });
      const [{ owner_id: ownerId, workspace_id: workspaceId }] = (await execute(`select owner_id, workspace_id from task where id = '${rowIdOf(kept.id)}'`)) as [Data];
      const left = () => execute(`select id from task where owner_id = '${ownerId}' union all select id from deleted_task where owner_id = '${ownerId}'`);
      expect(await left()).toHaveLength(2);
      await execute(`delete from "${table}" where id = '${table === 'user' ? ownerId : workspaceId}'`);
      expect(await left()).toEqual([]);
    }
  });
});

describe('an idempotency key', () => {
  it('makes one task of fifty simultaneous requests', async () => {
    const input = { title: 'Bake', notes: 'Rye', dueAt: '2026-12-24T18:00:00Z', tags: ['home'], idempotencyKey: randomUUID() };
    const made = await Promise.all(Array.from({ length: 50 }, () => create(ada, input)));
    expect(new Set(made.map((task) => JSON.stringify(task))).size).toBe(1);
    expect(await titles(ada, { filterBy: { text: 'Bake', tag: 'home' } })).toContain('Bake');
  });

  it('finds its task as it is now, however the same input is written', async () => {
    const idempotencyKey = randomUUID();
    const task = await create(ada, { title: 'Bake', dueAt: '2026-12-24T18:00:00Z', tags: ['a', 'b'], idempotencyKey });
    await update(ada, task.id, { status: 'DONE', title: 'Bake bread' });
    expect(await create(ada, { title: ' Bake ', notes: '', priority: 'NORMAL', dueAt: '2026-12-24T19:00:00+01:00', tags: ['a', 'b', 'a'], idempotencyKey })).toMatchObject({ id: task.id, status: 'DONE', title: 'Bake bread' });
  });

  it('with another input is a conflict that names the task', async () => {
    const idempotencyKey = randomUUID();
    const task = await create(ada, { title: 'Bake', idempotencyKey });
    for (const other of [{ title: 'Brew' }, { title: 'Bake', priority: 'HIGH' }, { title: 'Bake', tags: ['home'] }, { title: 'Bake', dueAt: '2026-12-24T18:00:00Z' }, { title: 'Bake', notes: 'Rye' }]) {
      const { createTask } = await ada.ask(CREATE, { input: { ...other, idempotencyKey } });
      expect(createTask).toMatchObject({ task: null, userErrors: [{ __typename: 'ConflictError', code: 'CONFLICT', field: ['idempotencyKey'], existing: { id: task.id } }] });
    }
  });

  it('belongs to one person in one workspace, and is free again once its task is deleted', async () => {
    const idempotencyKey = randomUUID();
    const member = await parley.signUpInto(ada, 'MEMBER');
    const stranger = await parley.signUp('Eve');
    const made = await Promise.all([ada, member, stranger].map((user) => create(user, { title: user.email, idempotencyKey })));
    expect(made.map((task) => task.title)).toEqual([ada.email, member.email, stranger.email]);
    await ada.ask(DELETE, { id: made[0].id });
    expect((await create(ada, { title: 'Another', idempotencyKey })).id).not.toBe(made[0].id);
  });
});

describe('who is not the owner', () => {
  let id: string;
  let nothing: string;
  beforeAll(async () => {
    ({ id } = await create(ada, { title: 'Secret' }));
    nothing = encodeId('Task', randomUUID());
  });

  it.each(['ADMIN', 'EDITOR', 'MEMBER', 'stranger'])('gets as %s exactly what an id that does not exist gets', async (role) => {
    const other = role === 'stranger' ? await parley.signUp('Eve') : await parley.signUpInto(ada, role);
    const mine = await create(other, { title: 'Mine' });
    expect(mine.owner.id).toBe(other.id);
    expect(await titles(other)).toEqual(['Mine']);
    for (const query of [READ, 'query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }', DELETE, UPDATE]) {
      const [ofTask, ofNothing] = await Promise.all([id, nothing].map(async (each) => JSON.stringify((await other.request(query, { id: each, patch: { title: 'Mine now' } })).data).replaceAll(each, 'ID')));
      expect(ofTask).toBe(ofNothing);
    }
    expect((await ada.ask(READ, { id })).task).toMatchObject({ title: 'Secret' });
  });

  it('may as VIEWER keep no tasks at all', async () => {
    const viewer = await parley.signUpInto(ada, 'VIEWER');
    const forbidden = [expect.objectContaining({ __typename: 'ForbiddenError', code: 'FORBIDDEN', requiredPermission: 'TASK' })];
    expect((await viewer.ask(CREATE, { input: { title: 'Mine' } })).createTask).toEqual({ task: null, userErrors: forbidden });
    // Also for ids that name nothing: whoever may not ask learns nothing of ids.
    for (const each of [id, nothing, 'nonsense']) {
      expect((await update(viewer, each, { title: 'Mine' })).userErrors).toEqual(forbidden);
      expect((await viewer.ask(DELETE, { id: each })).deleteTask.userErrors).toEqual(forbidden);
      expect((await viewer.request(READ, { id: each })).errors).toMatchObject([{ path: ['task'], extensions: { code: 'FORBIDDEN' } }]);
      expect((await viewer.ask('query ($id: ID!) { node(id: $id) { id } }', { id: each })).node).toBeNull();
    }
    expect((await viewer.request(LIST)).errors).toMatchObject([{ path: ['tasks'], extensions: { code: 'FORBIDDEN' } }]);
    expect(await refusal(viewer.subscribe(CHANGES))).toBe('FORBIDDEN');
  });

  it('who loses TASK no longer finds their own, and has them again with it', async () => {
    const member = await parley.signUpInto(ada, 'MEMBER');
    const task = await create(member, { title: 'Mine' });
    const setRole = (role: string) => ada.ask('mutation ($input: SetMemberRoleInput!) { setMemberRole(input: $input) { userErrors { message } } }', { input: { userId: member.id, role } });
    await setRole('VIEWER');
    expect((await member.ask('query ($id: ID!) { node(id: $id) { id } }', { id: task.id })).node).toBeNull();
    expect((await update(member, task.id, { title: 'Mine' })).userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
    await setRole('MEMBER');
    expect(await titles(member)).toEqual(['Mine']);
  });

  it('is told as a guest to sign in', async () => {
    for (const [query, path] of [[CREATE, 'createTask'], [UPDATE, 'updateTask'], [DELETE, 'deleteTask']] as const) {
      const { data } = await parley.request(query, { id, patch: {}, input: { title: 'Mine' } });
      expect(data[path].userErrors).toMatchObject([{ code: 'UNAUTHENTICATED' }]);
    }
    for (const [query, path] of [[READ, 'task'], [LIST, 'tasks']] as const) expect((await parley.request(query, { id })).errors).toMatchObject([{ path: [path], extensions: { code: 'UNAUTHENTICATED' } }]);
    expect((await parley.request('query ($id: ID!) { node(id: $id) { id } }', { id })).data.node).toBeNull();
  });
});

describe('what a task cannot be', () => {
  const long = 'x'.repeat(501);
  it.each<[string, object, string[], string]>([
    ['nothing in the title', { title: '' }, ['title'], 'minLength'],
    ['only spaces in the title', { title: ' \n\t' }, ['title'], 'minLength'],
    ['a title of 501 characters', { title: long }, ['title'], 'maxLength'],
    ['a megabyte in the title', { title: 'x'.repeat(500_000) }, ['title'], 'maxLength'],
    ['NUL in the title', { title: 'a\0b' }, ['title'], 'characters'],
    ['half a character in the title', { title: 'a\ud800b' }, ['title'], 'characters'],
    ['notes of 10,001 characters', { notes: 'x'.repeat(10_001) }, ['notes'], 'maxLength'],
    ['NUL in the notes', { notes: 'a\0b' }, ['notes'], 'characters'],
    ['half a character in the notes', { notes: '\udc00' }, ['notes'], 'characters'],
    ['21 tags', { tags: Array.from({ length: 21 }, (_, index) => `tag ${index}`) }, ['tags'], 'maximum'],
    ['an empty tag', { tags: ['a', ' '] }, ['tags', '1'], 'minLength'],
    ['a tag of 51 characters', { tags: ['x'.repeat(51)] }, ['tags', '0'], 'maxLength'],
    ['NUL in a tag', { tags: ['a', 'b\0'] }, ['tags', '1'], 'characters'],
    ['half a character in a tag', { tags: ['\ud800'] }, ['tags', '0'], 'characters'],
    ['a due date before the years of four digits', { dueAt: '0000-01-01T00:00:00Z' }, ['dueAt'], 'range'],
    ['a due date in 1899', { dueAt: '1899-12-31T23:59:59.999Z' }, ['dueAt'], 'range'],
    ['a due date that is in the year 10000 in UTC', { dueAt: '9999-12-31T23:59:59-12:00' }, ['dueAt'], 'invalid_format'],
  ])('%s', async (_title, fields, path, constraint) => {
    const valid = { title: 'Valid' };
    const { createTask } = await ada.ask(CREATE, { input: { ...valid, ...fields } });
    expect(createTask.task).toBeNull();
    expect(createTask.userErrors).toContainEqual(expect.objectContaining({ __typename: 'ValidationError', code: 'VALIDATION_FAILED', field: path, constraint }));
    const task = await create(ada, valid);
    expect((await update(ada, task.id, fields)).userErrors).toContainEqual(expect.objectContaining({ code: 'VALIDATION_FAILED', field: ['patch', ...path], constraint }));
    expect((await ada.ask(READ, { id: task.id })).task).toEqual(task);
  });

  it('or its idempotency key', async () => {
    for (const idempotencyKey of ['', 'x'.repeat(201), 'a\0b']) {
      expect((await ada.ask(CREATE, { input: { title: 'Bake', idempotencyKey } })).createTask).toMatchObject({ task: null, userErrors: [{ code: 'VALIDATION_FAILED', field: ['idempotencyKey'] }] });
    }
  });

  it('is told all at once', async () => {
    const { createTask } = await ada.ask(CREATE, { input: { title: '', notes: '\0', tags: [''] } });
    expect(createTask.userErrors.map((error: Data) => error.field)).toEqual([['title'], ['notes'], ['tags', '0']]);
  });

  it('but it can be as large as that', async () => {
    const largest = { title: 'x'.repeat(500), notes: '😀'.repeat(5_000), tags: Array.from({ length: 20 }, (_, index) => `${index}`.padEnd(50, 'x')), dueAt: '9999-12-31T23:59:59.999Z', idempotencyKey: 'x'.repeat(200) };
    const { idempotencyKey: _key, ...stored } = largest;
    const task = await create(await parley.signUp('Max'), largest);
    expect(task).toMatchObject(stored);
    expect((await create(ada, { title: 'Long ago', dueAt: '1900-01-01T00:00:00Z' })).dueAt).toBe('1900-01-01T00:00:00.000Z');
  });

  it.each(['', 'nonsense', encodeId('Task', 'nonsense'), encodeId('Task', '\0'), encodeId('Profile', randomUUID()), 'x'.repeat(100_000)])('%.20s is the id of none', async (id) => {
    expect((await ada.ask(READ, { id })).task).toBeNull();
    const notFound = [expect.objectContaining({ __typename: 'NotFoundError', field: ['id'], nodeId: id })];
    expect((await update(ada, id, { title: 'Mine' })).userErrors).toEqual(notFound);
    expect((await ada.ask(DELETE, { id })).deleteTask.userErrors).toEqual(notFound);
  });
});

describe('the list', () => {
  let bob: TestUser;
  beforeAll(async () => {
    bob = await parley.signUpInto(ada, 'MEMBER');
    const made = [
      { title: 'Answer Clara', priority: 'LOW', dueAt: '2026-12-03T12:00:00Z', tags: ['mail'] },
      { title: 'Bake bread', notes: 'Ask CLARA for rye.', priority: 'URGENT', tags: ['home', 'kitchen'] },
      { title: 'Call the plumber', priority: 'HIGH', dueAt: '2026-12-01T12:00:00Z', tags: ['home'] },
      { title: 'Draw 100% of it_all', dueAt: '2026-12-02T12:00:00Z' },
      { title: 'Empty the bin', priority: 'URGENT', dueAt: '2026-12-02T12:00:00Z', tags: ['Home'] },
      { title: 'Fix the ÄRMEL' },
    ];
    for (const input of made) await create(bob, input);
    const { tasks } = await bob.ask(LIST, { filterBy: { text: 'plumber' } });
    await update(bob, tasks.nodes[0].id, { status: 'DONE' });
  });

  const initials = async (variables: object): Promise<string> => (await titles(bob, variables)).map((title) => title[0]).join('');
  const by = (field: string, direction: string) => ({ orderBy: { field, direction } });

  it('has the newest first', async () => {
    expect(await initials({})).toBe('FEDCBA');
  });

  it.each([
    ['CREATED_AT', 'ASC', 'ABCDEF'],
    ['CREATED_AT', 'DESC', 'FEDCBA'],
    ['DUE_AT', 'ASC', 'CDEABF'],
    ['DUE_AT', 'DESC', 'AEDCFB'],
    ['PRIORITY', 'ASC', 'ADFCBE'],
    ['PRIORITY', 'DESC', 'EBCFDA'],
  ])('by %s %s, page by page as at once', async (field, direction, expected) => {
    expect(await initials(by(field, direction))).toBe(expected);
    for (const first of [1, 2, 4]) {
      let seen = '';
      let after: string | null = null;
      do {
        const { tasks }: Data = await bob.ask(LIST, { first, after, ...by(field, direction) });
        expect(tasks.totalCount).toBe(6);
        seen += tasks.nodes.map((task: Data) => task.title[0]).join('');
        after = tasks.pageInfo.hasNextPage ? tasks.pageInfo.endCursor : null;
      } while (after !== null);
      expect(seen).toBe(expected);
    }
  });

  it.each<[object, string]>([
    [{ status: ['DONE'] }, 'C'],
    [{ status: ['OPEN', 'DONE'] }, 'FEDCBA'],
    [{ status: [] }, ''],
    [{ priority: ['URGENT', 'LOW'] }, 'EBA'],
    [{ dueBefore: '2026-12-02T12:00:00Z' }, 'C'],
    [{ dueBefore: '2026-12-02T12:00:00.001Z' }, 'EDC'],
    [{ tag: 'home' }, 'CB'],
    [{ tag: 'hom' }, ''],
    [{ text: 'clara' }, 'BA'],
    [{ text: 'THE' }, 'FEC'],
    [{ text: '100%' }, 'D'],
    [{ text: 't_a' }, 'D'],
    [{ text: '%' }, 'D'],
    [{ text: 'ärmel' }, 'F'],
    [{ text: '' }, 'FEDCBA'],
    [{ text: 'the', tag: 'home', status: ['DONE'], priority: ['HIGH'], dueBefore: '2027-01-01T00:00:00Z' }, 'C'],
    [{ status: null, priority: null, dueBefore: null, tag: null, text: null }, 'FEDCBA'],
  ])('has of %j only those', async (filterBy, expected) => {
    expect(await initials({ filterBy })).toBe(expected);
    expect((await bob.ask(LIST, { filterBy, first: 1 })).tasks.totalCount).toBe(expected.length);
  });

  it('refuses what no filter, page or cursor can be', async () => {
    const { endCursor } = (await bob.ask(LIST, { first: 1, ...by('PRIORITY', 'ASC') })).tasks.pageInfo;
    for (const [variables, message] of [
      [{ filterBy: { text: 'a\0b' } }, 'cannot be stored'],
      [{ filterBy: { text: '\ud800' } }, 'cannot be stored'],
      [{ filterBy: { text: 'x'.repeat(201) } }, '200'],
      [{ filterBy: { tag: 'x'.repeat(51) } }, '50'],
      [{ filterBy: { dueBefore: '0000-01-01T00:00:00Z' } }, '1900'],
      [{ first: 0 }, '1 to 100'],
      [{ first: 101 }, '1 to 100'],
      [{ after: 'nonsense' }, 'not a cursor'],
      [{ after: endCursor, ...by('DUE_AT', 'ASC') }, 'not a cursor'],
    ] as const) {
      expect((await bob.request(LIST, variables)).errors).toMatchObject([{ path: ['tasks'], message: expect.stringContaining(message), extensions: { code: 'VALIDATION_FAILED' } }]);
    }
  });
});

describe('the schemas for models', () => {
  it('are made of the same fields, and say what each is', () => {
    for (const [schema, required] of [[newTask, ['title']], [taskPatch, undefined]] as const) {
      const json: Data = z.toJSONSchema(schema, { io: 'input' });
      expect(json.required).toEqual(required);
      expect(json.properties.title).toMatchObject({ type: 'string', minLength: 1, maxLength: 500, description: expect.any(String) });
      const text = JSON.stringify(json);
      for (const part of ['"maxItems":20', '"enum":["LOW","NORMAL","HIGH","URGENT"]', '"format":"date-time"', '"maxLength":10000']) expect(text).toContain(part);
      expect(text.match(/"description"/g)?.length).toBe(Object.keys(json.properties).length);
    }
  });
});

describe('taskChanged', () => {
  it("tells of the viewer's tasks that are made, changed and deleted, and of nobody else's", async () => {
    const member = await parley.signUpInto(ada, 'ADMIN');
    const [mine, others] = await Promise.all([ada, member].map(open)) as [Subscription, Subscription];
    const task = await create(ada, { title: 'One' });
    await mine.until(is('CREATED', task.id));
    await update(ada, task.id, { title: 'Two', status: 'DONE' });
    expect((await mine.until(is('UPDATED', task.id))).taskChanged).toEqual({ kind: 'UPDATED', taskId: task.id, runId: null, task: { title: 'Two', status: 'DONE' } });
    // Neither of these changes anything.
    await update(ada, task.id, { title: 'Two' });
    await ada.ask(UPDATE, { id: task.id, patch: { title: '' } });
    await ada.ask(DELETE, { id: task.id });
    expect((await mine.until(is('DELETED', task.id))).taskChanged).toMatchObject({ task: null });
    expect(mine.events.filter((event) => event.taskChanged.taskId === task.id).map((event) => event.taskChanged.kind)).toEqual(['CREATED', 'UPDATED', 'DELETED']);
    // What comes first at the other comes before what comes later.
    const last = await create(member, { title: 'Last' });
    await others.until(is('CREATED', last.id));
    expect(others.events.some((event) => event.taskChanged.taskId === task.id)).toBe(false);
  });

  it('tells of a task that an idempotency key found nothing', async () => {
    const stream = await open(ada);
    const input = { title: 'Once', idempotencyKey: randomUUID() };
    const [{ id }] = await Promise.all(Array.from({ length: 5 }, () => create(ada, input)));
    const last = await create(ada, { title: 'Last' });
    await stream.until(is('CREATED', last.id));
    expect(stream.events.filter((event) => event.taskChanged.taskId === id)).toHaveLength(1);
  });

  it("names the assistant's run that made the change", async () => {
    const stream = await open(ada);
    const [runId, otherRun] = [randomUUID(), randomUUID()];
    const { ctx, viewer } = await contextOf(parley.app, ada);
    const { task } = await announced(ctx, (tx) => insertTask(tx, viewer, { title: 'By the assistant', dueAt: '2026-12-24T19:00:00+01:00' }, runId));
    const id = encodeId('Task', task.id);
    expect((await stream.until(is('CREATED', id))).taskChanged.runId).toBe(encodeId('Run', runId));
    await announced(ctx, (tx) => changeTask(tx, viewer, task.id, { status: 'DONE' }, otherRun));
    expect((await stream.until(is('UPDATED', id))).taskChanged.runId).toBe(encodeId('Run', otherRun));
    await announced(ctx, (tx) => removeTask(tx, viewer, task.id, runId));
    expect((await stream.until(is('DELETED', id))).taskChanged.runId).toBe(encodeId('Run', runId));
  });

  it('tells nothing of a change whose transaction fails', async () => {
    const { ctx, viewer } = await contextOf(parley.app, ada);
    const { task } = await announced(ctx, (tx) => insertTask(tx, viewer, { title: 'Kept', idempotencyKey: 'rolled back' }));
    const failing = transactional(ctx, async (tx) => {
      await insertTask(tx, viewer, { title: 'Lost', idempotencyKey: 'lost' });
      // A key that is taken is found, and the caller's transaction goes on.
      expect((await insertTask(tx, viewer, { title: 'Kept', idempotencyKey: 'rolled back' })).task.id).toBe(task.id);
      await removeTask(tx, viewer, task.id);
      throw new Error('the caller fails');
    });
    await expect(failing).rejects.toThrow('the caller fails');
    expect((await ada.ask(READ, { id: encodeId('Task', task.id) })).task.title).toBe('Kept');
    expect(await titles(ada, { filterBy: { text: 'Lost' } })).toEqual([]);
  });
});

describe('on two instances', () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  let proxy: Proxy;
  let [here, there]: TestApp[] = [];
  let carol: TestUser;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    proxy = await startProxy(redis.url);
    const env = { DATABASE_URL: await postgres.createDatabase('tasks'), REDIS_URL: proxy.url, JWT_SECRET_KEY: 'a secret that both instances share' };
    here = await createTestApp(env);
    there = await createTestApp(env);
    carol = await here.signUp('Carol');
  });
  const atTheOther = (user: TestUser): TestUser => (there as TestApp).userOf(user.accessToken, user);
  afterAll(async () => {
    for (const instance of [here, there]) await instance?.close();
    await proxy?.close();
    await redis?.close();
    await postgres?.close();
  });

  it.each([
    ['by messages', false],
    ['from the rows when all messages are lost', true],
  ])('changes are heard of %s, once', async (_how, lost) => {
    const stream = await open(atTheOther(carol));
    proxy.dropMessages(lost);
    const { ctx, viewer } = await contextOf((here as TestApp).app, carol);
    const [byRun, runId] = [randomUUID(), randomUUID()];
    const { id } = await create(carol, { title: 'One' });
    await stream.until(is('CREATED', id));
    await announced(ctx, (tx) => changeTask(tx, viewer, rowIdOf(id), { title: 'Two' }, byRun));
    expect((await stream.until(is('UPDATED', id))).taskChanged).toMatchObject({ runId: encodeId('Run', byRun), task: { title: 'Two' } });
    await announced(ctx, (tx) => removeTask(tx, viewer, rowIdOf(id), runId));
    expect((await stream.until(is('DELETED', id))).taskChanged).toMatchObject({ runId: encodeId('Run', runId), task: null });
    // All that is told of it by messages and by rows has been told when what came later has.
    const later = await create(carol, { title: 'Later' });
    await stream.until(is('CREATED', later.id));
    expect(stream.events.filter((event) => event.taskChanged.taskId === id).map((event) => event.taskChanged.kind)).toEqual(['CREATED', 'UPDATED', 'DELETED']);
    await proxy.restore();
  });

  it('fifty simultaneous requests with one key make one task, and simultaneous changes lose nothing', async () => {
    const people = [carol, atTheOther(carol)];
    const input = { title: 'Bake', idempotencyKey: randomUUID() };
    const made = await Promise.all(Array.from({ length: 50 }, (_, index) => create(people[index % 2] as TestUser, input)));
    expect(new Set(made.map((task) => task.id)).size).toBe(1);
    const patches = [{ notes: 'Rye' }, { priority: 'URGENT' }, { tags: ['home'] }, { status: 'DONE' }, { title: 'Bake bread' }, { dueAt: '9999-12-31T23:59:59.999Z' }];
    const changed = await Promise.all(patches.map((patch, index) => update(people[index % 2] as TestUser, made[0].id, patch)));
    expect(new Set(changed.map(({ task }) => task.updatedAt)).size).toBe(patches.length);
    expect((await carol.ask(READ, { id: made[0].id })).task).toMatchObject(Object.assign({}, ...patches));
  });

  it('lists are ordered and found as on one', async () => {
    const dan = await (here as TestApp).signUp('Dan');
    for (const [title, dueAt] of [['A', '1900-01-01T00:00:00Z'], ['B', null], ['C', '2026-12-01T00:00:00Z']]) await create(dan, { title, dueAt, notes: `Of ${title}`, tags: [title] });
    for (const [direction, expected] of [['ASC', 'ACB'], ['DESC', 'CAB']]) {
      let seen = '';
      for (let after = null; ; ) {
        const { tasks }: Data = await atTheOther(dan).ask(LIST, { first: 1, after, orderBy: { field: 'DUE_AT', direction } });
        seen += tasks.nodes[0].title;
        if (!tasks.pageInfo.hasNextPage) break;
        after = tasks.pageInfo.endCursor;
      }
      expect(seen).toBe(expected);
    }
    expect(await titles(dan, { filterBy: { text: 'of a', tag: 'A', status: ['OPEN'], priority: ['NORMAL'] } })).toEqual(['A']);
  });
});

const is = (kind: string, taskId: string) => (event: Data): boolean => event.taskChanged?.kind === kind && event.taskChanged.taskId === taskId;

/** A subscription of the user that is open: it has told of something. */
async function open(user: TestUser): Promise<Subscription> {
  const stream = user.subscribe(CHANGES);
  while (stream.events.length === 0) await create(user, { title: 'Is it open?' });
  return stream;
}

/** The code of the error that a subscription answers with, before any event. */
async function refusal(stream: Subscription): Promise<string> {
  await stream.ended;
  expect(stream.events).toHaveLength(1);
  return stream.events[0].errors[0].extensions.code;
}

/** As code of the assistant acts for somebody. */
async function contextOf(app: App, user: TestUser): Promise<{ ctx: Context; viewer: Viewer }> {
  const viewer = await authenticate(app, user.accessToken);
  return { ctx: createContext(app, { viewer }), viewer };
}

/** A change in a transaction of the caller's, announced once that is committed. */
async function announced(ctx: Context, work: (tx: Context) => Promise<Changed>): Promise<Changed> {
  const changed = await transactional(ctx, work);
  announceTask(ctx.app, changed.change);
  return changed;
}

function rowIdOf(id: string): string {
  return Buffer.from(id, 'base64url').toString().split(':')[1] as string;
}
