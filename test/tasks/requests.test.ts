// What an utterance and a call of a model come to, as the assistant's nodes read it: the operation, what the task is to have, and
// which tasks are meant.
import { describe, expect, it } from 'vitest';
import type { RequestedCall } from '../../src/models/ask.ts';
import { requestOfCall, WrongCallError } from '../../src/tasks/model-request.ts';
import { anyTask, type TaskRequest } from '../../src/tasks/request.ts';
import { requestOfText } from '../../src/tasks/rule-request.ts';

/** Half past eleven at night in Berlin, where the day of UTC ends an hour later. */
const now = new Date('2026-11-25T22:30:00Z');
const timeZone = 'Europe/Berlin';
/** Tomorrow there. */
const tomorrow = { from: '2026-11-25T23:00:00.000Z', before: '2026-11-26T23:00:00.000Z' };

describe('by the rules', () => {
  it.each<[string, Pick<TaskRequest, 'operation' | 'wanted'> & { match?: Partial<TaskRequest['match']> }]>([
    ['what is due tomorrow', { operation: 'query', wanted: {}, match: { due: tomorrow } }],
    ['what is overdue', { operation: 'query', wanted: {}, match: { overdue: true } }],
    ['show my done tasks', { operation: 'query', wanted: {}, match: { status: 'DONE' } }],
    ['show everything on my grocery list', { operation: 'query', wanted: {}, match: { tag: 'grocery', all: true } }],
    ['list everything tagged #garden', { operation: 'query', wanted: {}, match: { tag: 'garden', all: true } }],
    ['delete all my meetings', { operation: 'delete', wanted: {}, match: { text: 'meetings', all: true } }],
    ['move the dentist to friday at 9am', { operation: 'update', wanted: { dueAt: '2026-11-27T08:00:00.000Z' }, match: { text: 'dentist' } }],
    ['rename buy milk to buy oat milk', { operation: 'update', wanted: { title: 'buy oat milk' }, match: { text: 'buy milk' } }],
    ['mark the report as done', { operation: 'update', wanted: { status: 'DONE' }, match: { text: 'report' } }],
    ['set the priority of the report #work to high', { operation: 'update', wanted: { priority: 'HIGH' }, match: { text: 'report', tag: 'work' } }],
    // Labels that it is to get say nothing of which one it is.
    ['tag the report with #work #q4', { operation: 'update', wanted: { tags: ['work', 'q4'] }, match: { text: 'report' } }],
    ['add milk to my grocery list', { operation: 'create', wanted: { title: 'milk', tags: ['grocery'] } }],
    [
      'add a meeting with Bob at the office every friday at 3pm #work',
      { operation: 'create', wanted: { title: 'meeting with Bob at the office', dueAt: '2026-11-27T14:00:00.000Z', tags: ['work'], notes: 'Repeats: every friday' } },
    ],
  ])('%s', (text, { operation, wanted, match }) => {
    expect(requestOfText(text, now, timeZone)).toEqual({ operation, wanted, match: { ...anyTask, ...match }, confidence: expect.any(Number) });
  });

  it('a day is as long as it is where the user is', () => {
    expect(requestOfText('what is due on 29 march 2026', now, timeZone).match.due).toEqual({ from: '2026-03-28T23:00:00.000Z', before: '2026-03-29T22:00:00.000Z' });
    // Nine in the morning there is another day in UTC.
    expect(requestOfText('what is due today', now, 'Pacific/Auckland').match.due).toEqual({ from: '2026-11-25T11:00:00.000Z', before: '2026-11-26T11:00:00.000Z' });
    expect(requestOfText('what is due today', now, 'Asia/Tokyo').match.due).toEqual({ from: '2026-11-25T15:00:00.000Z', before: '2026-11-26T15:00:00.000Z' });
  });
});

describe('by a call of a model', () => {
  const call = (name: string, given: unknown, invalid: string | null = null): RequestedCall => ({ name, arguments: given, invalid }) as RequestedCall;
  const which = { task: 'report', tag: 'work', dueOn: 'tomorrow', withStatus: 'DONE', all: true };
  const match = { text: 'report', tag: 'work', due: tomorrow, status: 'DONE', overdue: false, all: true };

  it.each<[string, object, Omit<TaskRequest, 'confidence'>]>([
    ['create_task', { title: ' Call ' }, { operation: 'create', wanted: { title: 'Call' }, match: anyTask }],
    [
      'create_task', { title: 'Call', notes: 'N', priority: 'LOW', due: '2026-12-01T10:00', tags: ['a', ' b ', 'a'] },
      { operation: 'create', wanted: { title: 'Call', notes: 'N', priority: 'LOW', dueAt: '2026-12-01T09:00:00.000Z', tags: ['a', 'b'] }, match: anyTask },
    ],
    ['find_tasks', { ...which, overdue: true }, { operation: 'query', wanted: {}, match: { ...match, overdue: true } } as Omit<TaskRequest, 'confidence'>],
    ['find_tasks', {}, { operation: 'query', wanted: {}, match: anyTask }],
    // Empty notes are none.
    ['update_task', { ...which, newTitle: 'New', status: 'OPEN', notes: '' }, { operation: 'update', wanted: { title: 'New', status: 'OPEN', notes: '' }, match } as Omit<TaskRequest, 'confidence'>],
    ['delete_task', which, { operation: 'delete', wanted: {}, match } as Omit<TaskRequest, 'confidence'>],
  ])('%s %j', (name, given, expected) => {
    expect(requestOfCall(call(name, given), now, timeZone)).toEqual({ ...expected, confidence: 1 });
  });

  it.each<[string, RequestedCall, RegExp]>([
    ['a function that does not exist', call('launch', {}), /no function "launch"\. Functions: create_task, find_tasks, update_task, delete_task/],
    ['the name of what every object has', call('constructor', {}), /no function "constructor"/],
    ['no JSON', call('create_task', null, '{"title'), /no JSON object/],
    ['arguments that do not fit', call('create_task', { title: '' }), /do not fit: .*title/s],
    ['a day that is none', call('find_tasks', { dueOn: 'when pigs fly' }), /^dueOn: no day or time is meant by "when pigs fly"/],
  ])('%s is told to the model', (_what, requested, message) => {
    expect(() => requestOfCall(requested, now, timeZone)).toThrow(WrongCallError);
    expect(() => requestOfCall(requested, now, timeZone)).toThrow(message);
  });
});
