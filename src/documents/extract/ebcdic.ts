// EBCDIC code page 500, the Latin code page of IBM mainframes, which no decoder of the platform knows.
// https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/EBCDIC/CP500.TXT

/** Text of EBCDIC bytes; control characters other than tab and line ends become U+0000. */
export function decodeEbcdic(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let start = 0; start < bytes.length; start += 8192) {
    let piece = '';
    for (const byte of bytes.subarray(start, start + 8192)) piece += characters[byte];
    pieces.push(piece);
  }
  return pieces.join('');
}

/** Whether bytes read as EBCDIC text: its space (0x40) is common, and nearly all the rest are letters, digits and plain marks. */
export function looksLikeEbcdic(sample: Uint8Array): boolean {
  let spaces = 0;
  let plain = 0;
  let ascii = 0;
  for (const byte of sample) {
    if (byte === 0x40) spaces += 1;
    if (/[\w\s.,;:'"()/-]/.test(characters[byte] ?? '')) plain += 1;
    if (byte === 0x20 || (byte >= 0x61 && byte <= 0x7a)) ascii += 1;
  }
  const all = sample.length;
  return all >= 16 && spaces >= all * 0.03 && plain >= all * 0.9 && ascii < all * 0.25;
}

const printable =
  ' \u00a0âäàáãåçñ[.<(+!' + '&éêëèíîïìß]$*);^' + '-/ÂÄÀÁÃÅÇÑ¦,%_>?' + 'øÉÊËÈÍÎÏÌ`:#@\'="'
  + 'Øabcdefghi«»ðýþ±' + '°jklmnopqrªºæ¸Æ¤' + 'µ~stuvwxyz¡¿ÐÝÞ®' + '¢£¥·©§¶¼½¾¬|¯¨´×'
  + '{ABCDEFGHI\u00adôöòóõ' + '}JKLMNOPQR¹ûüùúÿ' + '\\÷STUVWXYZ²ÔÖÒÓÕ' + '0123456789³ÛÜÙÚ\u0000';

const controls = new Map([[0x05, '\t'], [0x0d, '\r'], [0x15, '\n'], [0x25, '\n']]);
const characters: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte < 0x40 ? controls.get(byte) ?? '\u0000' : printable[byte - 0x40] ?? '\u0000');
