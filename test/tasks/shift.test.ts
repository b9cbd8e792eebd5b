// By how much a task is moved, and when it is due then.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shifted, shiftOf } from '../../src/tasks/english/shift.ts';
import { understand } from '../../src/tasks/english/understand.ts';

const minutes = (amount: number) => ({ unit: 'minute', amount });
const days = (amount: number) => ({ unit: 'day', amount });
const months = (amount: number) => ({ unit: 'month', amount });

describe('words say by how much', () => {
  it.each([
    ['by an hour', minutes(60)], ['half an hour', minutes(30)], ['for 20 minutes', minutes(20)], ['two hours later', minutes(120)], ['a day earlier', days(-1)],
    ['another week', days(7)], ['by a couple of weeks', days(14)], ['twenty one days', days(21)], ['one month', months(1)], ['2 years', months(24)],
    ['in two hours', null], ['friday', null], ['an hour ago', null], ['half a month', null], ['hours', null], ['two', null], ['', null],
  ])('%s', (text, expected) => {
    expect(shiftOf(text)).toEqual(expected);
  });

  it.each([
    ['push the standup back by an hour', 'standup', minutes(60)],
    ['bring the meeting forward by 30 minutes', 'meeting', minutes(-30)],
    ['postpone the party a week', 'party', days(7)],
    ['snooze the dentist for half an hour', 'dentist', minutes(30)],
    ['move my 3 pm meeting two days earlier', 'meeting', days(-2)],
    ['extend the deadline of the report by three days', 'report', days(3)],
  ])('in "%s"', (text, title, shift) => {
    expect(understand(text)).toMatchObject({ operation: 'update', title, change: { shift } });
  });

  it.each([['reschedule the dentist in two hours', 'in two hours'], ['delay buy milk until tomorrow', 'tomorrow']])('but "%s" names a moment', (text, dueText) => {
    expect(understand(text).change).toEqual({ dueText });
  });
});

describe('a task is due', () => {
  const zone = 'Europe/Berlin';
  const due = (at: string, words: string, now = '2020-01-01T00:00:00Z') => shifted(new Date(at), shiftOf(words)!, new Date(now), zone).toISOString();

  it('so much later or earlier than it was', () => {
    expect(due('2031-12-24T14:00:00Z', 'by 90 minutes')).toBe('2031-12-24T15:30:00.000Z');
    expect(due('2031-12-24T14:00:00Z', 'two weeks earlier')).toBe('2031-12-10T14:00:00.000Z');
  });

  it('at the same time of day, whatever clocks do in between, but an hour is an hour', () => {
    expect(due('2031-03-29T14:00:00Z', 'a day')).toBe('2031-03-30T13:00:00.000Z');
    expect(due('2031-03-30T00:30:00Z', 'an hour')).toBe('2031-03-30T01:30:00.000Z');
  });

  it('on the last day of a shorter month', () => {
    expect(due('2031-01-31T08:00:00Z', 'one month')).toBe('2031-02-28T08:00:00.000Z');
    expect(due('2032-02-29T08:00:00Z', 'a year')).toBe('2033-02-28T08:00:00.000Z');
  });

  it('seen from now where it had no time, or would still be overdue although it was put off', () => {
    const now = new Date('2031-06-01T10:00:00Z');
    expect(shifted(null, { unit: 'minute', amount: 60 }, now, zone).toISOString()).toBe('2031-06-01T11:00:00.000Z');
    expect(due('2031-05-30T10:00:00Z', 'an hour', '2031-06-01T10:00:00Z')).toBe('2031-06-01T11:00:00.000Z');
    expect(due('2031-05-30T10:00:00Z', 'an hour earlier', '2031-06-01T10:00:00Z')).toBe('2031-05-30T09:00:00.000Z');
  });

  it('where it was, when it is moved there and back by days', () => {
    fc.assert(fc.property(fc.date({ min: new Date('2000-01-01'), max: new Date('2050-01-01'), noInvalidDate: true }), fc.integer({ min: 1, max: 400 }), (from, amount) => {
      const there = shifted(from, { unit: 'day', amount }, new Date(0), 'Asia/Tokyo');
      expect(shifted(there, { unit: 'day', amount: -amount }, new Date(0), 'Asia/Tokyo')).toEqual(from);
    }));
  });
});
