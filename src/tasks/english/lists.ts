// Lists by name: "my grocery list", "the list of books to read", "list for school supplies", "groceries".
import { coreNouns, deleteVerbs, eventNouns, functionWords, givenNames, relations } from './lexicon.ts';
import type { When } from './when.ts';
import { isMark, Phrases, type Range, type Word } from './words.ts';

const listWords = new Set(['list', 'lists', 'checklist', 'playlist', 'playlists', 'catalogue', 'register']);
/** Names that say of themselves that they are lists. */
const selfNamed = new Set(['groceries', 'todo', 'todos', 'to-do', 'to-dos']);
const generic = new Set('a an the my our your this that these those all any some every new list lists checklist catalogue register blank empty whole entire current latest other another open existing fresh last first next old items item default me'.split(' '));
const ownName = new Phrases("to do 's, to dos");
const toDo = new Phrases("to do 's, to do, things to do, to-do, stuff to do, to buy, to get, things to buy, work out, pick up, clean up, follow up");
const rightLeads = new Phrases('of, for, called, named, titled, labeled, labelled, about, with the name, with name, by the name of, to do');
const rightEnds = new Set(['please', 'for', 'with', 'that', 'which', 'and', 'then', 'from', 'at', 'on', 'in', 'by', 'is', 'are', 'but', 'me', 'today', 'so']);

/** The lists that are spoken of, in order; a range covers the name and the word "list". */
export function findLists(words: readonly Word[], whens: readonly When[]): Range[] {
  const when = new Set(whens.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, offset) => from + offset)));
  const found: Range[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = (words[at] as Word).word;
    if (at >= (found.at(-1)?.to ?? 0) && ownName.at(words, at) > 0 && !listWords.has(words[at + ownName.at(words, at)]?.word ?? '')) {
      found.push({ from: at, to: at + ownName.at(words, at) });
      continue;
    }
    if (at < (found.at(-1)?.to ?? 0) || !(listWords.has(word) || selfNamed.has(word))) continue;
    if (selfNamed.has(word) && (listWords.has(words[at + 1]?.word ?? '') || words[at + 1]?.word === ':')) continue;
    let from = at;
    if (listWords.has(word)) while (from > 0 && at - from < 4 && !when.has(from - 1) && isName(words, from - 1)) from--;
    const before = Math.max(0, from - 3);
    for (let start = before; start < from; start++) if (toDo.at(words, start) === from - start) from = start;
    if (listWords.has(word)) from = Math.min(from, ownedName(words, at, when));
    let to = listWords.has(word) ? rightEnd(words, at + 1, when) : at + 1;
    // "delete the list weekend plans": what follows names it, where nothing is put on it or taken from it.
    if (to === at + 1 && word === 'list' && /^(?:the|my|a|new)$/.test(words[at - 1]?.word ?? '') && at - 2 >= 0 && wholeList.has(words[at - 2]?.word ?? '')) while (to < words.length && to - at < 5 && !when.has(to) && isName(words, to)) to++;
    found.push({ from, to });
  }
  if (found.length === 0) found.push(...unnamedList(words, when));
  return found;
}

const owners = new Set('my our your his her their the a an'.split(' '));

/** Where a name begins that an owner or article leads, verbs and all: "my pick up list", "the shopping and chores list", "my to read list"; the word "list" itself when there is none. */
function ownedName(words: readonly Word[], at: number, when: ReadonlySet<number>): number {
  let owner = at - 1;
  while (owner >= 0 && at - owner < 6 && !owners.has(words[owner]?.word ?? '')) owner--;
  if (owner < 0 || at - owner >= 6) return at;
  let from = owner + 1;
  while (from < at && generic.has(words[from]?.word ?? '')) from++;
  for (let inside = from; inside < at; inside++) {
    const word = words[inside]?.word ?? '';
    if (when.has(inside) || isMark(word) || word === "'s" || (prepositions.has(word) && !(word === 'to' && inside === owner + 1)) || (word === 'and' && inside + 1 === at)) return at;
  }
  return from;
}

