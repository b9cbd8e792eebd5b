// A task that is moved by so much time, seen from when it is due: "push it back by an hour", "a week later", "two days earlier".
import { z } from 'zod';
import { dayMs } from './days.ts';
import { cardinalAt } from './numbers.ts';
import { instantOf, wallAt } from '../zone.ts';

/** By how much; less than 0 is earlier. Days and months are counted on the calendar, so that the time of day stays. */
export const dueShift = z.object({ unit: z.enum(['minute', 'day', 'month']), amount: z.int() });
export type DueShift = z.output<typeof dueShift>;

const units: Readonly<Record<string, DueShift>> = {
  minute: { unit: 'minute', amount: 1 }, min: { unit: 'minute', amount: 1 }, hour: { unit: 'minute', amount: 60 },
  day: { unit: 'day', amount: 1 }, week: { unit: 'day', amount: 7 }, fortnight: { unit: 'day', amount: 14 },
  month: { unit: 'month', amount: 1 }, year: { unit: 'month', amount: 12 },
};

/** The shift that words say ("an hour", "by two days", "a week later", "half an hour earlier"); null for what names a moment ("in two hours", "friday"). */
export function shiftOf(text: string): DueShift | null {
  const words = text.toLowerCase().replaceAll(/[.,!]/g, '').split(/\s+/);
  let at = /^(?:by|for)$/.test(words[0] ?? '') ? 1 : 0;
  const isHalf = words[at] === 'half';
  if (isHalf) at++;
  if (words[at] === 'a' && words[at + 1] === 'couple' && words[at + 2] === 'of') words.splice(at, 3, 'two');
  const number = /^(?:a|an|one|another)$/.test(words[at] ?? '') ? { value: 1, length: 1 } : cardinalAt(words, at);
  if (!number) return null;
  const unit = units[(words[at + number.length] ?? '').replace(/s$/, '')];
  const rest = words.slice(at + number.length + 1).join(' ');
  if (!unit || !/^(?:|later|earlier|more|longer|ahead|sooner)$/.test(rest)) return null;
  const amount = unit.amount * number.value * (rest === 'earlier' || rest === 'sooner' ? -1 : 1);
  if (!isHalf) return { unit: unit.unit, amount };
  return unit.unit === 'minute' && amount % 2 === 0 ? { unit: 'minute', amount: amount / 2 } : null;
}

/** When a task is due then. One without a time, and one that would still be overdue although it was put off, is moved from now. */
export function shifted(due: Date | null, shift: DueShift, now: Date, timeZone: string): Date {
  const moved = moveBy(due ?? now, shift, timeZone);
  return due !== null && shift.amount > 0 && moved < now ? moveBy(now, shift, timeZone) : moved;
}

function moveBy(from: Date, { unit, amount }: DueShift, timeZone: string): Date {
  if (unit === 'minute') return new Date(+from + amount * 60_000);
  const wall = wallAt(+from, timeZone);
  if (unit === 'day') return new Date(instantOf(wall + amount * dayMs, timeZone));
  const day = new Date(wall);
  // The 31st of a shorter month is its last day.
  const last = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + amount + 1, 0)).getUTCDate();
  const date = Math.min(day.getUTCDate(), last);
  return new Date(instantOf(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + amount, date) + (wall % dayMs), timeZone));
}
