// Finds the words of an utterance that say when: dates, times of day, recurrences, and the lead of a reminder ("an hour
// before"). One pass from left to right; at each word the longest reading wins.
import { clockAt, hourOfPart, meridiemLength } from './clock.ts';
import { cardinalAt, countAt, ordinalAt, yearAt } from './numbers.ts';
import { Phrases, type Word } from './words.ts';

/** One expression of time in words [from, to); `alsoDate` when a time or a recurrence names a day, too ("tonight", "every friday"). */
export interface When {
  readonly kind: 'date' | 'time' | 'recurrence' | 'lead';
  readonly from: number;
  readonly to: number;
  readonly alsoDate?: boolean;
}

const weekdays = 'monday tuesday wednesday thursday friday saturday sunday mon tue tues wed weds thu thur thurs fri sat sun wensday wednsday thrusday saterday';
const weekday = new Set(weekdays.split(' '));
const repeatingDay = new Set(['mondays', 'tuesdays', 'wednesdays', 'thursdays', 'fridays', 'saturdays', 'sundays', 'weekdays', 'weekends', 'mornings', 'evenings', 'afternoons', 'nights']);
const month = new Set('january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec'.split(' '));
const days = new Phrases('today, tomorrow, yesterday, tomorow, tommorow, tommorrow, tomorrows, todays, tmrw, tmr, the day after tomorrow, day after tomorrow, the day before yesterday, day before yesterday, day after, next day, following day, all day, all days');
const period = new Set(['day', 'days', 'week', 'weeks', 'weekend', 'weekends', 'month', 'months', 'year', 'years', 'quarter', 'fortnight', 'weekday', 'weekdays']);
const clockUnit = new Set(['minute', 'minutes', 'min', 'mins', 'hour', 'hours', 'hr', 'hrs', 'second', 'seconds']);
const pointing = new Set(['this', 'next', 'last', 'past', 'previous', 'coming', 'following', 'upcoming', 'current']);
const often = new Phrases('daily, weekly, monthly, yearly, annually, hourly, nightly, biweekly, bi-weekly, fortnightly, quarterly, weekdays, weekends, on weekdays, on weekends, all days');
const repeating = new Set(['recurring', 'repeating', 'recurrent', 'repetitive']);
const beforeTime = new Set(['at', 'by', 'from', 'between', 'till', 'until', 'after', 'before', 'around', 'about', 'approximately', 'to', 'for', 'and', 'sharply', 'sharp', 'o', 'than', 'is', '@']);
const bounds = new Set(['after', 'before', 'until', 'till', 'by', 'since', 'around', 'past', 'from']);

/** All expressions of time in order, none overlapping another. */
export function findWhens(words: readonly Word[]): When[] {
  const plain = words.map(({ word }) => word);
  const found: When[] = [];
  let index = 0;
  while (index < plain.length) {
    const when = whenAt(plain, words, index, found.at(-1));
    if (when) found.push(when);
    index = when?.to ?? index + 1;
  }
  return found;
}

function whenAt(plain: readonly string[], words: readonly Word[], index: number, last: When | undefined): When | null {
  const readings: When[] = [];
  const add = (kind: When['kind'], length: number, alsoDate = false): void => {
    if (length > 0) readings.push({ kind, from: index, to: index + length, alsoDate });
  };
  const recurrence = recurrenceLength(plain, words, index);
  add('recurrence', recurrence.length, recurrence.alsoDate);
  add('lead', leadLength(plain, index));
  const relative = relativeLength(plain, index);
  add(relative.kind, relative.length);
  const dayEnd = partOfDayLength(plain, index);
  add('time', dayEnd, true);
  if (dayEnd === 0) add('date', dateLength(plain, words, index));
  const time = timeLength(plain, index, last);
  add('time', time, ['tonight', 'tonights', 'next'].includes(plain[index] as string));
  return readings.reduce<When | null>((best, reading) => (best && best.to >= reading.to ? best : reading), null);
}

