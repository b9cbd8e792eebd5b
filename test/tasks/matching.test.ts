// Which tasks are meant by what was said of them.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { authenticate } from '../../src/accounts/service.ts';
import { createContext, type Context, type Viewer } from '../../src/context.ts';
import { findMatches } from '../../src/tasks/matching.ts';
import { anyTask, type Match } from '../../src/tasks/request.ts';
import { createTask, updateTask } from '../../src/tasks/service.ts';
import { createTestApp, type TestApp } from '../support/app.ts';

let parley: TestApp;
let ctx: Context;
let viewer: Viewer;
beforeAll(async () => {
  parley = await createTestApp();
  const ada = await parley.signUp('Ada');
  viewer = await authenticate(parley.app, ada.accessToken);
  ctx = createContext(parley.app, { viewer });
  await createTask(ctx, { title: 'Write the report', notes: 'for Zoe', dueAt: '2031-05-02T10:00:00Z', tags: ['Work'] });
  await createTask(ctx, { title: 'Read the report of the board', dueAt: '2031-05-01T10:00:00Z' });
  await createTask(ctx, { title: 'Water the plants', tags: ['home', 'weekly'] });
  await createTask(ctx, { title: 'Pay the rent', dueAt: '2020-01-01T00:00:00Z' });
  const begun = await createTask(ctx, { title: 'Paint the fence' });
  await updateTask(ctx, begun.id, { status: 'IN_PROGRESS' });
  const done = await createTask(ctx, { title: 'File the report of taxes', tags: ['work'] });
  await updateTask(ctx, done.id, { status: 'DONE' });
  const member = await parley.signUpInto(ada, 'MEMBER');
  await createTask(createContext(parley.app, { viewer: await authenticate(parley.app, member.accessToken) }), { title: "Somebody else's report" });
});
afterAll(() => parley.close());

it.each<[string, Partial<Match>, string[]]>([
  ['those that have all of the words, the next one due first', { text: 'report' }, ['Read the report of the board', 'Write the report']],
  ['one that has them in its notes or labels', { text: 'weekly zoe' }, ['Write the report', 'Water the plants']],
  ['the one that has all of them, where others have some', { text: 'write report' }, ['Write the report']],
  ['those with most of the words, where none has all', { text: 'read board minutes' }, ['Read the report of the board']],
  ['none that has less than half of them', { text: 'report quarterly revenue' }, []],
  ['other forms of a word', { text: 'painting fences' }, ['Paint the fence']],
  ['all that are not finished, where nothing is said', {}, ['Pay the rent', 'Read the report of the board', 'Write the report', 'Paint the fence', 'Water the plants']],
  ['finished ones where their state is named', { status: 'DONE' }, ['File the report of taxes']],
  ['those with a label, however it is written', { tag: 'wOrK' }, ['Write the report']],
  ['those with a label and a state', { tag: 'WORK', status: 'DONE' }, ['File the report of taxes']],
  ['what is due on a day, its first moment and not its last', { due: { from: '2031-05-01T10:00:00.000Z', before: '2031-05-02T10:00:00.000Z' } }, ['Read the report of the board']],
  ['what is overdue', { overdue: true }, ['Pay the rent']],
])('%s', async (_what, match, expected) => {
  const found = (await findMatches(ctx, viewer, { ...anyTask, ...match })).map(({ title }) => title);
  if (match.text === undefined && Object.keys(match).length === 0) {
    // What has no date comes last, in any order.
    expect(found.slice(0, 3)).toEqual(expected.slice(0, 3));
    expect(found.slice(3).sort()).toEqual(expected.slice(3).sort());
  } else expect(found).toEqual(expected);
});
