// Answers by quotation: the sentences of the passages that say most of what the question asks, each with its number.
// Pure and without a model, so the same question over the same passages always gets the same answer.

import { isAskingWord } from '../text/asking.ts';
import { wordCount } from '../text/counts.ts';
import { language } from '../text/language.ts';
import { sentences, type Range } from '../text/sentences.ts';
import { isSmallTalk } from '../text/small-talk.ts';
import { tokenize, words } from '../text/tokenise.ts';

/** A passage of a document as the prompt numbers it; passages are given best first. */
export interface Passage {
  readonly n: number;
  readonly text: string;
}

/** A verbatim quotation: `start` and `end` are offsets into the text of passage `n`. */
export interface Quotation extends Range {
  readonly n: number;
}

/** What to say, and the quotations it is made of, in the same order; none when the passages hold no answer. */
export interface Answer {
  readonly text: string;
  readonly sentences: readonly Quotation[];
}

/** At most this many quotations and words (the numbers in brackets included) make an answer. */
export const answerLimits = { sentences: 3, words: 60 } as const;

/** Quotes at most three sentences that answer the question, best first; says so when the passages hold no answer. */
export function composeAnswer(question: string, passages: readonly Passage[]): Answer {
  const asked = [...new Set(tokenize(question).map((token) => token.term))];
  const found = words(question).length > 0 ? candidates(passages) : [];
  const isAboutTheWhole = asked.every(isAskingWord);
  const chosen = isAboutTheWhole ? opening(found) : best(asked, found);
  const quotations = fit(chosen, asked, passages);
  if (quotations.length === 0) return { text: inLanguageOf(question, passages, isSmallTalk(question) ? invitations : refusals), sentences: [] };
  const text = quotations.map(({ n, start, end }) => `${textOf(passages, n).slice(start, end)} [${n}]`).join(' ');
  return { text, sentences: quotations };
}

interface Candidate extends Quotation {
  readonly rank: number;
  readonly terms: ReadonlySet<string>;
  readonly length: number;
  readonly words: number;
  readonly isQuestion: boolean;
}

/** Marks of lists and headings before a sentence, and what a footnote or an earlier citation leaves in brackets. */
const marker = /^(?:#{1,6}|[-*+•◦▪‣>|]|\(?\d{1,3}[.)])\s+/;
const bracketed = /\s*\[\d{1,3}\]\s*/g;

function candidates(passages: readonly Passage[]): Candidate[] {
  const found: Candidate[] = [];
  // Passages of one document overlap; a sentence is quoted from the best one only.
  const seen = new Set<string>();
  for (const [rank, { n, text }] of passages.entries()) {
    for (const range of sentences(text).flatMap((sentence) => withoutBrackets(text, sentence))) {
      const quote = text.slice(range.start, range.end);
      const terms = tokenize(quote).map((token) => token.term);
      if (terms.length === 0 || seen.has(quote)) continue;
      seen.add(quote);
      found.push({
        n, rank, ...range, terms: new Set(terms), length: terms.length, words: wordCount(quote), isQuestion: /[?？؟]["”»]?$/.test(quote),
      });
    }
  }
  return found;
}

/** A quotation that contained "[2]" itself would be read as a citation; such a sentence is quoted in parts. */
function withoutBrackets(text: string, sentence: Range): Range[] {
  const parts: Range[] = [];
  let start = sentence.start + (marker.exec(text.slice(sentence.start, sentence.end))?.[0].length ?? 0);
  for (const match of text.slice(start, sentence.end).matchAll(bracketed)) {
    parts.push({ start, end: sentence.start + match.index });
    start = sentence.start + match.index + match[0].length;
  }
  parts.push({ start, end: sentence.end });
  return parts.filter((part) => part.start < part.end);
}

// Measured on XQuAD in English, German, Chinese and Arabic, with paragraphs and with overlapping chunks as passages; the
// values are round and the result hardly changes around them. Cues such as "who" → a name did not help and are left out.
const fromSentenceBefore = 0.3;
const perRank = 0.3;
const lengthPenalty = 0.25;
const shortestLength = 0.5;
const relatedWord = 0.7;
const emptyPenalty = 0.5;
/** A further sentence is quoted only if it says at least this share of what the best one says. */
const leastOfBest = 0.3;
/** The least share of the question's weight that a passage must mention for it to be about the question. */
const leastCoverage = 0.2;
/** Pairs of characters match less often than words, because grammar makes pairs, too. */
const leastCoverageOfPairs = 0.1;
const unspaced = /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}]/u;