/** "every second friday", "each morning", "daily", "mondays", "twice a week", "every tuesday and thursday", "seven days a week". */
function recurrenceLength(plain: readonly string[], words: readonly Word[], index: number): { length: number; alsoDate: boolean } {
  const none = { length: 0, alsoDate: false };
  const word = plain[index] as string;
  if (word === 'every' || word === 'each' || word === 'everyday') {
    if (word === 'everyday') return { length: 1, alsoDate: true };
    let at = index + 1;
    if (['other', 'alternate', 'single', 'first', 'last'].includes(plain[at] ?? '')) at++;
    else {
      const count = cardinalAt(plain, at) ?? ordinalAt(plain, at);
      if (count) at += count.length;
    }
    const end = Math.max(dayListEnd(plain, at), month.has(plain[at] ?? '') ? at + calendarDayLength(plain, at) : 0);
    if (end > at) return { length: end - index, alsoDate: true };
    if (period.has(plain[at] ?? '') || clockUnit.has(plain[at] ?? '') || hourOfPart.has(plain[at] ?? '') || month.has(plain[at] ?? '')) {
      return { length: at + 1 - index, alsoDate: !clockUnit.has(plain[at] ?? '') };
    }
    return at > index + 1 && ordinalAt(plain, index + 1) ? { length: at - index, alsoDate: true } : none;
  }
  // "the fifteenth of every month"
  const day = ordinalAt(plain, word === 'the' ? index + 1 : index);
  const of = index + (word === 'the' ? 1 : 0) + (day?.length ?? 0);
  if (day && plain[of] === 'of' && (plain[of + 1] === 'every' || plain[of + 1] === 'each') && plain[of + 2] === 'month') return { length: of + 3 - index, alsoDate: true };
  if (repeatingDay.has(word)) {
    let end = index + 1;
    while ((plain[end] === 'and' || plain[end] === ',') && repeatingDay.has(plain[end + 1] ?? '')) end += 2;
    return { length: end - index, alsoDate: true };
  }
  if ((word === 'once' || word === 'twice' || word === 'thrice') && ['a', 'per', 'every', 'each'].includes(plain[index + 1] ?? '')) return { length: period.has(plain[index + 2] ?? '') ? 3 : 0, alsoDate: false };
  const count = cardinalAt(plain, index);
  if (count && ['days', 'times'].includes(plain[index + count.length] ?? '') && plain[index + count.length + 1] === 'a') return { length: period.has(plain[index + count.length + 2] ?? '') ? count.length + 3 : 0, alsoDate: false };
  if (word === 'on' && plain[index + 1] === 'a' && often.has(plain[index + 2]) && plain[index + 3] === 'basis') return { length: 4, alsoDate: false };
  const length = often.at(words, index) || (repeating.has(word) ? 1 : 0);
  return { length, alsoDate: length > 0 && /^(?:all|weekdays|weekends)$/.test(plain[index + length - 1] === 'days' ? 'all' : plain[index + length - 1] ?? '') };
}

/** The end of "tuesday thursday and saturday" that begins at a word, or that word. */
function dayListEnd(plain: readonly string[], index: number): number {
  const isDay = (at: number): boolean => weekday.has(plain[at] ?? '') || repeatingDay.has(plain[at] ?? '');
  if (!isDay(index)) return index;
  let end = index + 1;
  for (;;) {
    let next = end;
    while (plain[next] === 'and' || plain[next] === ',' || plain[next] === '&') next++;
    if (next - end > 2 || !isDay(next)) return end;
    end = next + 1;
  }
}

/** "fifteen minutes before", "an hour prior to", "a day in advance". */
function leadLength(plain: readonly string[], index: number): number {
  const count = countAt(plain, index);
  if (!count) return 0;
  let at = index + count.length;
  if (!clockUnit.has(plain[at] ?? '') && !period.has(plain[at] ?? '')) return 0;
  at++;
  if (['before', 'prior', 'earlier', 'ahead', 'beforehand'].includes(plain[at] ?? '')) return at + (['that', 'this', 'it', 'then'].includes(plain[at + 1] ?? '') && !/^\p{L}/u.test(plain[at + 2] ?? '') ? 2 : 1) - index;
  return plain[at] === 'in' && plain[at + 1] === 'advance' ? at + 2 - index : 0;
}

