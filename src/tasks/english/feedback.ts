// Answers to what the assistant said or did: approval ("perfect, you understood me") and refusal ("no, i said friday").
import { approvals, feedbackFiller, questionWords, recordNouns, refusals, remindPhrases } from './lexicon.ts';
import type { Reading } from './sentence.ts';
import { isMark, Phrases, type Word } from './words.ts';

/** Approval or refusal of what the assistant said or did, in one letter or in words: nearly all words are of those classes, and something is said. */
export function feedback(words: readonly Word[]): Reading | null {
  if (words.length === 1 && /^[yn]$/.test(words[0]?.word ?? '')) return { operation: words[0]?.word === 'y' ? 'confirm' : 'reject', confidence: 0.7 };
  // "i said friday, not monday"
  const start = words.findIndex(({ word }) => !isMark(word) && !/^(?:no|olly|alexa|siri|hey|ok|okay|sorry)$/.test(word));
  if (corrections.at(words, start) > 0 && words.some(({ word }, at) => at > start && word === 'not')) return { operation: 'reject', confidence: 0.7 };
  if (remindPhrases.find(words) >= 0 || recordNouns.find(words) >= 0) return null;
  let known = 0;
  let all = 0;
  let approving = 0;
  let refusing = 0;
  for (let at = 0; at < words.length;) {
    if (isMark(words[at]?.word)) {
      at++;
      continue;
    }
    const refusal = refusals.at(words, at);
    const approval = approvals.at(words, at);
    const length = Math.max(refusal, approval, feedbackFiller.at(words, at));
    if (refusal > 0 && refusal >= approval) refusing++;
    else if (approval > 0) approving++;
    if (length > 0) known += length;
    all += Math.max(length, 1);
    at += Math.max(length, 1);
  }
  if (approving + refusing === 0 || known < all - (all > 6 ? 1 : 0)) return null;
  const first = words.findIndex(({ word }) => !isMark(word));
  if (questionWords.at(words, first) > 0 && approvals.at(words, first) === 0 && refusals.at(words, first) === 0) return null;
  return { operation: refusing > 0 ? 'reject' : 'confirm', confidence: known === all ? 0.9 : 0.7 };
}

const corrections = new Phrases('i said, i meant, i asked for, i told you');

/** A thumb up or down. */
export function nods(words: readonly Word[]): Reading | null {
  const thumb = words.find(({ word }) => /^[👍👌✅👎❌]$/u.test(word));
  return thumb ? { operation: /[👎❌]/u.test(thumb.word) ? 'reject' : 'confirm', confidence: 0.9 } : null;
}

/** "cancel", "stop it": what is under way, when nothing is named. */
export function halts(words: readonly Word[], head: number): boolean {
  const length = haltVerbs.at(words, head);
  return length > 0 && words.slice(head + length).every(({ word }) => isMark(word) || /^(?:please|now|thanks|right|here|everything|immediately)$/.test(word));
}

const haltVerbs = new Phrases('cancel, stop, abort, halt, quit, cease, cancel it, cancel that, cancel this, stop it, stop that, stop this');
