// People and places in an utterance: who stands after "with" and "call", before "'s", or is named by a relation ("my boss");
// and what stands after "at" and "in" and is no time.
import { coreNouns, createVerbs, deleteVerbs, dutyVerbs, eventNouns, functionWords, givenNames, honorifics, otherNouns, relations } from './lexicon.ts';
import type { When } from './when.ts';
import { isMark, Phrases, type Range, type Word } from './words.ts';

const leads = new Phrases('with, invite, inviting, meet, meeting with, call, phone, text, email, contact, and invite, visit, see');
const noNames = new Set("person people someone somebody everyone everybody anyone one it me him her them this that high low normal new other date item items name title details number reminder event to off back everything nothing something all shoes got gets get anymore any again asap please immediately soon later".split(' '));
const noOwners = new Set("what it that let who where when how here there he she today tomorrow tonight yesterday week month year day life everyone mother father valentine new weekend one".split(' '));

const owned = new Set('birthday anniversary birthdays house office wedding party graduation'.split(' '));
const vague = new Set('christmas happy next upcoming office business house his class boss kids glass'.split(' '));

/** The people, in order; names of two words stay together, and "the" of "the ceo" belongs to it. */
export function findPeople(words: readonly Word[], whens: readonly When[]): Range[] {
  const timed = timedWords(whens);
  const found: Range[] = [];
  const add = (from: number, to: number): number => {
    if (to > from && from >= (found.at(-1)?.to ?? 0)) found.push({ from, to });
    return Math.max(to, from);
  };
  const isName = (at: number): boolean => {
    const word = words[at]?.word ?? '';
    return /^\p{L}[\p{L}.'-]*$/u.test(word) && !timed.has(at) && !functionWords.has(word) && !noNames.has(word) && coreNouns.at(words, at) === 0 && (eventNouns.at(words, at) === 0 || relations.has(word)) && !isVerb(words, at);
  };
  for (let at = 0; at < words.length; at++) {
    const word = (words[at] as Word).word;
    if (at < (found.at(-1)?.to ?? 0)) continue;
    const lead = leads.at(words, at);
    if (lead > 0) {
      let from = at + lead;
      const determined = /^(?:my|the|our|his|her)$/.test(words[from]?.word ?? '');
      if (determined && words[from]?.word !== 'the') from++;
      if (word === 'with' || word === 'meeting' || word.startsWith('invit') || (word === 'meet' && !determined) || relations.has(words[determined && words[from]?.word === 'the' ? from + 1 : from]?.word ?? '') || givenNames.has(words[from]?.word ?? '')) {
        const next = words[from]?.word === 'the' && relations.has(words[from + 1]?.word ?? '') ? from + 1 : from;
        let to = next;
        while (to < words.length && to - next < 3 && isName(to)) to++;
        if (to > next) add(from, to);
        // "with sara and jamie", "jim, jerry and tom"
        while (to > next && /^(?:and|,|&)$/.test(words[to]?.word ?? '') && isName(to + 1)) {
          const start = to + 1;
          to = start;
          while (to < words.length && to - start < 3 && isName(to)) to++;
          add(start, to);
        }
        continue;
      }
    }
    // "swatis birthday", "the smiths house": an owner without an apostrophe.
    if (isName(at) && owned.has(words[at + 1]?.word ?? '') && (/birthday|anniversary/.test(words[at + 1]?.word ?? '') || word.endsWith('s')) && !vague.has(word) && deleteVerbs.at(words, at) === 0) {
      const first = at > 0 && (honorifics.has(words[at - 1]?.word ?? '') || givenNames.has(words[at - 1]?.word ?? '')) && (found.at(-1)?.to ?? 0) < at ? at - 1 : at;
      add(first, at + 1);
      continue;
    }
    if (honorifics.has(word) && isName(at + 1)) {
      add(at, at + 2);
      continue;
    }
    if (words[at + 1]?.word === "'s" && !timed.has(at) && !noOwners.has(word) && !functionWords.has(word) && /^\p{L}+$/u.test(word)) {
      const first = at > 0 && givenNames.has(words[at - 1]?.word ?? '') && (found.at(-1)?.to ?? 0) < at ? at - 1 : at;
      add(first, at + 1);
      continue;
    }
    if (givenNames.has(word) && !timed.has(at) && !isVerb(words, at)) {
      // A surname is whatever stands between a given name and the end of its phrase.
      const surname = isName(at + 1) && (givenNames.has(words[at + 1]?.word ?? '') || !/^\p{L}/u.test(words[at + 2]?.word ?? '') || functionWords.has(words[at + 2]?.word ?? ''));
      add(at, surname && otherNouns.at(words, at + 1) === 0 ? at + 2 : at + 1);
      continue;
    }
    // "the staff meeting" and "a doctors appointment" name no person.
    if (relations.has(word) && (eventNouns.at(words, at + 1) === 0 && coreNouns.at(words, at + 1) === 0 || /birthday/.test(words[at + 1]?.word ?? ''))) {
      const the = words[at - 1]?.word === 'the' ? at - 1 : at;
      add(the, givenNames.has(words[at + 1]?.word ?? '') ? at + 2 : at + 1);
    }
  }
  return found;
}

/** Names that are verbs, too, are verbs at the beginning and after "to": "mark it", "to bill". */
function isVerb(words: readonly Word[], at: number): boolean {
  const word = words[at]?.word ?? '';
  if (!['mark', 'will', 'bill', 'jack', 'rob', 'sue', 'pat', 'grace', 'joy'].includes(word)) return (createVerbs.at(words, at) > 0 || dutyVerbs.at(words, at) > 0) && !givenNames.has(word) && !relations.has(word);
  return at === 0 || ['to', 'please', 'i', 'and', 'you', 'it', 'the', 'this', 'a', 'my'].includes(words[at - 1]?.word ?? '');
}

const noPlaces = new Set("calendar calender list lists schedule agenda time event events meeting meetings reminder reminders appointment advance order progress case front detail least most all any once same work-list queue to-do todo touch mind person general total fact it them this that name items".split(' '));
const placeLeads = new Set(['at', 'in', 'near', 'inside', 'outside']);

/** The place, or null. */
export function findPlace(words: readonly Word[], whens: readonly When[], lists: readonly Range[]): Range | null {
  const timed = timedWords(whens);
  const listed = timedWords(lists);
  for (let at = 0; at < words.length; at++) {
    if (!placeLeads.has(words[at]?.word ?? '') || timed.has(at)) continue;
    let from = at + 1;
    while (/^(?:the|my|our|a|an|your)$/.test(words[from]?.word ?? '')) from++;
    let to = from;
    while (to < words.length && to - from < 4 && !timed.has(to) && !listed.has(to) && isPlaceWord(words, to)) to++;
    if (to > from && !noPlaces.has(words[from]?.word ?? '') && !noPlaces.has(words[to - 1]?.word ?? '')) return { from, to };
  }
  const house = words.findIndex(({ word }, at) => word === "'s" && /^(?:house|place|home|office|apartment|flat|restaurant)$/.test(words[at + 1]?.word ?? ''));
  return house > 0 ? { from: words[house - 1]?.word === "'s" ? house : house - 1, to: house + 2 } : null;
}

function isPlaceWord(words: readonly Word[], at: number): boolean {
  const word = words[at]?.word ?? '';
  return (word === "'s" || word === 'of' || !functionWords.has(word)) && !isMark(word) && !/^\d/.test(word);
}

function timedWords(ranges: readonly Range[]): Set<number> {
  const timed = new Set<number>();
  for (const { from, to } of ranges) for (let at = from; at < to; at++) timed.add(at);
  return timed;
}