/** "in two hours", "after three days", "two hours from now", "fifteen minutes", "half an hour", "within an hour". */
function relativeLength(plain: readonly string[], index: number): { kind: 'date' | 'time'; length: number } {
  const led = ['in', 'after', 'within', 'before'].includes(plain[index] as string);
  let at = led ? index + 1 : index;
  if (led && plain[at] === 'the' && plain[at + 1] === 'next') at += 2;
  else if (led && ['another', 'next', 'about'].includes(plain[at] ?? '')) at++;
  const count = countAt(plain, at);
  if (!count) return { kind: 'time', length: 0 };
  at += count.length;
  if (plain[at] === 'more') at++;
  const unit = plain[at] ?? '';
  const kind = clockUnit.has(unit) ? 'time' : 'date';
  if (kind === 'date' && !period.has(unit)) return { kind, length: 0 };
  at++;
  if (plain[at] === 'ago') return { kind, length: at + 1 - index };
  const anchored = (plain[at] === 'from' && ['now', 'today', 'tomorrow'].includes(plain[at + 1] ?? '')) ? 2 : plain[at] === 'later' || plain[at] === 'hence' ? 1 : 0;
  // "a week" and "a minute" alone are lengths rather than days; a counted number of minutes or hours is a time.
  const counted = kind === 'time' && (count.length > 1 || !['a', 'an'].includes(plain[index] as string) || unit === 'hour');
  return led || anchored || counted ? { kind, length: at + anchored - index } : { kind, length: 0 };
}

/** "tomorrow", "next friday", "march fourteenth two thousand and seventeen", "the fifteenth", "end of the month", "3/15", "2026-03-15". */
function dateLength(plain: readonly string[], words: readonly Word[], index: number): number {
  const word = plain[index];
  if (word === undefined) return 0;
  if (/^\d{4}-\d{2}-\d{2}(?:t[\d:.]+z?)?$/.test(word) || /^\d{1,2}[/.-]\d{1,2}[/.-](?:\d{2}|\d{4})$/.test(word) || /^\d{1,2}\/\d{1,2}$/.test(word)) return 1;
  if (['after', 'before', 'until', 'till', 'since'].includes(word)) {
    const bound = dateLength(plain, words, index + 1);
    return bound ? bound + 1 : 0;
  }
  // "for the week", "for the day"
  if (word === 'the' && (['for', 'during'].includes(plain[index - 1] ?? '') || plain.length === 2) && period.has(plain[index + 1] ?? '') && !/^(?:of|after|before)$/.test(plain[index + 2] ?? '')) return 2;
  if (word === 'month' && plain[index + 1] === 'of' && month.has(plain[index + 2] ?? '')) return 3;
  const day = days.at(words, index);
  if (day) return day + possessive(plain, index + day);
  return Math.max(nthWeekdayLength(plain, index), partOfPeriodLength(plain, index), pointedLength(plain, index), weekdayLength(plain, index), calendarDayLength(plain, index));
}

function possessive(plain: readonly string[], index: number): number {
  return plain[index] === "'s" ? 1 : 0;
}

/** "first monday of the month", "the last friday of march". */
function nthWeekdayLength(plain: readonly string[], index: number): number {
  let at = plain[index] === 'the' ? index + 1 : index;
  const ordinal = ordinalAt(plain, at);
  if (!(ordinal && ordinal.value <= 5) && plain[at] !== 'last') return 0;
  at += ordinal?.length ?? 1;
  if (!weekday.has(plain[at] ?? '') || plain[at + 1] !== 'of') return 0;
  at += 2;
  if (['the', 'this', 'next', 'every', 'each'].includes(plain[at] ?? '')) at++;
  return plain[at] === 'month' || month.has(plain[at] ?? '') ? at + 1 - index : 0;
}

/** "by the end of the day", "the rest of the day". */
function partOfDayLength(plain: readonly string[], index: number): number {
  const length = partOfPeriodLength(plain, index);
  return length > 0 && plain[index + length - 1] === 'day' ? length : 0;
}

/** "end of the month", "rest of the week", "beginning of next year", "end of day". */
function partOfPeriodLength(plain: readonly string[], index: number): number {
  let at = plain[index] === 'by' ? index + 1 : index;
  if (plain[at] === 'the') at++;
  if (!['end', 'rest', 'remainder', 'beginning', 'start', 'middle'].includes(plain[at] ?? '') || plain[at + 1] !== 'of') return 0;
  at += 2;
  if (plain[at] === 'the') at++;
  const pointed = pointedLength(plain, at);
  if (pointed) return at + pointed - index;
  return period.has(plain[at] ?? '') || month.has(plain[at] ?? '') || plain[at] === 'today' ? at + 1 - index : 0;
}

