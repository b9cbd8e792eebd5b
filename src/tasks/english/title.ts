// What a task is called in an utterance: what is left when the command, the day and time, the list, the container ("a
// reminder", "my calendar") and politeness are taken away.
import { coreNouns, createdForms, createVerbs, deletedForms, deleteVerbs, eventNouns, functionWords, partingVerbs, questionWords, remindPhrases, showVerbs } from './lexicon.ts';
import { tellMe } from './asking.ts';
import type { Decision } from './operation.ts';
import type { When } from './when.ts';
import { isMark, Phrases, type Range, type Word } from './words.ts';

/** Nouns that hold a task rather than name it. */
const containers = new Set('reminder reminders remainder remainders event events task tasks item items alarm alarms entry entries todo todos to-do to-dos notification notifications alert alerts thing things one ones calendar calender calendars schedule agenda planner diary it them this that list lists note everything anything'.split(' '));
const beforeContainer = new Set('a an the my new another repeating recurring calendar next last upcoming latest some our this that all any every more single one first of scheduled pending future current whole entire fresh blank other done completed finished open overdue cancelled'.split(' '));
const afterVerb = new Set(['to', 'about', 'of', 'that', 'for', 'on', 'me', 'us', 'off', 'down', 'up', 'in', 'out', 'with', 'regarding', ':', 'when', 'is', 'it', 'so', 'towards']);
const containerLinks = new Set(['for', 'to', 'about', 'of', 'that', 'called', 'named', 'titled', 'saying', ':', 'towards', 'regarding', 'on', 'labeled', 'labelled', 'says', '-', 'which', 'as']);
const timeLeads = new Set(['on', 'at', 'for', 'by', 'in', 'from', 'of', 'around', 'about', 'this', 'the', 'to', 'until', 'till', 'during', 'after', 'before', 'due', ',', 'starting', 'beginning', 'through', 'since', 'time', 'and', 'date', 'sharply', 'later', 'it', 'is', 'will', 'be', 'event']);
const listLeads = new Set(['to', 'on', 'in', 'into', 'onto', 'from', 'off', 'of', 'my', 'the', 'a', 'our', 'this', 'that', 'new', 'under', 'at', 'out', 'with', 'all', 'your']);
const tails = new Phrases('please, for me, for us, okay, ok, thanks, thank you, can you remind me, could you remind me, please remind me, and remind me, remind me, can you, could you, will you, if possible, asap, any more, anymore, right, true, again, which i have made, that i have made, i have made, i made, i set, i created, that i set, is set, are set, that is set, if any, to go off, send me a reminder, give me a reminder, set a reminder, create a reminder, create reminder, set an alarm, remind it, add it, to be created, be created, to be added, to be removed, to be deleted');
const queryNoise = new Set('overdue done finished finish completed unfinished tagged time day days what whats what\'s when where which who whom whose how why many much soon long scheduled planned set coming going happening have has had got get any anything something free busy available pending upcoming there tell show give read check see list find look next latest current first last left remaining all else other kind names name details information info status open still already supposed need needed want details most recent today\'s now not if whether know me let us everything please made currently future is are was were am do does did i i\'m i\'ve you we they it will would should can could shall be been being my our your true doing look looks like week month plate forgotten missed miss start starts end ends take takes place date dates'.split(' '));

/** The ranges of words that name the task, in order; none when only containers are named. */
export function titleParts(words: readonly Word[], whens: readonly When[], lists: readonly Range[], decision: Decision, priority: Range | null, place: Range | null): Range[] {
  const { operation, change } = decision;
  if (operation === 'none' || operation === 'confirm' || operation === 'reject') return [];
  const taken = takenWords(words, whens, lists, change ? null : priority);
  const block = ({ from, to }: Range): void => void taken.fill(1, from, to);
  let from = decision.head;
  let to = words.length;
  if (change) ({ from, to } = change.target);
  else from += verbLength(words, from, operation);
  let runs = runsOf(words, from, to, taken, operation, block).map((range) => trimmed(words, range)).filter((range) => range.to > range.from && !onlyContainers(words, range));
  // "i no longer attend the wedding so remove it": what "it" is stands before the command.
  if (runs.length === 0 && !change && decision.head > 0) {
    const start = verbLength(words, 0, operation === 'delete' ? 'query' : operation);
    runs = runsOf(words, start, decision.head, taken, operation === 'delete' ? 'query' : operation, block).map((range) => trimmed(words, range)).filter((range) => range.to > range.from && !onlyContainers(words, range));
  }
  if (operation === 'create') runs = runs.map((range, index) => (index > 0 ? withLead(words, range, taken) : range));
  if (operation === 'create') return runs.length > 1 && place ? runs.filter((range) => range.to !== place.to || place.from - range.from > 2) : runs;
  const parts = runs.map((range) => withoutContainers(words, range)).filter((range) => range.to > range.from);
  return operation !== 'update' && parts.length > 1 ? oneOf(words, parts) : parts;
}

