// The days that words about time cover when tasks are looked for: "this week" is seven days, "in may" a month, "before friday"
// everything until then. A task is due at one moment (dates.ts); what is asked for may be due on many days.
import { resolveDue } from './dates.ts';
import { addMonths, dayMs, monthWall, weekdayOf } from './days.ts';
import { countAt } from './numbers.ts';
import { wordsOf } from './words.ts';
import { instantOf, wallAt } from '../zone.ts';

/** From, and before; ISO 8601 in UTC. */
export interface Period {
  readonly from: string;
  readonly before: string;
}

const past = new Set(['last', 'past', 'previous']);
const coming = new Set(['next', 'following', 'coming', 'upcoming']);
const open = { from: 0, before: Date.UTC(9999, 11, 31) };

/** The days that the words name, seen from `now` in an IANA time zone; null when they name none. Weeks begin on Mondays. */
export function resolvePeriod(text: string, now: Date, timeZone: string): Period | null {
  const plain = wordsOf(text).map(({ word }) => word).filter((word) => word !== 'the' && word !== "'s");
  const today = Math.floor(wallAt(+now, timeZone) / dayMs) * dayMs;
  const due = resolveDue(text, now, timeZone);
  const day = due && Math.floor(wallAt(+due.dueAt, timeZone) / dayMs) * dayMs;
  const walls = spanOf(plain, today) ?? (day === null ? null : around(plain, day));
  const instant = (wall: number): string => new Date(wall === open.from || wall === open.before ? wall : instantOf(wall, timeZone)).toISOString();
  return walls && { from: instant(walls[0]), before: instant(walls[1]) };
}

/** The day, or all before or after it, or the month or weekend that begins with it. */
function around(plain: readonly string[], day: number): [number, number] {
  const lead = plain[0] ?? '';
  if (lead === 'before') return [open.from, day];
  if (/^(?:by|until|till)$/.test(lead)) return [open.from, day + dayMs];
  if (lead === 'after') return [day + dayMs, open.before];
  if (plain.at(-1) === 'weekend') return [day, day + (weekdayOf(day) === 0 ? 1 : 2) * dayMs];
  if (monthNames.test(plain.at(-1) ?? '') && plain.length <= 2) return [day, monthWall(monthOf(day) + 1)];
  return [day, day + dayMs];
}

const monthNames = /^(?:january|february|march|april|may|june|july|august|september|october|november|december)$/;

/** "this week", "next month", "rest of the year", "the next three days", "within two weeks": wall clocks of its beginning and end. */
function spanOf(plain: readonly string[], today: number): [number, number] | null {
  const rest = /^(?:rest|remainder)$/.test(plain[0] ?? '') && plain[1] === 'of';
  let at = rest ? 2 : 0;
  const within = /^(?:in|within|for|over|during)$/.test(plain[at] ?? '') ? plain[at++] : null;
  const shift = coming.has(plain[at] ?? '') ? 1 : past.has(plain[at] ?? '') ? -1 : 0;
  if (shift !== 0 || /^(?:this|current)$/.test(plain[at] ?? '')) at++;
  const count = countAt(plain, at);
  const unit = (plain[at + (count?.length ?? 0)] ?? '').replace(/s$/, '');
  if (at + (count?.length ?? 0) + 1 !== plain.length || !units.has(unit)) return null;
  // "in two weeks" is a day, "within two weeks" and "the next two weeks" are all days until then.
  if (count) return shift === 0 && (within === null || within === 'in') ? null : sorted(today, moved(today, unit, (shift || 1) * count.value), shift < 0);
  if (unit === 'day') return null;
  const first = beginning(unit, today);
  const from = moved(first, unit, shift);
  return [rest ? Math.max(today, from) : from, moved(from, unit, 1)];
}

const units = new Set(['day', 'week', 'month', 'quarter', 'year']);

/** From today on, or until the end of today. */
function sorted(today: number, other: number, back: boolean): [number, number] {
  return back ? [other, today + dayMs] : [today, other + dayMs];
}

function monthOf(wall: number): number {
  return new Date(wall).getUTCFullYear() * 12 + new Date(wall).getUTCMonth();
}

function beginning(unit: string, today: number): number {
  if (unit === 'week') return today - ((weekdayOf(today) + 6) % 7) * dayMs;
  const months = unit === 'year' ? 12 : unit === 'quarter' ? 3 : 1;
  return monthWall(Math.floor(monthOf(today) / months) * months);
}

/** The wall clock some units on. */
function moved(wall: number, unit: string, count: number): number {
  if (unit === 'day' || unit === 'week') return wall + Math.round(count * (unit === 'week' ? 7 : 1)) * dayMs;
  return addMonths(wall, Math.round(count * (unit === 'year' ? 12 : unit === 'quarter' ? 3 : 1)));
}