/** "next week", "this coming friday", "the next two weeks", "last month", "following week", "next march". */
function pointedLength(plain: readonly string[], index: number): number {
  let at = index;
  if (plain[at] === 'the') at++;
  if (!pointing.has(plain[at] ?? '')) return 0;
  at++;
  if (pointing.has(plain[at] ?? '')) at++;
  const count = countAt(plain, at);
  if (count && period.has(plain[at + count.length] ?? '')) return at + count.length + 1 - index;
  if (plain[at] === 'second') return 0;
  if (weekday.has(plain[at] ?? '')) return at + 1 - index + possessive(plain, at + 1);
  if (!period.has(plain[at] ?? '') && !month.has(plain[at] ?? '')) return 0;
  return at + 1 - index + possessive(plain, at + 1);
}

/** "friday", "saturday march twenty fifth", "sunday's", "on the weekend". */
function weekdayLength(plain: readonly string[], index: number): number {
  const word = plain[index] as string;
  if (word === 'weekend') return 1;
  if (!weekday.has(word)) return 0;
  // Short forms that are words of their own are days only after a preposition or before a time.
  if (['sat', 'sun', 'wed', 'mon'].includes(word) && !clockAt(plain, index + 1)?.sure && !['on', 'by', 'until', 'till', 'for', 'due', 'before', 'after', 'to', 'from'].includes(plain[index - 1] ?? '')) return 0;
  let at = index + 1;
  if (plain[at] === ',') at++;
  const day = calendarDayLength(plain, at);
  return day ? at + day - index : 1 + possessive(plain, index + 1);
}

/** "march fourteenth", "the twenty third of march", "twenty six march", "twenty second of this month", "the fifteenth", "in may", "march". */
function calendarDayLength(plain: readonly string[], index: number): number {
  const withYear = (at: number): number => {
    const comma = plain[at] === ',' ? 1 : 0;
    const year = yearAt(plain, at + comma);
    return year ? at + comma + year.length : at;
  };
  let at = index;
  if (month.has(plain[at] ?? '')) {
    let day = at + 1;
    if (plain[day] === 'the') day++;
    const number = ordinalAt(plain, day) ?? cardinalAt(plain, day);
    if (number && number.value >= 1 && number.value <= 31 && !isClock(plain, day)) {
      return withYear(day + number.length) + possessive(plain, withYear(day + number.length)) - index;
    }
    const year = yearAt(plain, at + 1);
    if (year) return 1 + year.length;
    // "may", "march" and the short forms are other words, too: they need a preposition, or to be spelled as no other word is.
    const clear = !['may', 'march', 'mar', 'jan', 'sep', 'dec', 'jun'].includes(plain[at] as string);
    const prepared = ['in', 'of', 'for', 'this', 'next', 'last', 'during', 'until', 'by', 'since', 'my'].includes(plain[at - 1] ?? '');
    return clear || prepared || (plain[at] === 'march' && at > 0) ? 1 + possessive(plain, index + 1) : 0;
  }
  if (plain[at] === 'the') at++;
  const ordinal = ordinalAt(plain, at);
  const number = ordinal ?? cardinalAt(plain, at);
  if (!number || number.value < 1 || number.value > 31) return 0;
  const after = at + number.length;
  const of = plain[after] === 'of' ? 1 : 0;
  if (month.has(plain[after + of] ?? '')) return withYear(after + of + 1) - index;
  if (!ordinal) return 0;
  if (of && ['this', 'next', 'the'].includes(plain[after + 1] ?? '') && plain[after + 2] === 'month') return after + 3 - index;
  const prepared = ['on', 'for', 'by', 'until', 'till', 'of', 'is', 'before', 'after', 'to', 'from'].includes(plain[index - 1] ?? '') || (plain[index - 1] === 'the' && ['on', 'for', 'by', 'until', 'of', 'is', 'to'].includes(plain[index - 2] ?? ''));
  const closed = plain[after] === undefined || !/[\p{L}\p{N}]/u.test(plain[after]) || ordinalCloses.has(plain[after]) || isClock(plain, after);
  // "the first item" and "on the fifth floor" are no dates; from the thirteenth on, an ordinal after "on the" hardly is anything else.
  const late = number.value > 12;
  if (index === 0 && after === plain.length) return after;
  return (closed && (prepared || late)) || (prepared && late) ? after - index : 0;
}