/** 1 for each word that says when, which list, how urgent, or is politeness at the end, together with the prepositions before it. */
function takenWords(words: readonly Word[], whens: readonly When[], lists: readonly Range[], priority: Range | null): Uint8Array {
  const taken = new Uint8Array(words.length + 1);
  const take = ({ from, to }: Range, leads: ReadonlySet<string>): void => {
    let start = from;
    while (start > 0 && from - start < 3 && leads.has(words[start - 1]?.word ?? '')) start--;
    taken.fill(1, start, to);
  };
  for (const when of whens) {
    // "the evening meeting", "sunday gym": a time of day right before its event belongs to the name.
    const names = when.kind === 'time' && when.to - when.from === 1 && eventNouns.at(words, when.to) + coreNouns.at(words, when.to) > 0 && /^(?:morning|evening|night|afternoon)$/.test(words[when.from]?.word ?? '');
    // "the quarterly report": an adjective of how often belongs to the name as well.
    const adjective = when.kind === 'recurrence' && when.to - when.from === 1 && words[when.from]?.word.endsWith('ly') && when.to < words.length && !functionWords.has(words[when.to]?.word ?? '') && !isMark(words[when.to]?.word);
    if (!names && !adjective) take(when, timeLeads);
  }
  for (const list of lists) take(list, listLeads);
  if (priority) take(priority, new Set(['with', 'as', 'and', 'a', ',', 'is', 'it', "it's"]));
  for (let at = 0; at < words.length; at++) {
    const word = words[at]?.word ?? '';
    const tail = tails.at(words, at);
    if (tail > 0 && (at + tail >= words.length || isMark(words[at + tail]?.word) || tail > 1 || word === 'please')) taken.fill(1, at, at + tail);
    else if (word.startsWith('#')) taken[at] = 1;
    else if (/^(?:calendar|calender|calendars|schedule|agenda|planner|diary)$/.test(word) && /^(?:my|the|our|this|a|to|on|in|from|into|your)$/.test(words[at - 1]?.word ?? '')) take({ from: at, to: at + 1 }, listLeads);
  }
  return taken;
}

/** The length of the command itself: "remind me to", "add", "can you set a reminder for", "get rid of". */
function verbLength(words: readonly Word[], head: number, operation: Decision['operation']): number {
  let at = head;
  const verb = operation === 'create' ? Math.max(remindPhrases.at(words, at), createVerbs.at(words, at), tellMe.at(words, at), words[at]?.word === 'mark' ? 1 : 0, showVerbs.at(words, at) > 1 ? showVerbs.at(words, at) : 0)
    : operation === 'delete' ? deleteVerbs.at(words, at) || questionOrShow(words, at) || partingVerbs.at(words, at) || (words[at]?.word === 'make' ? 1 : 0) : questionOrShow(words, at);
  // "fix the tap" is the task itself, "fix a meeting" makes one.
  const itself = verb === 1 && makingDuties.has(words[at]?.word ?? '') && coreNouns.find(words, at + 1, at + 5) < 0 && eventNouns.find(words, at + 1, at + 5) < 0;
  if (operation === 'create' && (verb === 0 || itself)) return statementLength(words, at);
  at += verb;
  while (at < words.length && afterVerb.has(words[at]?.word ?? '') && at - head - verb < 3) at++;
  // "remind me that i have a meeting", "write down that i am going to meet with jenny"
  return at - head + statementLength(words, at);
}

const makingDuties = new Set(['fix', 'write', 'prepare', 'draft', 'build']);

function questionOrShow(words: readonly Word[], at: number): number {
  return Math.max(questionWords.at(words, at), showVerbs.at(words, at));
}

const statements = new Phrases("i already bought, i already have, i bought, i already got, i won't be going to, i won't be at, i won't be attending, i can't make, i cannot make, i can't attend, i'm not going to, i am not going to, i'm not attending, i'm no longer attending, i am no longer attending, no need for, i have, i have to, i have got, i've got, i've got to, i got, i am going to, i'm going to, i will, i'll, i need to, i need, i must, i should, i don't need, i dont need, i do not need, i no longer need, i don't want, i do not want, i don't want to be, i no longer want, we don't need, we do not need, we no longer need, i wish, i am having, i'm having, we are having, we're having, we have, we have to, there is, there's, i have got to, i gotta, i am, i'm, i would like to, i want to, i want, and, also, we need to");

function statementLength(words: readonly Word[], at: number): number {
  return statements.at(words, at);
}

