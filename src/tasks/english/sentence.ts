// A sentence as the rules for its operation read it: its words, what of them says when, where its command begins, and what it
// is about. Each rule is a reading of it, or null where it does not apply.
import type { Operation } from './operation.ts';
import type { Subjects } from './subjects.ts';
import type { When } from './when.ts';
import type { Word } from './words.ts';

/** `head` is the word where the command begins, after politeness. */
export interface Sentence {
  readonly words: readonly Word[];
  readonly whens: readonly When[];
  readonly head: number;
  readonly about: Subjects;
}

/** An operation, how sure the rules are (0..1), and the word where its command begins when that is not the head. */
export interface Reading {
  readonly operation: Operation;
  readonly confidence: number;
  readonly at?: number;
}
