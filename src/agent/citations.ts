// Citations: each [n] of an answer, with the words of passage n that bear it out. Pure. A marker whose passage does not
// exist, or says nothing of what is claimed, is an invented one.
import { sentences } from '../text/sentences.ts';
import { tokenize } from '../text/tokenise.ts';

/** A supported claim: ranges in the answer and in the passage's text, UTF-16 units, end exclusive. */
export interface FoundCitation {
  readonly index: number;
  readonly answerStart: number;
  readonly answerEnd: number;
  readonly quoteStart: number;
  readonly quoteEnd: number;
}

export interface CitationCheck {
  readonly citations: readonly FoundCitation[];
  /** The markers that nothing supports. */
  readonly invented: readonly { readonly index: number; readonly position: number }[];
}

/** Least share of a claim's terms that must stand in the quoted sentence, unless the claim is quoted word for word. */
const leastOverlap = 0.3;

/** The citations of an answer whose markers [n] refer to `passages`. */
export function findCitations(answer: string, passages: readonly { readonly n: number; readonly text: string }[]): CitationCheck {
  const texts = new Map(passages.map((passage) => [passage.n, passage.text]));
  const citations: FoundCitation[] = [];
  const invented: { index: number; position: number }[] = [];
  let previousEnd = 0;
  for (const group of answer.matchAll(/(?:\s*\[\d{1,3}\])+/g)) {
    const claim = claimBefore(answer, previousEnd, group.index);
    previousEnd = group.index + group[0].length;
    for (const marker of group[0].matchAll(/\[(\d{1,3})\]/g)) {
      const index = Number(marker[1]);
      const quote = claim && quoteFor(answer.slice(claim.start, claim.end), texts.get(index) ?? '');
      if (claim && quote) citations.push({ index, answerStart: claim.start, answerEnd: claim.end, quoteStart: quote.start, quoteEnd: quote.end });
      else invented.push({ index, position: group.index + marker.index });
    }
  }
  return { citations, invented };
}

/** The last sentence between the previous markers and these. */
function claimBefore(answer: string, from: number, to: number): { start: number; end: number } | null {
  const claim = sentences(answer.slice(from, to)).at(-1);
  return claim ? { start: from + claim.start, end: from + claim.end } : null;
}

/** The words of the passage that say what is claimed: the claim itself, else the sentence that shares most with it. */
function quoteFor(claim: string, passage: string): { start: number; end: number } | null {
  const verbatim = passage.indexOf(claim);
  if (verbatim >= 0) return { start: verbatim, end: verbatim + claim.length };
  const wanted = new Set(tokenize(claim).map((token) => token.term));
  let best: { start: number; end: number } | null = null;
  let most = Math.max(1, wanted.size * leastOverlap) - Number.EPSILON;
  for (const sentence of sentences(passage)) {
    const shared = new Set(tokenize(passage.slice(sentence.start, sentence.end)).map((token) => token.term).filter((term) => wanted.has(term)));
    if (shared.size > most) {
      most = shared.size;
      best = sentence;
    }
  }
  return best;
}
