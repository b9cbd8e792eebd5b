// The English stemmer: Porter's algorithm of 1980, so that "connected" and "connections" share one index term.
// https://tartarus.org/martin/PorterStemmer/def.txt

/** The Porter stem of a lower-case English word; words of one or two letters and words with other letters are returned as they are. */
export function stem(word: string): string {
  if (word.length < 3 || !/^[a-z]+$/.test(word)) return word;
  const known = remembered.get(word);
  if (known !== undefined) return known;
  const result = restoreY(step5(step4(step3(step2(step1(markY(word)))))));
  if (remembered.size >= 20_000) remembered.clear();
  remembered.set(word, result);
  return result;
}

/** Natural text repeats its words; a bounded memory makes stemming nearly free. */
const remembered = new Map<string, string>();

// "Y" stands for a y that is a consonant, so that one character class says what a vowel is.
const consonants = '[^aeiouy]+';
const vowels = '[aeiouy]+';
const measureAbove0 = new RegExp(`^(?:${consonants})?${vowels}${consonants}`);
const measureAbove1 = new RegExp(`^(?:${consonants})?(?:${vowels}${consonants}){2}`);
const measureIs1 = new RegExp(`^(?:${consonants})?${vowels}${consonants}(?:${vowels})?$`);
const hasVowel = /[aeiouy]/;
const endsInDouble = /([^aeiouy])\1$/;
const endsInCvc = new RegExp(`^${consonants}[aeiouy][^aeiouwxyY]$|[^aeiouy][aeiouy][^aeiouwxyY]$`);

const markY = (word: string): string => word.replace(/^y/, 'Y').replace(/([aeiou])y/g, '$1Y');
const restoreY = (word: string): string => word.replaceAll('Y', 'y');

function step1(word: string): string {
  return step1c(step1b(word.replace(/sses$/, 'ss').replace(/ies$/, 'i').replace(/([^s])s$/, '$1')));
}

function step1b(word: string): string {
  if (word.endsWith('eed')) return measureAbove0.test(word.slice(0, -3)) ? word.slice(0, -1) : word;
  const root = /^(.*)(?:ed|ing)$/.exec(word)?.[1];
  if (root === undefined || !hasVowel.test(root)) return word;
  if (/(?:at|bl|iz)$/.test(root)) return `${root}e`;
  if (endsInDouble.test(root) && !/[lsz]$/.test(root)) return root.slice(0, -1);
  return measureIs1.test(root) && endsInCvc.test(root) ? `${root}e` : root;
}

function step1c(word: string): string {
  const root = word.slice(0, -1);
  return /[yY]$/.test(word) && hasVowel.test(root) ? `${root}i` : word;
}

const step2Endings: readonly (readonly [ending: string, replacement: string])[] = [
  ['ational', 'ate'], ['tional', 'tion'], ['enci', 'ence'], ['anci', 'ance'], ['izer', 'ize'], ['bli', 'ble'],
  ['alli', 'al'], ['entli', 'ent'], ['eli', 'e'], ['ousli', 'ous'], ['ization', 'ize'], ['ation', 'ate'],
  ['ator', 'ate'], ['alism', 'al'], ['iveness', 'ive'], ['fulness', 'ful'], ['ousness', 'ous'], ['aliti', 'al'],
  ['iviti', 'ive'], ['biliti', 'ble'], ['logi', 'log'],
];
const step3Endings: typeof step2Endings = [
  ['icate', 'ic'], ['ative', ''], ['alize', 'al'], ['iciti', 'ic'], ['ical', 'ic'], ['ful', ''], ['ness', ''],
];
const step2 = (word: string): string => replaceEnding(word, step2Endings);
const step3 = (word: string): string => replaceEnding(word, step3Endings);

function replaceEnding(word: string, endings: typeof step2Endings): string {
  for (const [ending, replacement] of endings) {
    if (!word.endsWith(ending)) continue;
    const root = word.slice(0, -ending.length);
    return measureAbove0.test(root) ? root + replacement : word;
  }
  return word;
}

const step4Endings = /^(.*?)(?:ement|ance|ence|able|ible|ment|ant|ent|ism|ate|iti|ous|ive|ize|al|er|ic|ou)$/;

function step4(word: string): string {
  const root = step4Endings.exec(word)?.[1] ?? /^(.*[st])ion$/.exec(word)?.[1];
  return root !== undefined && measureAbove1.test(root) ? root : word;
}

function step5(word: string): string {
  const root = word.slice(0, -1);
  const shortened = word.endsWith('e') && (measureAbove1.test(root) || (measureAbove0.test(root) && !(measureIs1.test(root) && endsInCvc.test(root))))
    ? root : word;
  return shortened.endsWith('ll') && measureAbove1.test(shortened) ? shortened.slice(0, -1) : shortened;
}
