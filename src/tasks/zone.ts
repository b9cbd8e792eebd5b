// Wall clocks and instants in IANA time zones. A wall clock is milliseconds since 1970 as if the zone were UTC, so that days
// and months can be counted on it without any zone.

const hourMs = 3_600_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** What a wall clock in the zone shows at an instant. Throws RangeError for an unknown zone. */
export function wallAt(instant: number, timeZone: string): number {
  const parts = Object.fromEntries(formatOf(timeZone).formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const wall = Date.UTC(2000, (parts.month as number) - 1, parts.day, parts.hour, parts.minute, parts.second);
  // Not Date.UTC's year, which takes 0..99 for 1900..1999; the milliseconds are the same in every zone.
  return new Date(wall).setUTCFullYear(parts.year as number, (parts.month as number) - 1, parts.day) + (((instant % 1000) + 1000) % 1000);
}

/**
 * The instant at which a wall clock in the zone shows this. Where clocks are set back and a time comes twice it is the first;
 * where they are set forward and a time is left out, as much later as the clocks jump (02:30 becomes 03:30).
 */
export function instantOf(wall: number, timeZone: string): number {
  // Zones lie between −12 and +14 hours of UTC: the true instant is less than 15 hours from the wall clock read as UTC.
  const before = wallAt(wall - 15 * hourMs, timeZone) - (wall - 15 * hourMs);
  const after = wallAt(wall + 15 * hourMs, timeZone) - (wall + 15 * hourMs);
  const found = [wall - before, wall - after].filter((instant) => wallAt(instant, timeZone) === wall);
  return found.length > 0 ? Math.min(...found) : wall - before;
}

/** Formats are costly to make; the engine knows about 600 zones, and no other name gets this far. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', { timeZone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' });
    formats.set(timeZone, format);
  }
  return format;
}
