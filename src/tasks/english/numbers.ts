// Numbers in words, as they are spoken in dates and times: "twenty third", "two thousand and seventeen", "a couple of".

const units = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen'];
const tens = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
const ordinals = ['zeroth', 'first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth', 'eleventh', 'twelfth', 'thirteenth', 'fourteenth', 'fifteenth', 'sixteenth', 'seventeenth', 'eighteenth', 'nineteenth'];

const unitOf = new Map(units.map((word, value) => [word, value]));
const tenOf = new Map([...tens.map((word, index): [string, number] => [word, (index + 2) * 10]), ['fourty', 40]]);
const ordinalOf = new Map<string, number>([...ordinals.map((word, value): [string, number] => [word, value]), ['twelveth', 12], ['twentieth', 20], ['thirtieth', 30]]);

/** A number and how many words it takes. */
export interface Numeral {
  readonly value: number;
  readonly length: number;
}

/** The cardinal below 100 that begins at a word: "seven", "twenty three", "twenty-three", "23". */
export function cardinalAt(words: readonly string[], index: number): Numeral | null {
  const word = words[index];
  if (word === undefined) return null;
  if (/^\d{1,2}$/.test(word)) return { value: Number(word), length: 1 };
  const [ten, unit] = word.split('-');
  const joined = tenOf.get(ten as string);
  if (unit !== undefined && joined !== undefined && (unitOf.get(unit) ?? 10) < 10) return { value: joined + (unitOf.get(unit) as number), length: 1 };
  const alone = unitOf.get(word);
  if (alone !== undefined) return { value: alone, length: 1 };
  const tenth = tenOf.get(word);
  if (tenth === undefined) return null;
  const next = unitOf.get(words[index + 1] ?? '');
  return next !== undefined && next > 0 && next < 10 ? { value: tenth + next, length: 2 } : { value: tenth, length: 1 };
}

/** The ordinal up to the 31st that begins at a word: "third", "twenty third", "twenty-third", "23rd". */
export function ordinalAt(words: readonly string[], index: number): Numeral | null {
  const word = words[index];
  if (word === undefined) return null;
  const digits = /^(\d{1,2})(?:st|nd|rd|th)$/.exec(word);
  let found: Numeral | null = null;
  if (digits) found = { value: Number(digits[1]), length: 1 };
  else if (ordinalOf.has(word)) found = { value: ordinalOf.get(word) as number, length: 1 };
  else {
    const [ten, unit] = word.includes('-') ? word.split('-') : [word, words[index + 1]];
    const tenth = tenOf.get(ten as string);
    const rest = ordinalOf.get(unit ?? '') ?? 10;
    if (tenth !== undefined && rest < 10) found = { value: tenth + rest, length: word.includes('-') ? 1 : 2 };
  }
  return found && found.value >= 1 && found.value <= 31 ? found : null;
}

/** The year that begins at a word: "2027", "two thousand and seventeen", "twenty seventeen", "nineteen ninety". */
export function yearAt(words: readonly string[], index: number): Numeral | null {
  const word = words[index];
  if (word === undefined) return null;
  if (/^(?:19|20)\d\d$/.test(word)) return { value: Number(word), length: 1 };
  if (word === 'two' && words[index + 1] === 'thousand') {
    const and = words[index + 2] === 'and' ? 1 : 0;
    const rest = cardinalAt(words, index + 2 + and);
    return rest ? { value: 2000 + rest.value, length: 2 + and + rest.length } : { value: 2000, length: 2 };
  }
  if (word !== 'twenty' && word !== 'nineteen') return null;
  const rest = cardinalAt(words, index + 1);
  return rest && rest.value >= 10 ? { value: (word === 'twenty' ? 2000 : 1900) + rest.value, length: 1 + rest.length } : null;
}

/** The count that begins at a word: a cardinal, "a", "an", "a couple of", "a few", "half an" (0.5), "one and a half" (1.5). */
export function countAt(words: readonly string[], index: number): Numeral | null {
  const [first, second, third] = [words[index], words[index + 1], words[index + 2]];
  if ((first === 'a' || first === 'an') && (second === 'couple' || second === 'few')) return { value: second === 'few' ? 3 : 2, length: third === 'of' ? 3 : 2 };
  if (first === 'couple' && second === 'of') return { value: 2, length: 2 };
  if (first === 'few' || first === 'several') return { value: 3, length: 1 };
  if (first === 'half') return { value: 0.5, length: second === 'a' || second === 'an' ? 2 : 1 };
  if (first === 'a' || first === 'an') return { value: 1, length: 1 };
  const number = cardinalAt(words, index);
  if (!number) return null;
  const after = index + number.length;
  return words[after] === 'and' && words[after + 1] === 'a' && words[after + 2] === 'half' ? { value: number.value + 0.5, length: number.length + 3 } : number;
}
