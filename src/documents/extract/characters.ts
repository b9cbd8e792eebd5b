// Which characters may stand in a stored text: those that a database keeps, a reader sees and a line is made of.

/** A text with "\n" as its only line end and without control characters, soft hyphens and lone surrogates. */
export function clean(text: string): string {
  return text
    .replace(/\r\n?|[\v\u0085\u2028\u2029]/g, '\n')
    .replace(/\f/g, '\n\n')
    // eslint-disable-next-line no-control-regex -- removing control characters is the purpose
    .replace(/[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u00ad\ufeff\ufffe\uffff]/g, '')
    .toWellFormed();
}

/** Whether a text has at least one letter or digit of any script. */
export function hasWord(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}

/** A value of a document's metadata on one line, at most `maxLength` code units long; undefined when nothing is left. */
export function oneLine(value: unknown, maxLength = 1000): string | undefined {
  if (typeof value !== 'string') return undefined;
  const line = clean(value.slice(0, maxLength * 4)).replace(/\s+/g, ' ').trim().slice(0, maxLength).toWellFormed();
  return line === '' ? undefined : line;
}

/** A date of a document's metadata; undefined when it cannot be read or lies outside the years a database keeps. */
export function dateOf(value: unknown): Date | undefined {
  if (typeof value !== 'string' && !(value instanceof Date)) return undefined;
  const date = new Date(value);
  const year = date.getUTCFullYear();
  return Number.isNaN(year) || year < 1 || year > 9999 ? undefined : date;
}
