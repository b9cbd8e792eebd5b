// Times of the clock in words and digits: "eleven am", "half past six", "seven hundred and forty five pm", "5:30", "eight o'clock".
import { cardinalAt } from './numbers.ts';

/** A time that was said. `half` is null when the words leave it open whether four is 04:00 or 16:00; then `exact` tells a 24-hour clock. */
export interface Clock {
  readonly hour: number;
  readonly minute: number;
  readonly half: 'am' | 'pm' | null;
  readonly exact: boolean;
  /** Whether the form alone shows that it is a time ("six thirty", "8 o'clock"), rather than the words around it. */
  readonly sure: boolean;
  /** The words it takes, with "in the morning" after it. */
  readonly length: number;
}

/** The parts of a day and the hour that each stands for when no other time is said. */
export const hourOfPart: ReadonlyMap<string, number> = new Map([
  ['morning', 9], ['noon', 12], ['midday', 12], ['lunchtime', 12], ['afternoon', 15], ['evening', 19], ['night', 21], ['tonight', 21], ['tonights', 21], ['bedtime', 21], ['midnight', 24], ['dawn', 6], ['daybreak', 6], ['sunrise', 6], ['sunset', 18], ['dusk', 18],
]);

/** The time that begins at a word; whether a bare number is one, the caller knows from the words before and after it. */
export function clockAt(plain: readonly string[], index: number): Clock | null {
  const word = plain[index] ?? '';
  const digits = /^(\d{1,2})(?:[:.](\d{2}))?(?:[:.]\d{2})?([ap]m)?$/.exec(word);
  if (digits && (digits[2] ?? digits[3])) {
    const clock = { hour: Number(digits[1]), minute: Number(digits[2] ?? 0), exact: /^\d\d/.test(word) && digits[2] !== undefined, sure: true };
    if (digits[3]) return checked({ ...clock, half: digits[3] as 'am' | 'pm', length: partEnd(plain, index + 1) - index });
    return withHalf(plain, index, index + 1, clock);
  }
  return spokenBefore(plain, index) ?? spoken(plain, index);
}

/** "half past six", "a quarter to five", "twenty to five", "ten minutes past six". */
function spokenBefore(plain: readonly string[], index: number): Clock | null {
  let at = plain[index] === 'a' ? index + 1 : index;
  let minutes = plain[at] === 'half' ? 30 : plain[at] === 'quarter' ? 15 : 0;
  let named = minutes > 0;
  if (named) at++;
  else {
    const number = cardinalAt(plain, index);
    if (!number || number.value < 1 || number.value > 59) return null;
    minutes = number.value;
    at = index + number.length;
    if (['minutes', 'minute', 'mins', 'min'].includes(plain[at] ?? '')) {
      at++;
      named = true;
    } else if (minutes % 5 !== 0) return null;
  }
  const past = plain[at] === 'past' || (named && plain[at] === 'after');
  if (!past && !(['to', 'till', 'before', 'of'].includes(plain[at] ?? '') && (named || minutes > 12))) return null;
  if (!past && plain[at] === 'of' && minutes !== 15) return null;
  const hour = cardinalAt(plain, at + 1);
  if (!hour || hour.value < 1 || hour.value > 24) return null;
  const clock = past ? { hour: hour.value, minute: minutes } : { hour: hour.value === 1 ? 12 : hour.value - 1, minute: 60 - minutes };
  return withHalf(plain, index, at + 1 + hour.length, { ...clock, exact: hour.value > 12, sure: named || past });
}