const prepositions = new Set('on from in of off for with onto into at to is are i it that which'.split(' '));
const wholeList = new Set('delete remove erase eliminate clear open show create make start see read rename update'.split(' '));

/** "remove pencils from stationery", "add milk to shopping": what a thing is put on or taken from at the end of a command is a list, unless it is known as something else. */
function unnamedList(words: readonly Word[], when: ReadonlySet<number>): Range[] {
  let to = words.length;
  while (to > 0 && (isMark(words[to - 1]?.word) || words[to - 1]?.word === 'please')) to--;
  let lead = to - 1;
  while (lead > 0 && to - lead < 5 && !/^(?:to|from|off)$/.test(words[lead]?.word ?? '')) lead--;
  const taking = /^(?:from|off)$/.test(words[lead]?.word ?? '');
  if (lead < 2 || to - lead >= 5 || !(taking || words[lead]?.word === 'to') || !commands(words, lead, taking)) return [];
  let from = lead + 1;
  while (from < to && /^(?:my|the|our|your)$/.test(words[from]?.word ?? '')) from++;
  const known = (at: number): boolean => when.has(at) || !isName(words, at) || coreNouns.at(words, at) > 0 || (eventNouns.at(words, at) > 0 && words[at]?.word !== 'shopping') || relations.has(words[at]?.word ?? '') || givenNames.has(words[at]?.word ?? '');
  for (let at = from; at < to; at++) if (known(at)) return [];
  return from < to && words[from]?.word !== 'contacts' ? [{ from, to }] : [];
}

/** Whether one of the first words of the sentence puts something somewhere, or takes it away. */
function commands(words: readonly Word[], lead: number, taking: boolean): boolean {
  for (let at = 0; at < Math.min(lead, 5); at++) {
    if (taking ? deleteVerbs.at(words, at) > 0 || words[at]?.word === 'take' : /^(?:add|append|include|insert)$/.test(words[at]?.word ?? '')) return true;
  }
  return false;
}

function isName(words: readonly Word[], at: number): boolean {
  const word = words[at]?.word ?? '';
  if (word === "'s") return at > 0 && !/^(?:what|it|that|let|where|who|how)$/.test(words[at - 1]?.word ?? '');
  return !isMark(word) && !functionWords.has(word) && (!generic.has(word) || /^items?$/.test(word)) && !verbs.has(word);
}

// Not whole classes of verbs: a "work out list" and a "hardware store list" are lists.
const verbs = new Set('add append include insert create set begin update show list read check see view find open delete remove clear cancel erase empty tell give bring pull want make made need put have has got going start started get go is called please into onto thing things'.split(' '));

/** The end of a name that follows: "list of jewels to be bought", "list called party time". */
function rightEnd(words: readonly Word[], at: number, when: ReadonlySet<number>): number {
  const lead = rightLeads.at(words, at);
  if (lead === 0) return at;
  if (words[at]?.word === 'to') return at + lead;
  let end = at + lead;
  if (/^(?:me|my|the|a|today|tomorrow|this|us)$/.test(words[end]?.word ?? '') && words[at]?.word === 'for') {
    if (/^(?:me|us)$/.test(words[end]?.word ?? '')) return at;
  }
  const called = /^(?:called|named|titled)$/.test(words[at]?.word ?? '');
  while (end < words.length && end - at < 8 && (called || !when.has(end)) && !isMark(words[end]?.word) && !rightEnds.has(words[end]?.word ?? '')) end++;
  return end > at + lead ? end : at;
}

/** Whether a list goes without a name: "the list", "a new list". */
export function isGenericList(words: readonly Word[], { from, to }: Range): boolean {
  return words.slice(from, to).every(({ word }) => generic.has(word) || word === 'for' || word === 'of');
}

/** The bare name of a list as `Understood.list` gives it, lower case: "grocery list" → "grocery", "list of books" → "books", "to do list" → "to do". */
export function listName(list: string): string {
  return list.toLowerCase().replace(/^(?:(?:my|the|a|an|our|new) )*(?:lists?|checklist|catalogue|register) (?:of|for|called|named|titled|about|to) (?:(?:my|the|a) )?/, '').replace(/ (?:lists?|checklist)$/, '').trim();
}
