import { describe, expect, it } from 'vitest';
import { resolvePeriod } from '../../src/tasks/english/period.ts';
import { requestOfText } from '../../src/tasks/rule-request.ts';

// A Wednesday; in Auckland it is Thursday already.
const now = new Date('2026-11-25T12:00:00Z');
const days = (text: string, timeZone = 'UTC'): string | null => {
  const period = resolvePeriod(text, now, timeZone);
  return period && `${period.from.slice(0, 10)} ${period.before.slice(0, 10)}`;
};

describe('the days that are asked for are', () => {
  it.each([
    ['today', '2026-11-25 2026-11-26'],
    ['friday', '2026-11-27 2026-11-28'],
    ['monday at 3pm', '2026-11-30 2026-12-01'],
    ['this week', '2026-11-23 2026-11-30'],
    ['the week', '2026-11-23 2026-11-30'],
    ['next week', '2026-11-30 2026-12-07'],
    ['last month', '2026-10-01 2026-11-01'],
    ['next quarter', '2027-01-01 2027-04-01'],
    ['this year', '2026-01-01 2027-01-01'],
    ['the rest of the week', '2026-11-25 2026-11-30'],
    ['rest of the month', '2026-11-25 2026-12-01'],
    ['this weekend', '2026-11-28 2026-11-30'],
    ['next weekend', '2026-12-05 2026-12-07'],
    ['the next three days', '2026-11-25 2026-11-29'],
    ['within two weeks', '2026-11-25 2026-12-10'],
    ['in two weeks', '2026-12-09 2026-12-10'],
    ['past three months', '2026-08-25 2026-11-26'],
    ['may', '2027-05-01 2027-06-01'],
    ['in december', '2026-12-01 2027-01-01'],
    ['march third', '2027-03-03 2027-03-04'],
    ['before friday', '1970-01-01 2026-11-27'],
    ['until friday', '1970-01-01 2026-11-28'],
    ['after tomorrow', '2026-11-27 9999-12-31'],
    ['soon', null],
  ])('%s', (text, expected) => expect(days(text)).toBe(expected));

  it('those of the zone of whoever asks', () => {
    expect(resolvePeriod('this week', now, 'Pacific/Auckland')).toEqual({ from: '2026-11-22T11:00:00.000Z', before: '2026-11-29T11:00:00.000Z' });
    expect(resolvePeriod('today', now, 'Pacific/Auckland')).toEqual({ from: '2026-11-25T11:00:00.000Z', before: '2026-11-26T11:00:00.000Z' });
    // Clocks go back on the last Sunday of October: that week has an hour more.
    const { from, before } = resolvePeriod('this week', new Date('2026-10-21T12:00:00Z'), 'Europe/Berlin')!;
    expect((Date.parse(before) - Date.parse(from)) / 3_600_000).toBe(7 * 24 + 1);
  });
});

it('whoever asks for a week, or clears it, means all of its days', () => {
  const week = { from: '2026-11-30T00:00:00.000Z', before: '2026-12-07T00:00:00.000Z' };
  expect(requestOfText('what do i have to do next week', now, 'UTC')).toMatchObject({ operation: 'query', match: { text: null, due: week } });
  expect(requestOfText('clear my calendar for next week', now, 'UTC')).toMatchObject({ operation: 'delete', match: { due: week, all: true } });
});

it('a new task for next week is due on one day', () => {
  expect(requestOfText('plan the offsite next week', now, 'UTC').wanted.dueAt).toBe('2026-12-02T09:00:00.000Z');
});
