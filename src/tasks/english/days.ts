// Reads the day that an expression of time names, on a wall clock: "friday the thirteenth", "end of the month", "in two weeks".
// Counts, ends of months and repeating days are read here; names of days and months, and dates in digits, by chrono-node.
import * as chrono from 'chrono-node';
import { cardinalAt, countAt, ordinalAt, yearAt } from './numbers.ts';
import { Phrases, wordsOf } from './words.ts';

/** The length of a day on a wall clock, which knows no change of clocks. */
export const dayMs = 86_400_000;

/** A day as a wall clock at midnight. When it may lie in the past although the next such day was meant, `forward` gives that. */
export interface Day {
  readonly wall: number;
  readonly forward?: (wall: number) => number;
  /** Whether the same day counts as passed once its time has passed ("friday" said on a friday evening is the next one). */
  readonly passes?: boolean;
}

/** The wall clock at the beginning of a day, or null when there is no such day. */
export function dayWall(year: number, month: number, day: number): number | null {
  const wall = new Date(0).setUTCFullYear(year, month - 1, day);
  const date = new Date(wall);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? wall : null;
}

const relativeDays = new Map<string, number>([
  ...['today', 'todays', 'tonight', 'tonights', 'all day', 'this day', 'this date', 'current day'].map((name): [string, number] => [name, 0]),
  ...['tomorrow', 'tomorrows', 'tomorow', 'tommorow', 'tommorrow', 'tmrw', 'tmr', 'next day', 'following day', 'the next day', 'the following day', 'day after'].map((name): [string, number] => [name, 1]),
  ...['day after tomorrow', 'the day after tomorrow'].map((name): [string, number] => [name, 2]),
  ['next morning', 1], ['next evening', 1], ['next afternoon', 1], ['next night', 1], ['yesterday', -1], ['day before yesterday', -2], ['the day before yesterday', -2], ['last day', -1], ['previous day', -1],
]);
const anyDay = new Phrases('daily, every day, everyday, each day, all days, every morning, every evening, every night, every afternoon, every single day, each morning, each evening, each night');
/** Days of the units that are whole days. */
export const unitDays = new Map([['day', 1], ['week', 7], ['fortnight', 14]]);
const unitMonths = new Map([['month', 1], ['quarter', 3], ['year', 12]]);
const past = new Set(['last', 'past', 'previous', 'ago']);

/** A day from the words of one expression. */
export function readDay(said: readonly string[], today: number): Day | null {
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

/** The wall clock at the beginning of a month, counted from the year 0. */
export function monthWall(month: number): number {
  return new Date(0).setUTCFullYear(Math.floor(month / 12), month % 12, 1);
}

/** 0 for a Sunday. */
export function weekdayOf(wall: number): number {
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
  // "for the week" is this week.
  if (at === 1 && plain[0] === 'the') counted = 0;
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
export function addMonths(wall: number, months: number): number {
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
export function byChrono(plain: readonly string[], today: number): Day | null {
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

/** From Monday on. */
export const weekdayNames = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** The first day of a repeating one that falls on a weekday ("friday the thirteenth"); the day itself when none does soon. */
function onWeekday(day: Day, weekday: number, today: number): Day {
  let { wall } = day;
  for (let tries = 0; tries < 48 && (weekdayOf(wall) !== weekday || wall < today) && day.forward; tries++) wall = day.forward(wall);
  return weekdayOf(wall) === weekday ? { wall } : day;
}

/** A count in digits of any size. */
export function bigCount(word: string | undefined): { value: number; length: number } | null {
  return word !== undefined && /^\d{1,6}(?:\.\d)?$/.test(word) ? { value: Number(word), length: 1 } : null;
}
