// Which names of time zones are taken: those that this system's clock knows.
import { z } from 'zod';

/** An IANA time zone, such as Europe/Berlin. */
export const timeZoneName = z
  .string()
  .max(100, 'The name of a time zone has at most 100 characters.')
  .refine(isKnown, { error: 'This is not an IANA time zone, such as Europe/Berlin.', params: { constraint: 'timeZone' } });

function isKnown(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
