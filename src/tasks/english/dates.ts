// Reads a day and a time as people say them and as models write them, in the time zone of whoever wrote them.
// All of it is reckoned on the wall clock of the zone, so that daylight saving moves no appointment.
import { clockAt, hourOfPart, type Clock } from './clock.ts';
import { bigCount, byChrono, dayMs, dayWall, readDay, unitDays, weekdayNames, weekdayOf, type Day } from './days.ts';
import { countAt } from './numbers.ts';
import { findWhens, type When } from './when.ts';
import { isMark, Phrases, wordsOf } from './words.ts';
import { instantOf, wallAt } from '../zone.ts';

/** A point in time; `isDateOnly` when no time of day was said: then it is 09:00 of that day in the zone. */
export interface Due {
  readonly dueAt: Date;
  readonly isDateOnly: boolean;
}

const hourMs = 3_600_000;
/** Expressions of time are short; what is longer is no such expression, and is not read. */
const maxLength = 200;
const firstHour = 9;

/**
 * The point in time that the words name, seen from `now` in an IANA time zone: the next such one ("friday", "march third",
 * "at nine"), unless the words say otherwise ("yesterday", a year). Reads English with numbers in words or digits, and ISO 8601
 * dates and date-times with or without an offset. "at four" is 16:00 and "at nine" is 09:00 of another day; of today, whichever
 * comes next by day. Null when the words name no time. Throws RangeError for an unknown zone.
 */
export function resolveDue(dateText: string, now: Date, timeZone: string): Due | null {
  const text = dateText.trim();
  if (text.length === 0 || text.length > maxLength) return null;
  const nowWall = wallAt(now.getTime(), timeZone);
  const due = readIso(text, timeZone) ?? readCounted(text, now, nowWall, timeZone) ?? readWords(text, now, nowWall, timeZone);
  return due && isDate(due.dueAt) ? due : null;
}

function isDate(date: Date): boolean {
  return !Number.isNaN(date.getTime()) && date.getUTCFullYear() > 0 && date.getUTCFullYear() < 10_000;
}

const isoPattern = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

function readIso(text: string, timeZone: string): Due | null {
  const match = isoPattern.exec(text);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [number, number, number, number, number, number];
  const midnight = dayWall(year, month, day);
  if (midnight === null || hour > 23 || minute > 59 || second > 59) return null;
  if (match[4] === undefined) return { dueAt: new Date(instantOf(midnight + firstHour * hourMs, timeZone)), isDateOnly: true };
  const wall = midnight + hour * hourMs + minute * 60_000 + second * 1000 + Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  const offset = match[8];
  if (offset === undefined) return { dueAt: new Date(instantOf(wall, timeZone)), isDateOnly: false };
  const [hours, minutes] = offset.length > 1 ? [Number(offset.slice(1, 3)), Number(offset.slice(3).replace(':', '') || 0)] : [0, 0];
  if (hours > 23 || minutes > 59) return null;
  return { dueAt: new Date(wall - (offset.startsWith('-') ? -1 : 1) * (hours * hourMs + minutes * 60_000)), isDateOnly: false };
}

const unitMs = new Map([['second', 1000], ['minute', 60_000], ['min', 60_000], ['hour', hourMs], ['hr', hourMs]]);

/** "in two hours", "an hour and a half from now", "fifteen minutes": exact spans from now; also from a time or day that follows ("ten minutes before noon", "two days after friday"). */
function readCounted(text: string, now: Date, nowWall: number, timeZone: string): Due | null {
  const plain = wordsOf(text).map(({ word }) => word).filter((word) => !isMark(word));
  if (plain.length === 1 && plain[0] === 'now') return { dueAt: now, isDateOnly: false };
  let at = ['in', 'after', 'within'].includes(plain[0] ?? '') ? 1 : 0;
  if (plain[at] === 'the' && plain[at + 1] === 'next') at += 2;
  if (['another', 'about', 'next'].includes(plain[at] ?? '')) at++;
  let span = 0;
  let days = 0;
  for (let parts = 0; parts < 3; parts++) {
    const count = countAt(plain, at) ?? bigCount(plain[at]);
    if (!count) break;
    const name = (plain[at + count.length] ?? '').replace(/s$/, '');
    const unit = unitMs.get(name);
    if (!unit && !unitDays.has(name)) break;
    if (unit) span += count.value * unit;
    else days += count.value * (unitDays.get(name) as number);
    at += count.length + 1;
    if (plain[at] === 'and' && plain[at + 1] === 'a' && plain[at + 2] === 'half') {
      span += (unit ?? 0) / 2;
      at += 3;
    }
    if (plain[at] === 'and') at++;
  }
  const rest = plain.slice(at);
  if (span > 0 && days === 0 && ['', 'from now', 'later', 'more', 'hence', 'time'].includes(rest.join(' '))) return { dueAt: new Date(now.getTime() + span), isDateOnly: false };
  if (span + days === 0 || rest.length < 2 || !['before', 'prior', 'after', 'from', 'past'].includes(rest[0] as string)) return null;
  const anchor = readWords(rest.slice(rest[1] === 'to' ? 2 : 1).join(' '), now, nowWall, timeZone);
  if (!anchor || (anchor.isDateOnly && span > 0)) return null;
  const sign = rest[0] === 'before' || rest[0] === 'prior' ? -1 : 1;
  const wall = wallAt(anchor.dueAt.getTime(), timeZone) + sign * Math.round(days) * dayMs;
  return { dueAt: new Date((days > 0 ? instantOf(wall, timeZone) : anchor.dueAt.getTime()) + sign * span), isDateOnly: anchor.isDateOnly };
}