/** The runs of words that are not taken; for a create, a container with its link ("a reminder for") is taken, too. */
function runsOf(words: readonly Word[], from: number, to: number, taken: Uint8Array, operation: Decision['operation'], block: (range: Range) => void): Range[] {
  if (operation === 'create') {
    const end = containerEnd(words, from, to);
    if (end > from) block({ from, to: end });
  }
  const breaks = (at: number): boolean => {
    const word = words[at]?.word ?? '';
    if (taken[at] || (operation === 'create' && createdForms.at(words, at) > 0)) return true;
    if (operation === 'query') return queryNoise.has(word) || isMark(word);
    if (operation === 'delete') return deleteVerbs.at(words, at) > 0 && at > from ? true : deletedForms.at(words, at) > 0 || isMark(word);
    return /^[.!?;,]$/.test(word);
  };
  const runs: Range[] = [];
  let start = -1;
  for (let at = from; at <= to; at++) {
    if (at < to && !breaks(at)) {
      if (start < 0) start = at;
    } else if (start >= 0) {
      runs.push({ from: start, to: at });
      start = -1;
    }
  }
  return runs;
}

/** The end of "a reminder for", "a new calendar event called", "the alarm to" at a word; the word itself when none stands there. */
function containerEnd(words: readonly Word[], from: number, to: number): number {
  let at = from;
  while (at < to && at - from < 4 && beforeContainer.has(words[at]?.word ?? '') && !(words[at]?.word === 'calendar' && !containers.has(words[at + 1]?.word ?? ''))) at++;
  let end = at;
  while (end < to && end - at < 3 && containers.has(words[end]?.word ?? '')) end++;
  if (end === at) return from;
  return containerLinks.has(words[end]?.word ?? '') ? end + 1 : end;
}

const edges = new Set([...functionWords, 'please', 'new', 'next', 'upcoming', 'called', 'named', 'titled', ':', '-', '"', "'", 'scheduled', 'planned', 'it', "i'm", "i've", 'up', 'down', 'of', 'latest', 'time', 'hey', 'hi', 'ok', 'okay', 'later', 'soon', 'now', 'towards', 'regarding', 'fresh', 'blank', 'olly', 'alexa']);
/** Function words that end a name rightly: "take the trash out", "sign up". */
const endings = new Set(['out', 'up', 'off', 'down', 'in', 'over', 'on', "'s", 'him', 'her', 'them']);

/** A run without function words and marks at its ends. */
function trimmed(words: readonly Word[], range: Range): Range {
  let { from, to } = range;
  while (from < to && (edges.has(words[from]?.word ?? '') || isMark(words[from]?.word))) from++;
  while (to > from && ((edges.has(words[to - 1]?.word ?? '') && !(endings.has(words[to - 1]?.word ?? '') && to - from > 1)) || isMark(words[to - 1]?.word) || words[to - 1]?.word === 'please')) to--;
  return { from, to };
}

/** A later part with the preposition that ties it to the one before: "call ivan … about the lease". */
function withLead(words: readonly Word[], { from, to }: Range, taken: Uint8Array): Range {
  let start = from;
  while (start > 0 && !taken[start - 1] && /^(?:the|a|an|my|our|his|her)$/.test(words[start - 1]?.word ?? '')) start--;
  return start > 0 && !taken[start - 1] && /^(?:with|about|for|from|to|at|in|regarding|of|by)$/.test(words[start - 1]?.word ?? '') ? { from: start - 1, to } : { from, to };
}

function onlyContainers(words: readonly Word[], { from, to }: Range): boolean {
  return words.slice(from, to).every(({ word }) => containers.has(word) || beforeContainer.has(word) || functionWords.has(word));
}

/** Without the containers around it: "yoga alarms" → "yoga", "task about the invoice" → "invoice", "task feed the cat" → "feed the cat"; nothing when there is nothing else. */
function withoutContainers(words: readonly Word[], range: Range): Range {
  let { from, to } = range;
  if (onlyContainers(words, range)) return { from, to: from };
  if (containers.has(words[from]?.word ?? '') && containerLinks.has(words[from + 1]?.word ?? '') && to - from > 2) from += 2;
  else if (/^(?:task|item|todo|to-do)$/.test(words[from]?.word ?? '') && to - from > 1) from++;
  while (to > from && containers.has(words[to - 1]?.word ?? '')) to--;
  while (from < to && beforeContainer.has(words[from]?.word ?? '')) from++;
  return trimmed(words, { from, to });
}

/** The run that names an event, with what belongs to it; else the first. */
function oneOf(words: readonly Word[], runs: readonly Range[]): Range[] {
  const named = runs.find((range) => eventNouns.find(words, range.from, range.to) >= 0 || /^(?:meetings?|appointments?)$/.test(words.slice(range.from, range.to).map(({ word }) => word).find((word) => /^(?:meetings?|appointments?)$/.test(word)) ?? ''));
  const chosen = named ?? runs[0];
  return chosen ? [chosen] : [];
}
