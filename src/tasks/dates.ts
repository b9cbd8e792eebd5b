// Reads a day and a time as people say them and as models write them, in the time zone of whoever wrote them. Times of day,
// counts ("in two weeks") and ends of months are read here; names of days and months and dates in digits by chrono-node.
// All of it is reckoned on the wall clock of the zone, so that daylight saving moves no appointment.
import * as chrono from 'chrono-node';
import { clockAt, hourOfPart, type Clock } from './clock.ts';
import { cardinalAt, countAt, ordinalAt, yearAt } from './numbers.ts';
import { findWhens, type When } from './when.ts';
import { isMark, Phrases, wordsOf } from './words.ts';
import { instantOf, wallAt } from './zone.ts';

/** A point in time; `isDateOnly` when no time of day was said: then it is 09:00 of that day in the zone. */
export interface Due {
  readonly dueAt: Date;
  readonly isDateOnly: boolean;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Expressions of time are short; what is longer is no such expression, and is not read. */
const maxLength = 200;
const firstHour = 9;

/** A day as a wall clock at midnight. When it may lie in the past although the next such day was meant, `forward` gives that. */
interface Day {
  readonly wall: number;
  readonly forward?: (wall: number) => number;
  /** Whether the same day counts as passed once its time has passed ("friday" said on a friday evening is the next one). */
  readonly passes?: boolean;
}

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

/** The wall clock at the beginning of a day, or null when there is no such day. */
function dayWall(year: number, month: number, day: number): number | null {
  const wall = new Date(0).setUTCFullYear(year, month - 1, day);
  const date = new Date(wall);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? wall : null;
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

function bigCount(word: string | undefined): { value: number; length: number } | null {
  return word !== undefined && /^\d{1,6}(?:\.\d)?$/.test(word) ? { value: Number(word), length: 1 } : null;
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

const weekdayNames = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** The first day of a repeating one that falls on a weekday ("friday the thirteenth"); the day itself when none does soon. */
function onWeekday(day: Day, weekday: number, today: number): Day {
  let { wall } = day;
  for (let tries = 0; tries < 48 && (weekdayOf(wall) !== weekday || wall < today) && day.forward; tries++) wall = day.forward(wall);
  return weekdayOf(wall) === weekday ? { wall } : day;
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

const relativeDays = new Map<string, number>([
  ...['today', 'todays', 'tonight', 'tonights', 'all day', 'this day', 'this date', 'current day'].map((name): [string, number] => [name, 0]),
  ...['tomorrow', 'tomorrows', 'tomorow', 'tommorow', 'tommorrow', 'tmrw', 'tmr', 'next day', 'following day', 'the next day', 'the following day', 'day after'].map((name): [string, number] => [name, 1]),
  ...['day after tomorrow', 'the day after tomorrow'].map((name): [string, number] => [name, 2]),
  ['next morning', 1], ['next evening', 1], ['next afternoon', 1], ['next night', 1], ['yesterday', -1], ['day before yesterday', -2], ['the day before yesterday', -2], ['last day', -1], ['previous day', -1],
]);
const anyDay = new Phrases('daily, every day, everyday, each day, all days, every morning, every evening, every night, every afternoon, every single day, each morning, each evening, each night');
const unitDays = new Map([['day', 1], ['week', 7], ['fortnight', 14]]);
const unitMonths = new Map([['month', 1], ['quarter', 3], ['year', 12]]);
const past = new Set(['last', 'past', 'previous', 'ago']);

/** A day from the words of one expression. */
function readDay(said: readonly string[], today: number): Day | null {
  const plain = said.filter((word) => word !== "'s" && word !== 'coming' && word !== 'upcoming');
  const text = plain.join(' ');
  const relative = relativeDays.get(text);
  if (relative !== undefined) return { wall: today + relative * dayMs };
  if (anyDay.at(wordsOf(text), 0) > 0) return { wall: today, forward: (wall) => wall + dayMs, passes: true };
  const weekday = weekdayNames.indexOf(plain[0] as string);
  const ordinal = weekday >= 0 ? readOrdinal(plain.slice(1), today) : null;
  if (ordinal) return onWeekday(ordinal, (weekday + 1) % 7, today);
  return readNthWeekday(plain, today) ?? readEnd(plain, today) ?? readWeekend(plain, today) ?? readStep(plain, today) ?? readOrdinal(plain, today) ?? byChrono(plain, today);
}

/** "first monday of the month", "last friday of march". */
function readNthWeekday(said: readonly string[], today: number): Day | null {
  const plain = said.filter((word) => word !== 'the' && word !== 'every' && word !== 'each');
  const ordinal = ordinalAt(plain, 0);
  const weekday = weekdayNames.indexOf(plain[1] as string);
  if ((!ordinal && plain[0] !== 'last') || weekday < 0 || plain[2] !== 'of') return null;
  const named = plain.slice(3).filter((word) => word !== 'this');
  const month = named[0] === 'month' || named[0] === 'next' ? null : byChrono(named, today);
  if (named.at(-1) !== 'month' && !month) return null;
  const dayIn = (from: number): number => {
    const first = ordinal ? monthWall(from) : monthWall(from + 1) - 7 * dayMs;
    return first + (((weekday + 1 - weekdayOf(first) + 7) % 7) + 7 * ((ordinal?.value ?? 1) - 1)) * dayMs;
  };
  const monthOf = (wall: number): number => new Date(wall).getUTCFullYear() * 12 + new Date(wall).getUTCMonth();
  return { wall: dayIn(monthOf(month?.wall ?? today) + (named[0] === 'next' ? 1 : 0)), forward: (wall) => dayIn(monthOf(wall) + (month ? 12 : 1)) };
}

/** "end of the month", "end of next week", "beginning of march", "rest of the year": the last, or the first, day. */
function readEnd(plain: readonly string[], today: number): Day | null {
  const of = plain.indexOf('of');
  const side = plain[of - 1] ?? '';
  if (of < 1 || !['end', 'rest', 'remainder', 'beginning', 'start', 'middle'].includes(side)) return null;
  const named = plain.slice(of + 1).filter((word) => word !== 'the');
  const shift = named[0] === 'next' || named[0] === 'following' ? 1 : past.has(named[0] ?? '') ? -1 : 0;
  const unit = named.at(-1) ?? '';
  let first: number;
  let next: number;
  if (unit === 'week') {
    first = today - ((weekdayOf(today) + 6) % 7) * dayMs + shift * 7 * dayMs;
    next = first + 7 * dayMs;
  } else if (unit === 'month' || unit === 'year' || unit === 'quarter') {
    const months = unitMonths.get(unit) as number;
    const date = new Date(today);
    const month = date.getUTCFullYear() * 12 + date.getUTCMonth();
    first = monthWall(Math.floor(month / months) * months + shift * months);
    next = monthWall(Math.floor(month / months) * months + (shift + 1) * months);
  } else if (unit === 'day' || unit === 'today') {
    return { wall: today };
  } else {
    const month = byChrono(named, today);
    if (!month) return null;
    const date = new Date(month.wall);
    first = month.wall;
    next = monthWall(date.getUTCFullYear() * 12 + date.getUTCMonth() + 1);
  }
  if (side === 'beginning' || side === 'start') return { wall: first };
  return { wall: side === 'middle' ? first + Math.floor((next - first) / dayMs / 2) * dayMs : next - dayMs };
}

function monthWall(month: number): number {
  return new Date(0).setUTCFullYear(Math.floor(month / 12), month % 12, 1);
}

function weekdayOf(wall: number): number {
  return new Date(wall).getUTCDay();
}

/** "in three days", "two weeks from tomorrow", "next two months", "next week", "every month". */
function readStep(plain: readonly string[], today: number): Day | null {
  let at = 0;
  let sign = 1;
  let counted = 1;
  while (at < plain.length && ['in', 'after', 'within', 'the', 'next', 'following', 'this', 'current', 'every', 'each', 'other', 'another', 'about', 'before', 'a', ...past].includes(plain[at] as string)) {
    if (past.has(plain[at] as string)) sign = -1;
    if (plain[at] === 'this' || plain[at] === 'current' || plain[at] === 'every' || plain[at] === 'each') counted = 0;
    at++;
  }
  const count = countAt(plain, at) ?? bigCount(plain[at]) ?? (at > 0 ? { value: 1, length: 0 } : null);
  if (!count) return null;
  at += count.length;
  if (count.length > 0) counted = 1;
  const unit = (plain[at] ?? '').replace(/s$/, '');
  const [days, months] = [unitDays.get(unit), unitMonths.get(unit)];
  if (days === undefined && months === undefined) return null;
  const anchor = plain[at + 1] === 'from' && plain[at + 2] === 'tomorrow' ? today + dayMs : today;
  if (plain.at(-1) === 'ago') sign = -1;
  const steps = Math.round(sign * counted * count.value * (days ?? months ?? 0));
  return { wall: days !== undefined ? anchor + steps * dayMs : addMonths(anchor, steps) };
}

/** The same day some months on; the last of a month that is too short. */
function addMonths(wall: number, months: number): number {
  const date = new Date(wall);
  const month = date.getUTCFullYear() * 12 + date.getUTCMonth() + months;
  const last = new Date(monthWall(month + 1) - dayMs).getUTCDate();
  return monthWall(month) + (Math.min(date.getUTCDate(), last) - 1) * dayMs;
}

/** "this weekend", "next weekend", "weekdays": the Saturday, or today when it is one. */
function readWeekend(plain: readonly string[], today: number): Day | null {
  const name = plain.at(-1) ?? '';
  const weekday = weekdayOf(today);
  if (name === 'weekdays' || name === 'weekday') return { wall: today + (weekday === 6 ? 2 : weekday === 0 ? 1 : 0) * dayMs, passes: true, forward: (wall) => wall + (weekdayOf(wall) === 5 ? 3 : 1) * dayMs };
  if (name !== 'weekend' && name !== 'weekends') return null;
  const saturday = weekday === 0 ? today - dayMs : today + (6 - weekday) * dayMs;
  if (plain.some((word) => past.has(word))) return { wall: saturday - 7 * dayMs };
  if (plain.includes('next')) return { wall: saturday + 7 * dayMs };
  return { wall: Math.max(saturday, today), passes: true, forward: (wall) => (weekdayOf(wall) === 6 ? wall + dayMs : wall + 6 * dayMs) };
}

/** "the fifteenth", "twenty second of this month", "friday the thirteenth": the next month that has such a day. */
function readOrdinal(plain: readonly string[], today: number): Day | null {
  const at = plain[0] === 'the' || plain[0] === 'on' ? 1 : 0;
  const ordinal = ordinalAt(plain, at);
  if (!ordinal) return null;
  const rest = plain.slice(at + ordinal.length).filter((word) => word !== 'of' && word !== 'the').join(' ');
  if (!['', 'this month', 'next month', 'month', 'every month', 'each month'].includes(rest)) return null;
  const date = new Date(today);
  const month = date.getUTCFullYear() * 12 + date.getUTCMonth() + (rest === 'next month' ? 1 : 0);
  const nextWith = (from: number): number => {
    let found = from;
    while (new Date(monthWall(found + 1) - dayMs).getUTCDate() < ordinal.value) found++;
    return found;
  };
  const dayIn = (from: number): number => monthWall(nextWith(from)) + (ordinal.value - 1) * dayMs;
  const forward = (wall: number): number => dayIn(new Date(wall).getUTCFullYear() * 12 + new Date(wall).getUTCMonth() + 1);
  return { wall: dayIn(month), ...(rest !== 'this month' && { forward }) };
}

/** Names of days and months, and dates in digits. */
function byChrono(plain: readonly string[], today: number): Day | null {
  const date = new Date(today);
  // Chrono reckons with the clock of this process: there, noon of the same day exists in every zone of the world.
  const noon = new Date(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), 12);
  const backward = plain.some((word) => past.has(word));
  const digits = inDigits(plain).join(' ');
  if (impossibleDay.test(digits)) return null;
  const parse = (said: string): chrono.ParsedResult | undefined => chrono.parse(said, noon, { forwardDate: !backward })[0];
  // 29 February is no day of this year in most years: it is the next that there is.
  const leap = leapDay.test(digits) ? [0, 1, 2, 3, 4, 5, 6, 7, 8].map((years) => parse(`${digits} ${date.getUTCFullYear() + years}`)).find((found) => found && found.start.date() >= noon) : undefined;
  const result = leap ?? parse(digits);
  if (!result) return null;
  const { start } = result;
  const certain = start.isCertain('day') || start.isCertain('weekday') || start.isCertain('month') || start.isCertain('year');
  if (!certain) return null;
  const wall = dayWall(start.get('year') as number, start.get('month') as number, start.get('day') as number);
  if (wall === null) return null;
  if (start.isCertain('weekday') && !start.isCertain('day')) return { wall, ...(!backward && { forward: (from) => from + 7 * dayMs, passes: true }) };
  // 29 February comes again after four or eight years, not after one.
  return { wall, ...(!start.isCertain('year') && { forward: (from) => nextYear(from) }) };
}

const impossibleDay = /\b(?:3[2-9]|[4-9]\d)(?:st|nd|rd|th)\b/;
const leapDay = /^(?:29(?:th)? (?:of )?feb(?:ruary)?|feb(?:ruary)? 29(?:th)?)$/;

function nextYear(wall: number): number {
  const date = new Date(wall);
  for (let year = date.getUTCFullYear() + 1; ; year++) {
    const found = dayWall(year, date.getUTCMonth() + 1, date.getUTCDate());
    if (found !== null) return found;
  }
}

const shortDays: Readonly<Record<string, string>> = { wensday: 'wednesday', wednsday: 'wednesday', thrusday: 'thursday', saterday: 'saturday' };

/** Numbers as digits, plural days as one day, and without the words that only chain ("every", "of this"). */
function inDigits(plain: readonly string[]): string[] {
  const out: string[] = [];
  for (let at = 0; at < plain.length;) {
    const word = plain[at] as string;
    const year = out.length > 1 || monthNames.has(out.at(-1) ?? '') ? yearAt(plain, at) : null;
    const ordinal = ordinalAt(plain, at);
    const cardinal = cardinalAt(plain, at);
    if (year && (out.some((before) => monthNames.has(before)))) out.push(String(year.value));
    else if (ordinal) out.push(`${ordinal.value}th`);
    else if (cardinal) out.push(String(cardinal.value));
    else if (!['every', 'each', 'other', 'following', 'alternate', 'by', 'before', 'after'].includes(word)) out.push(shortDays[word] ?? (/^(?:mon|tues|wednes|thurs|fri|satur|sun)days$/.test(word) ? word.slice(0, -1) : word));
    at += (year && out.at(-1) === String(year.value) ? year.length : ordinal?.length ?? cardinal?.length ?? 1);
  }
  return out;
}

const monthNames = new Set('january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec'.split(' '));