/** A day and a time in any order; either may be missing. */
function readWords(text: string, now: Date, nowWall: number, timeZone: string): Due | null {
  const words = wordsOf(text).filter(({ word }) => !/^[,;!?]$/.test(word));
  const plain = words.map(({ word }) => word);
  const today = Math.floor(nowWall / dayMs) * dayMs;
  const whens = findWhens(words);
  const { clock, part, unread } = readTime(plain, whens);
  if (unread && (whens.length > 0 || clock)) return null;
  const day = readDays(plain, whens, today) ?? (whens.length === 0 && !clock ? byChrono(plain, today) : null);
  const endsDay = !clock && endOfDay.find(words) >= 0;
  if (!day && !clock && !part) return null;
  const isDateOnly = !clock && !part && !endsDay;
  const due = (wall: number): Due => {
    const minutes = endsDay ? 24 * 60 - 1 : isDateOnly ? firstHour * 60 : minutesOf(clock, part, !day || wall === today ? nowWall - wall : null);
    return { dueAt: new Date(instantOf(wall + minutes * 60_000, timeZone)), isDateOnly };
  };
  const first = due(day?.wall ?? today);
  if (!day) return first.dueAt > now ? first : due(today + dayMs);
  const passed = isDateOnly && !day.passes ? day.wall < today : first.dueAt <= now;
  return passed && day.forward ? due(day.forward(day.wall)) : first;
}

const endOfDay = new Phrases('end of day, end of the day, end of today, end of this day');

/** The first time of the clock and the first part of the day in the words; `unread` when digits are left that are no time ("25:00", "32nd"). */
function readTime(plain: readonly string[], whens: readonly When[]): { clock: Clock | null; part: string | null; unread: boolean } {
  let clock: Clock | null = null;
  let part: string | null = null;
  let unread = false;
  const read = (from: number, to: number): void => {
    for (let at = from; at < to;) {
      const found = clockAt(plain, at);
      part ??= plain.slice(at, at + (found?.length ?? 1)).find((word) => hourOfPart.has(word)) ?? null;
      if (found && clock === null) clock = found;
      // "between three and four pm": the half that is said last holds for both, unless that would end before it begins.
      else if (found?.half && clock && !clock.half && !clock.exact) clock = { ...clock, half: clock.hour > found.hour && found.half === 'pm' && clock.hour < 12 ? 'am' : found.half };
      at += found?.length ?? 1;
    }
  };
  // What stands alone between expressions is a time when it is a number, and nothing else: "four", "monday 5".
  const readRest = (from: number, to: number): void => {
    const rest = plain.slice(from, to).filter((word) => !fillers.has(word));
    if (rest.length > 0 && clockAt(rest, 0)?.length === rest.length) read(from, to);
    else unread ||= rest.some((word) => /\d/.test(word));
  };
  let rest = 0;
  for (const { kind, from, to } of whens) {
    readRest(rest, from);
    rest = to;
    if (kind === 'time' || kind === 'recurrence') read(from, to);
  }
  readRest(rest, plain.length);
  return { clock, part, unread };
}

/** The day that the expressions name together: "friday next week", "friday the thirteenth", "tonight". */
function readDays(plain: readonly string[], whens: readonly When[], today: number): Day | null {
  const named: string[][] = [];
  for (const { kind, alsoDate, from, to } of whens) {
    const said = plain.slice(from, to).filter((word, index) => word !== "'s" && !(index === 0 && /^(?:after|before|until|till|since)$/.test(word) && to - from > 1 && !countAt(plain, from + 1)));
    if (kind === 'date' || alsoDate) named.push(said);
    // "this evening" is of today, even when it is over.
    else if (said[0] === 'this' || said[0] === 'later') named.push(['today']);
  }
  const weekday = named.findIndex((said) => said.length === 1 && weekdayNames.includes(said[0] as string));
  if (weekday >= 0 && named.length > 1) {
    const index = weekdayNames.indexOf((named[weekday] as string[])[0] as string);
    const week = named.map((said) => (said.at(-1) === 'week' ? readDay(said, today) : null)).find((found) => found !== null);
    if (week) return { wall: week.wall + (index - ((weekdayOf(week.wall) + 6) % 7)) * dayMs };
  }
  for (const said of named) {
    const day = readDay(said, today);
    if (day) return day;
  }
  return null;
}

const fillers = new Set(['at', 'by', 'around', 'about', 'on', 'from', 'until', 'till', 'before', 'after', 'the', 'for', '-', 'to', '@', 'sharp']);

/**
 * Minutes after midnight. A time without its half of the day is by day: 06:00–11:59 stay, one to five and twelve are after noon;
 * `passed` (milliseconds of the day that are over, when the day is today or open) takes the next of both that is not at night.
 */
function minutesOf(clock: Clock | null, part: string | null, passed: number | null): number {
  if (!clock) return (hourOfPart.get(part as string) as number) * 60;
  const { hour, minute, half, exact } = clock;
  const of = (hours: number): number => hours * 60 + minute;
  if (half) return of((hour % 12) + (half === 'pm' ? 12 : 0));
  if (exact || hour === 0 || hour > 12) return of(hour);
  if (part === 'morning') return of(hour % 12);
  if (part === 'night' || part === 'tonight' || part === 'tonights') return of(hour % 12 < 5 ? 24 + (hour % 12) : hour + 12);
  if (part && part !== 'midnight') return of((hour % 12) + 12);
  if (passed !== null) {
    const next = [hour % 12, (hour % 12) + 12].find((candidate) => candidate >= 6 && of(candidate) * 60_000 > passed);
    if (next !== undefined) return of(next);
  }
  return of(hour % 12 < 6 ? (hour % 12) + 12 : hour);
}