/** "eleven", "six thirty", "seven hundred and forty five", "eight o clock", "five oh five". */
function spoken(plain: readonly string[], index: number): Clock | null {
  if (plain[index] === 'one' && plain[index + 1] === 'thousand') return thousand(plain, index);
  const first = cardinalAt(plain, index);
  if (!first || first.value > 24) return null;
  let at = index + first.length;
  let minute = 0;
  let sure = false;
  let exact = first.value > 12;
  if (plain[at] === 'hundred') {
    at++;
    const and = plain[at] === 'and' ? 1 : 0;
    const minutes = cardinalAt(plain, at + and);
    if (minutes && minutes.value < 60 && (and || minutes.value >= 10)) {
      minute = minutes.value;
      at += and + minutes.length;
    }
    if (plain[at] === 'hours') {
      at++;
      exact = true;
    }
  } else if (plain[at] === "o'clock" || plain[at] === 'oclock' || (plain[at] === 'o' && plain[at + 1] === 'clock')) {
    at += plain[at] === 'o' ? 2 : 1;
    sure = true;
  } else if (first.value === 12 && ['noon', 'midday', 'midnight'].includes(plain[at] ?? '')) {
    const hour = hourOfPart.get(plain[at] as string) as number;
    return checked({ hour, minute: 0, half: null, exact: true, sure: true, length: at + 1 - index });
  } else {
    const oh = plain[at] === 'oh' || plain[at] === 'o' ? 1 : 0;
    const minutes = cardinalAt(plain, at + oh);
    if (minutes && minutes.value < 60 && (oh ? minutes.value < 10 : minutes.value >= 10) && first.length === 1 && first.value > 0) {
      minute = minutes.value;
      at += oh + minutes.length;
      sure = minute % 5 === 0 && /^\p{L}+$/u.test(plain[index] as string);
    }
  }
  return withHalf(plain, index, at, { hour: first.value, minute, exact, sure });
}

/** "one thousand three hundred and thirty" is 13:30, as soldiers say it. */
function thousand(plain: readonly string[], index: number): Clock | null {
  const hours = cardinalAt(plain, index + 2);
  const hundred = hours && hours.length === 1 && hours.value > 0 && hours.value < 10 && plain[index + 3] === 'hundred';
  let at = index + (hundred ? 4 : 2);
  const and = plain[at] === 'and' ? 1 : 0;
  const minutes = cardinalAt(plain, at + and);
  if (minutes && minutes.value < 60 && minutes.value > 0) at += and + minutes.length;
  if (plain[at] === 'hours') at++;
  return withHalf(plain, index, at, { hour: 10 + (hundred ? hours.value : 0), minute: minutes?.value ?? 0, exact: true, sure: hundred === true });
}

/** With the half of the day that stands after the time, and "in the morning" or "at night". */
function withHalf(plain: readonly string[], index: number, at: number, clock: Pick<Clock, 'hour' | 'minute' | 'exact' | 'sure'>): Clock | null {
  const meridiem = meridiemLength(plain, at);
  if (meridiem > 0) {
    let end = partEnd(plain, at + meridiem);
    if (plain[end] === 'sharp') end++;
    return checked({ ...clock, sure: true, half: plain[at]?.startsWith('a') ? 'am' : 'pm', length: end - index });
  }
  const end = partEnd(plain, at);
  return checked({ ...clock, sure: clock.sure || end > at, half: null, length: end - index });
}

/** The end of "in the morning", "at night" at a word. */
function partEnd(plain: readonly string[], at: number): number {
  if (!['in', 'at'].includes(plain[at] ?? '')) return at;
  const part = plain[at + 1] === 'the' ? at + 2 : at + 1;
  return ['morning', 'afternoon', 'evening', 'night'].includes(plain[part] ?? '') ? part + 1 : at;
}

/** The length of "am", "p.m", "p m" at a word. */
export function meridiemLength(plain: readonly string[], index: number): number {
  const word = plain[index] ?? '';
  if (['am', 'pm', 'a.m', 'p.m'].includes(word)) return plain[index + 1] === '.' && word.includes('.') ? 2 : 1;
  return (word === 'a' || word === 'p') && plain[index + 1] === 'm' ? 2 : 0;
}

function checked(clock: Clock): Clock | null {
  return clock.minute < 60 && clock.hour <= 24 && !(clock.half && (clock.hour > 12 && clock.exact === false)) ? clock : null;
}