const ordinalCloses = new Set(['at', 'for', 'from', 'in', 'to', 'with', 'and', 'please', 'about', 'by', 'between', 'is', 'morning', 'afternoon', 'evening', 'night', 'okay', 'ok', 'my', 'that', 'i', 'of', 'around', 'after', 'before', 'can', 'so', 'because', 'if', 'set', 'remind', 'add', 'as', 'or', 'but', 'then', 'this', 'it', 'create', 'make', 'schedule', 'put']);

/** Whether a time with its half of the day begins at a word: the "five" of "march five pm" is an hour, not a day. */
function isClock(plain: readonly string[], index: number): boolean {
  const hour = cardinalAt(plain, index);
  return hour !== null && meridiemLength(plain, index + hour.length) > 0;
}

/** "eleven am", "half past six", "between three and four pm", "after seven", "noon", "tonight", "in the morning", "this evening", "later". */
function timeLength(plain: readonly string[], index: number, last: When | undefined): number {
  const word = plain[index] as string;
  if (word === 'tonight' || word === 'tonights') return 1 + possessive(plain, index + 1);
  if (word === 'good') return 0;
  if (hourOfPart.has(word) && plain[index - 1] !== 'good') return 1;
  if (['this', 'the', 'late', 'early', 'next'].includes(word)) {
    const part = ['late', 'early'].includes(plain[index + 1] ?? '') ? index + 2 : index + 1;
    if (hourOfPart.has(plain[part] ?? '') && (word !== 'the' || plain[index - 1] === 'in')) return part + 1 - index;
  }
  if (word === 'later' && ['today', 'this', 'in', 'on'].includes(plain[index + 1] ?? '')) return plain[index + 1] === 'today' ? 2 : 1;
  if (word === 'between' || word === 'from') {
    const first = clockLength(plain, index + 1, true);
    const second = first ? index + 1 + first : 0;
    if (first && ['and', 'to', 'till', 'until', '-', 'through'].includes(plain[second] ?? '')) {
      const end = clockLength(plain, second + 1, true);
      if (end) return second + 1 + end - index;
    }
    if (first && word === 'between') return 1 + first + clockLength(plain, index + 1 + first, true);
  }
  if (bounds.has(word)) {
    const clock = clockLength(plain, index + 1, true);
    if (clock) return 1 + clock;
  }
  const afterWhen = last !== undefined && last.to === index && last.kind !== 'recurrence';
  return clockLength(plain, index, beforeTime.has(plain[index - 1] ?? '') || afterWhen);
}

/** The length of a time of the clock at a word. A bare number is one only when the words before it say so (`expected`). */
function clockLength(plain: readonly string[], index: number, expected: boolean): number {
  if (expected && hourOfPart.has(plain[index] ?? '')) return 1;
  const clock = clockAt(plain, index);
  if (!clock) return 0;
  return clock.half || clock.sure || (expected && closesTime(plain, index + clock.length) && !(plain[index - 1] === 'for' && plain[index + clock.length] === 'at')) ? clock.length : 0;
}

const timeCloses = new Set([
  'today', 'tomorrow', 'tonight', 'on', 'in', 'for', 'with', 'to', 'and', 'please', 'every', 'this', 'next', 'that', 'sharp', 'by', 'about', 'from', 'until', 'till', 'so', 'or', 'daily',
  'morning', 'evening', 'night', 'afternoon', 'at', 'my', 'i', 'because', 'of', 'off', 'can', 'is', 'it', 'alarm', 'meeting', 'appointment', 'reminder', 'event', 'call', 'remind', 'notify', 'wake', 'alert', 'set', 'add', 'create', 'schedule', 'put', 'send',
]);

/** Whether a bare number may end here as a time: "at four about an event", but not "at four seasons". */
function closesTime(plain: readonly string[], index: number): boolean {
  const word = plain[index];
  return word === undefined || timeCloses.has(word) || weekday.has(word) || repeatingDay.has(word) || !/[\p{L}\p{N}]/u.test(word);
}
