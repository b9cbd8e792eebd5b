// Where the command of a sentence begins, after greetings, politeness and doubts, and whether a second one follows.
import { createVerbs, deleteVerbs, partingVerbs, plainDeleteVerbs, prefixes, questionWords, remindPhrases, showVerbs } from './lexicon.ts';
import { findPriority } from './priority.ts';
import type { When } from './when.ts';
import { isMark, Phrases, type Word } from './words.ts';

/** Where the command begins: after greetings, politeness and wishes. */
export function commandStart(words: readonly Word[], whens: readonly When[]): number {
  const whenAt = new Map(whens.map((when) => [when.from, when]));
  let at = 0;
  while (at < words.length) {
    const when = whenAt.get(at) ?? (/^(?:on|at|in|for|by)$/.test(words[at]?.word ?? '') ? whenAt.get(at + 1) : undefined);
    if (when && words[when.to - 1]?.word !== "'s" && !/^(?:todays|tomorrows)$/.test(words[when.to - 1]?.word ?? '') && (commandAt(words, when.to) || words[when.to]?.word === ',')) {
      at = when.to;
      continue;
    }
    // "urgent: call the plumber", "high priority, fix the bug"
    const urgency = findPriority(words, at, at + 3)?.range;
    const label = urgency?.from === at ? urgency.to : at + 1;
    if (isMark(words[at]?.word) || ((urgency?.from === at || /^(?:todo|reminder|task)$/.test(words[at]?.word ?? '')) && /^[:,!-]$/.test(words[label]?.word ?? ''))) {
      at = isMark(words[at]?.word) ? at + 1 : label;
      continue;
    }
    // "don't forget to" and "remember to" are prefixes of a duty, and a request for a reminder by themselves.
    if (remindPhrases.at(words, at) > 0) break;
    // "is there a way to clear my calendar", "i forgot when my appointment is"
    const hedge = hedges.at(words, at);
    const doubt = doubts.at(words, at);
    if ((hedge > 0 && commandAt(words, at + hedge)) || (doubt > 0 && questionWords.at(words, at + doubt) > 0)) {
      at += Math.max(hedge, doubt);
      continue;
    }
    const length = prefixes.at(words, at);
    if (length === 0 || showVerbs.at(words, at) > length || (words[at]?.word === 'let' && /^(?:know|see|hear)$/.test(words[at + length]?.word ?? ''))) break;
    // "do i have", "now what": a question is not a prefix; "i need milk" keeps its verb.
    if (words[at]?.word === 'do' && length === 1 && deleteVerbs.at(words, at + 1) === 0 && createVerbs.at(words, at + 1) === 0) break;
    at += length;
  }
  return at < words.length ? at : 0;
}

/** Whether a command or its polite beginning stands at a word: "tomorrow remind me", but not "tomorrow morning's meeting". */
function commandAt(words: readonly Word[], at: number): boolean {
  return prefixes.at(words, at) > 0 || remindPhrases.at(words, at) > 0 || createVerbs.at(words, at) > 0 || deleteVerbs.at(words, at) > 0;
}

const hedges = new Phrases('how about, what about, i am thinking of, i\'m thinking of, i was thinking of, do you mind, would you mind, would it be possible to, is there any way you can, is there a way you could, is there any way you could, is there any chance you could, do you think you could, is there a way to, is there any way to, are there ways to, are there any ways to, is there a way i can, is there a way you can');
const doubts = new Phrases("i forgot, i forget, i've forgotten, i don't remember, i can't remember, i cannot remember, i don't know, i do not know, i dont know, i'm not sure, i am not sure, i wonder, i was wondering");

/** A second command: "… and delete it", "… can you remind me", ", put it on thursday". After a question only what "and" leads. */
export function laterCommand(words: readonly Word[], from: number, where: 'after and' | 'anywhere'): { operation: 'create' | 'delete'; at: number } | null {
  const leads = where === 'anywhere' ? commandLeads : andLeads;
  for (let at = from; at < words.length; at++) {
    const before = words[at - 1]?.word ?? '';
    const led = at === from ? where === 'anywhere' : leads.has(before) || isMark(before);
    const reminds = remindPhrases.at(words, at) > 0 && /^(?:remind|notify|wake|alert)$/.test(words[at]?.word ?? '');
    if (reminds && (where === 'anywhere' ? led || /^(?:me|us|it)$/.test(words[at + 1]?.word ?? '') : led)) return { operation: 'create', at };
    const length = deleteVerbs.at(words, at);
    const named = /^(?:it|them|those)$/.test(words[at + length]?.word ?? '') || (length > 1 && /^(?:my|the|all)$/.test(words[at + length]?.word ?? ''));
    if (length > 0 && (led || named || (where === 'anywhere' && plainDeleteVerbs.at(words, at) > 0))) return { operation: 'delete', at };
    if (partsFrom(words, at) && (led || (where === 'anywhere' && /^(?:it|them|those)$/.test(words[at + 1]?.word ?? '')))) return { operation: 'delete', at };
    if (at > from && ((led && secondCreate.at(words, at) > 0) || (where === 'anywhere' && plainCreate.at(words, at) > 0))) return { operation: 'create', at };
  }
  return null;
}

const andLeads = new Set(['and', 'then', 'please', ',', '.', ';', 'so']);
const commandLeads = new Set([...andLeads, 'you', 'to']);
const plainCreate = new Phrases('put it, put them, put that, put this, add, create, schedule a, schedule an, schedule event, set a, set an, insert');
const secondCreate = new Phrases('add, create, make a, make an, put, schedule, set a, set an, set up, set it, set the, insert, include, book, write, note');

/** "take milk off my list", "turn the alarm off": a verb whose particle comes within a few words. */
export function partsFrom(words: readonly Word[], head: number): boolean {
  if (partingVerbs.at(words, head) === 0) return false;
  for (let at = head + 1; at < words.length && at - head < 9; at++) {
    const word = words[at]?.word ?? '';
    if (word === 'off' || word === 'away' || (/^(?:take|pull|kick|throw|knock)$/.test(words[head]?.word ?? '') && (word === 'from' || word === 'out'))) return true;
    if (/^(?:to|into|on|and)$/.test(word)) return false;
  }
  return false;
}

/** The last word before marks, "please", and "for today" at the end. */
export function lastNoun(words: readonly Word[], whens: readonly When[]): number {
  let at = words.length - 1;
  while (at > 0 && (isMark(words[at]?.word) || words[at]?.word === 'please')) at--;
  const when = whens.find(({ to }) => to === at + 1);
  if (when && when.from > 0) at = when.from - 1;
  while (when && at > 0 && /^(?:for|on|of)$/.test(words[at]?.word ?? '')) at--;
  return at;
}