function best(asked: readonly string[], found: readonly Candidate[]): Candidate[] {
  const matches = found.map((candidate) => asked.map((term) => match(term, candidate.terms)));
  const weights = asked.map((name, term) => {
    const frequency = matches.filter((row) => (row[term] ?? 0) > 0).length;
    if (frequency === 0 && isAskingWord(name)) return 0;
    return Math.log(1 + (found.length - frequency + 0.5) / (frequency + 0.5));
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const share = (row: readonly number[]): number => row.reduce((sum, value, term) => sum + value * (weights[term] ?? 0), 0) / total;
  const least = asked.some((term) => unspaced.test(term)) ? leastCoverageOfPairs : leastCoverage;
  if (!(coverage(found, matches, share) >= least)) return [];
  const meanLength = found.reduce((sum, candidate) => sum + candidate.length, 0) / found.length;
  const overlaps = found.map(({ length }, index) => {
    const relative = Math.max(shortestLength, length / meanLength);
    return share(matches[index] ?? []) / (1 - lengthPenalty + lengthPenalty * relative);
  });
  const scored = found
    .map((candidate, index) => {
      // What a sentence calls "it" was named by the one before.
      const before = found[index - 1]?.n === candidate.n ? (overlaps[index - 1] ?? 0) : 0;
      const overlap = (overlaps[index] ?? 0) + fromSentenceBefore * before;
      // A question, or a heading that only repeats what was asked, answers nothing itself.
      const isEmpty = candidate.isQuestion || candidate.terms.values().every((term) => asked.includes(term));
      return { candidate, score: ((isEmpty ? emptyPenalty : 1) * overlap) / (1 + perRank * candidate.rank) };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
  return scored.filter(({ score }) => score >= leastOfBest * (scored[0]?.score ?? 0)).map(({ candidate }) => candidate);
}

/** The largest share of the question that one passage mentions anywhere. */
function coverage(found: readonly Candidate[], matches: readonly number[][], share: (row: readonly number[]) => number): number {
  const byPassage = new Map<number, number[]>();
  for (const [index, { n }] of found.entries()) {
    const row = matches[index] ?? [];
    byPassage.set(n, byPassage.get(n)?.map((value, term) => Math.max(value, row[term] ?? 0)) ?? row);
  }
  return Math.max(0, ...[...byPassage.values()].map(share));
}

/** 1 for the term itself, less for a word that begins alike: an inflection or a compound. */
function match(term: string, terms: ReadonlySet<string>): number {
  if (terms.has(term)) return 1;
  if (term.length < 5) return 0;
  for (const other of terms) {
    if (other.length < 5 || !other.startsWith(term.slice(0, 5))) continue;
    const least = 0.7 * Math.min(term.length, other.length);
    if (other.startsWith(term.slice(0, Math.ceil(least)))) return relatedWord;
  }
  return 0;
}

function opening(found: readonly Candidate[]): Candidate[] {
  return found.filter(({ rank }) => rank === found[0]?.rank).slice(0, answerLimits.sentences);
}

/** As many of the candidates, in their order, as the limits allow; a first one that is too long is cut at words. */
function fit(chosen: readonly Candidate[], asked: readonly string[], passages: readonly Passage[]): Quotation[] {
  const quotations: Quotation[] = [];
  let left = answerLimits.words;
  for (const { n, start, end, words, terms } of chosen) {
    if (quotations.length === answerLimits.sentences) break;
    if (words + 1 <= left) {
      quotations.push({ n, start, end });
      left -= words + 1;
    } else if (quotations.length === 0) {
      const cut = window(textOf(passages, n).slice(start, end), asked.filter((term) => match(term, terms) > 0), left - 1);
      quotations.push({ n, start: start + cut.start, end: start + cut.end });
      break;
    }
  }
  return quotations;
}

const segmenter = new Intl.Segmenter('en', { granularity: 'word' });

/** The stretch of so many words in which most of the terms stand, as early as possible. */
function window(quote: string, terms: readonly string[], size: number): Range {
  const parts = [...segmenter.segment(quote.slice(0, 20_000))]
    .filter((part) => part.isWordLike)
    .map(({ index, segment }) => ({ start: index, end: index + segment.length }));
  const places = tokenize(quote).filter(({ term }) => terms.includes(term));
  let result: Range = { start: 0, end: Math.min(quote.length, 400) };
  let most = -1;
  for (let first = 0; first === 0 || first + size <= parts.length; first++) {
    const start = parts[first]?.start ?? 0;
    const end = parts[Math.min(first + size, parts.length) - 1]?.end ?? result.end;
    const count = new Set(places.filter((place) => place.start >= start && place.end <= end).map(({ term }) => term)).size;
    if (count > most) [most, result] = [count, { start, end }];
  }
  return result;
}

function textOf(passages: readonly Passage[], n: number): string {
  return passages.find((passage) => passage.n === n)?.text ?? '';
}

const refusals: Readonly<Record<string, string>> = {
  en: 'The documents hold no answer to this question.',
  de: 'Die Dokumente enthalten keine Antwort auf diese Frage.',
  fr: 'Les documents ne contiennent pas de réponse à cette question.',
  es: 'Los documentos no contienen ninguna respuesta a esta pregunta.',
  ar: 'لا تحتوي المستندات على إجابة عن هذا السؤال.',
  zh: '文档中没有这个问题的答案。',
};

const invitations: Readonly<Record<string, string>> = {
  en: 'I answer questions from the documents, in their own words. What would you like to know?',
  de: 'Ich beantworte Fragen aus den Dokumenten, in deren Worten. Was möchten Sie wissen?',
  fr: 'Je réponds aux questions à partir des documents, avec leurs propres mots. Que souhaitez-vous savoir ?',
  es: 'Respondo preguntas a partir de los documentos, con sus propias palabras. ¿Qué desea saber?',
  ar: 'أجيب عن الأسئلة من المستندات وبكلماتها. ماذا تود أن تعرف؟',
  zh: '我根据文档原文回答问题。您想了解什么？',
};

/** In the question's language, or that of the passages where the question is too short to tell. */
function inLanguageOf(question: string, passages: readonly Passage[], texts: Readonly<Record<string, string>>): string {
  const code = language(question) ?? language(passages.map(({ text }) => text).join('\n').slice(0, 4_000)) ?? 'en';
  return texts[code] ?? texts['en'] ?? '';
}
