// Reads a day and a time as people and models write them, in the time zone of whoever wrote them.
import * as chrono from 'chrono-node';

/** A point in time; `isDateOnly` when no time of day was said, then it is 09:00 on that day. */
export interface Due {
  readonly dueAt: Date;
  readonly isDateOnly: boolean;
}

/** The next point in time that the words name, seen from `now` in an IANA time zone; null when they name none. */
export function resolveDue(dateText: string, now: Date, timeZone: string): Due | null {
  const zoned = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' }).formatToParts(now).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(zoned) ?? [];
  const timezone = (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0));
  const [result] = chrono.parse(dateText, { instant: now, timezone }, { forwardDate: true });
  return result ? { dueAt: result.start.date(), isDateOnly: !result.start.isCertain('hour') } : null;
}
