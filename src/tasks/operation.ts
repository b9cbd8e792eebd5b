// Decides what an utterance asks for. The word that leads it, after "please", "can you" and the like, decides in most
// sentences; questions and looks into the calendar may end in a second command ("find my next event and delete it").
import {
  approvals, availability, coreNouns, createdForms, createVerbs, deletedForms, deleteVerbs, dutyVerbs, eventNouns, feedbackFiller, functionWords, happening, otherNouns, otherVerbs, outings, ownDuties, partingVerbs, plainDeleteVerbs,
  prefixes, questionWords, refusals, remindPhrases, sendingVerbs, showVerbs, vagueCreateVerbs, vagueDutyVerbs,
} from './lexicon.ts';
import { changeOf, type ChangePlace } from './change.ts';
import { findPriority } from './priority.ts';
import type { When } from './when.ts';
import { isMark, Phrases, type Word } from './words.ts';

/** What may be done: the first four to tasks, `confirm` and `reject` answer what the assistant said, `none` is not about tasks. */
export type Operation = 'create' | 'query' | 'update' | 'delete' | 'confirm' | 'reject' | 'none';

/** An operation, how sure the rules are (0..1), where its command begins (a word), and for an update what is to change. */
export interface Decision {
  readonly operation: Operation;
  readonly confidence: number;
  readonly head: number;
  readonly change?: ChangePlace;
}

/** Decides by rules alone; `whens` are the expressions of time in the words. */
export function decide(words: readonly Word[], whens: readonly When[]): Decision {
  const head = commandStart(words, whens);
  const decided = (operation: Operation, confidence: number, at = head): Decision => ({ operation, confidence, head: at });
  if (words.every(({ word }) => isMark(word))) return nods(words) ?? decided('none', 1);

  const said = feedback(words);
  if (said) return decided(said.operation, said.confidence, 0);
  const about = subjects(words, head, whens);

  const change = changeOf(words, head, whens);
  // "i bought the eggs, take them off my list" asks for the second.
  const overruled = change !== null && change.confidence < 0.9 && laterCommand(words, head + 1, 'anywhere')?.operation === 'delete';
  if (change && !overruled) return { ...decided('update', change.confidence), change };

  if (notMissed.find(words) >= 0) return decided('create', 0.8);
  if (forbidden.find(words) >= 0) return decided('delete', 0.8);
  const asks = (asksFor(words, head, whens) || tagQuestions.at(words, lastTag(words)) > 0) && !remindsOfDuty(words, head, whens);
  if ((remindPhrases.at(words, head) > 0 || remindsLater(words, head, whens)) && !asks) return decided('create', 0.95);
  if (halts.at(words, head) > 0 && restIsEmpty(words, head + halts.at(words, head))) return decided('reject', 0.6);
  if (partsFrom(words, head) && about.core) return decided('delete', 0.85);
  if (deleteVerbs.at(words, head) > 0) {
    if (takesAway(words, head, about)) return decided('delete', about.core ? 0.95 : 0.7);
    // "take out the trash on thursday", "clean the garage this weekend"
    return whens.length > 0 && !about.other ? decided('create', 0.6) : decided('none', 0.6);
  }
  const needless = unwanted.find(words) >= 0;
  if (!asks && ((needless && (about.core || noLonger.find(words) >= 0)) || (words[head]?.word === 'no' && coreNouns.find(words, head + 1, head + 4) > 0) || ((about.core || about.event) && (calledOff.find(words) >= 0 || absent.find(words) >= 0)) || (unneeded.at(words, 0) > 0 && words.length < 8 && !about.other))) return decided('delete', 0.7);
  // "send the report to anna by friday" is a duty; "send …" without a day, or anything of mail, is not.
  if (sendingVerbs.at(words, head) > createVerbs.at(words, head)) {
    if (sentToOneself.find(words, head + 1, head + 5) > 0) return decided('create', 0.8);
    const day = whens.find(({ kind, to }) => kind === 'date' && to === lastNoun(words, []) + 1);
    return day && words[head]?.word === 'send' && otherNouns.find(words, head + 1) < 0 ? decided('create', 0.5) : decided('none', 0.7);
  }
  if (asks && about.core && bringsNew(words, head)) return decided('create', 0.75);
  // "when i have a meeting, remind me an hour before"
  const condition = asks && /^(?:when|whenever)$/.test(words[head]?.word ?? '') ? reminders.find(words, head + 2) : -1;
  if (condition > 0) return decided('create', 0.8, condition);
  // "let me know of the meeting on tuesday" is a reminder; "let me know which alarms are set for tuesday" asks.
  if (asks && words[head]?.word === 'let' && words[head + 2]?.word === 'know' && whens.length > 0 && (about.event || appointments.find(words) >= 0) && !about.other && alarms.find(words) < 0 && questionWords.find(words, head + 3) < 0) return decided('create', 0.6);
  // "tell me about my appointment an hour before it"
  if (asks && showVerbs.at(words, head) > 0 && questionWords.at(words, head) <= tellMe.at(words, head) && whens.some(({ kind }) => kind === 'lead')) return decided('create', 0.7);
  if (asks && !about.core && !about.other) {
    if (whens.length > 0 && dutyVerbs.at(words, head) > 0) return decided('create', 0.6);
    if (awaits(words, head)) return decided('create', 0.6);
  }
  if (asks) {
    const second = laterCommand(words, head + 1, navigation.at(words, head) > 0 ? 'anywhere' : 'after and');
    if (second && about.core) return decided(second.operation, 0.75, second.at);
    if (about.core || about.duties || ((about.event || about.own) && !about.other)) return decided('query', about.core ? 0.9 : 0.7);
    // "when is jim coming": what is to come is of the calendar, what was is of history.
    if (comes.at(words, head) > 0 && !about.other && whens[0]?.from !== head + comes.at(words, head)) return decided('query', 0.5);
    return decided('none', 0.7);
  }
  const duty = isDuty(words, head, whens);
  if (otherVerbs.at(words, head) > 0 && !about.core && !duty) return decided('none', 0.7);
  if (calendars.at(words, head) > 0 && (onlyWhen(words, head + 1, whens) || words.slice(head + calendars.at(words, head)).every(({ word }) => isMark(word) || word === 'please'))) return decided('query', 0.7);
  if (createVerbs.at(words, head) > 0 || (words[head]?.word === 'mark' && whens.some(({ from }) => from === head + 1 || (from === head + 2 && words[head + 1]?.word === 'down')))) {
    if ((about.core && deletedForms.find(words, head) >= 0) || makesEmpty(words, head, whens)) return decided('delete', 0.7);
    if (about.core) return decided('create', 0.9);
    const length = createVerbs.at(words, head);
    const named = about.event && (vagueCreateVerbs.at(words, head) === 0 || eventNouns.find(words, head + length, head + length + 3) >= 0);
    if (whens.length > 0 && (named || planning.at(words, head) > 0)) return decided('create', 0.7);
    if (about.other || (words[head]?.word === 'new' && !about.event)) return decided('none', 0.6);
    if (about.event || whens.length > 0) return decided('create', 0.8);
    const made = dutyVerbs.at(words, head) > 0 && vagueDutyVerbs.at(words, head) === 0;
    return vagueCreateVerbs.at(words, head) >= length && !made ? decided('none', 0.5) : decided('create', 0.5);
  }
  if (createdForms.find(words) >= 0 && about.core) return decided('create', 0.8);
  if (words[head]?.word === 'have' && about.core && deletedForms.find(words) < 0) return decided('create', 0.6);
  if (deletedForms.find(words) >= 0 && (about.core || about.event || whens.length > 0)) return decided('delete', 0.7);
  if (about.core && (words.at(-1)?.word === 'off' || offList.find(words, head) >= 0)) return decided('delete', 0.6);
  const second = laterCommand(words, head, 'anywhere');
  if (second && (about.core || about.event || (second.operation === 'create' && (whens.length > 0 || remindPhrases.at(words, second.at) > 0)))) return decided(second.operation, 0.75, second.at);
  return undirected(words, head, whens, about);
}

/** "order a cake for friday": a verb of a duty and a day, whatever else it is about. */
function isDuty(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  return dutyVerbs.at(words, head) > 0 && (vagueDutyVerbs.at(words, head) === 0 || words[head]?.word === 'order') && sendingVerbs.at(words, head) === 0 && whens.some(({ kind }) => kind === 'date');
}

const product = (firsts: readonly string[], seconds: readonly string[]): string => firsts.flatMap((first) => seconds.map((second) => `${first} ${second}`)).join(',');
const not = ["don't", 'do not', 'dont'];
const offList = new Phrases(product(['off', 'off of'], ['list', 'my list', 'the list', 'my calendar', 'the calendar']));
const notMissed = new Phrases(product([...not, "i don't", 'i do not'], ['want to forget', 'want to miss', 'let me miss', 'let me forget']), 'should not forget, must not forget, cannot forget, can\'t forget');
const forbidden = new Phrases(product([...not, 'no need to', "don't need to", 'do not need to', "don't have to", 'do not have to', 'never'], ['remind', 'notify', 'wake me', 'alert', 'ring', 'warn me']), product([...not, 'not'], ['want to be reminded', 'want to be notified', 'want to be woken', 'want to be alerted', 'need to be reminded', 'need to be woken']));
const absent = new Phrases(product(["can't", 'cannot', 'can not', "won't", 'will not', 'not able to', 'unable to', "couldn't", 'no longer'], ['attend', 'make', 'come', 'go', 'join', 'be there', 'be attending', 'be able', 'be going']));
const unwanted = new Phrases("no need for, no need of, don't want any, do not want any, dont want any, don't need, do not need, dont need, no longer need, no longer want, don't want the, do not want the, don't want my, don't want to be, do not want to be, not needed any, no longer needed, no longer attending, there is no, there are no, there is nothing, will be no, have no meeting, have no meetings, won't be a, will not be a, not meeting, don't have a, do not have a, don't have any, should not contain, shouldn't contain, should not have, should not include");
const unneeded = new Phrases(product(['i', 'we'], [...not, 'no longer'].flatMap((negation) => [`${negation} need`, `${negation} want`])));
const noLonger = new Phrases('anymore, any more, any longer, no longer');
const calledOff = new Phrases("no longer attending, won't be, will not be, not going to the, not going to my, not attending, not happening, called off, not coming, not doing, don't schedule, do not schedule, don't set, do not set, don't want");
const planning = new Phrases('add, schedule, plan, note, write down, note down, jot down, invite, pencil in, arrange, mark down, put down, log, organise, organize');
/** "have lunch with dan tomorrow" is no question; "have i …" and "have my …" are. */
function hasSomething(words: readonly Word[], head: number): boolean {
  if (words[head]?.word !== 'have') return false;
  // "have my calendar remind me"
  if (words.some(({ word }, at) => at > head && /^(?:remind|notify|alert)$/.test(word) && /^(?:me|us)$/.test(words[at + 1]?.word ?? ''))) return true;
  // "could you have the event removed", "have the alarm go off at six"; but "have the meetings been moved".
  if (words[head - 1]?.word === 'you' || (/^(?:the|my)$/.test(words[head + 1]?.word ?? '') && words.some(({ word }) => /^(?:go|ring|sound|set|added|scheduled|removed|deleted|cleared)$/.test(word)) && !words.some(({ word }) => word === 'been'))) return true;
  return !/^(?:i|we|you|they|he|she|my|the|any|our|there|all)$/.test(words[head + 1]?.word ?? '');
}

const sentToOneself = new Phrases('reminder, reminders, alert, alerts, notification, notifications, invite, invites, invitation, invitations, meeting request');

/** "what …", "show me …"; but "go to the party", "repeat it every tuesday" and "could milk be added" want something done. */
function asksFor(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  // "i want to do the laundry" asks nothing.
  if (questionWords.at(words, head) > 0 && words[head - 1]?.word !== 'to') return !hasSomething(words, head);
  if (remindsOfAll(words, head)) return true;
  const verb = words[head]?.word ?? '';
  if (showVerbs.at(words, head) === 0 || (verb === 'repeat' && whens.some(({ kind }) => kind === 'recurrence'))) return false;
  // "i want to know, could milk be added to my list"
  if (createdForms.find(words) >= 0 && words.some(({ word }, at) => at > head && /^(?:can|could|should)$/.test(word))) return false;
  if (verb === 'tell' && /^(?:everyone|everybody|him|her|them|my|our)$/.test(words[head + 1]?.word ?? '')) return false;
  return !/^(?:get|go|give)$/.test(verb) || /^(?:me|us)$/.test(words[head + 1]?.word ?? '') || (viewed.find(words, head + 1, head + 7) >= 0 && createdForms.find(words) < 0);
}

const appointments = new Phrases('meeting, meetings, appointment, appointments, event, events');
const alarms = new Phrases('alarm, alarms');
const viewed = new Phrases('calendar, calendars, calender, schedule, agenda, planner, diary, list, lists, reminder, reminders, alarm, alarms, event, events, meetings, appointments, notes, details');
/** "i have a meeting at noon, don't i": what ends a statement and asks whether it is so. */
const tagQuestions = new Phrases("don't i, do i, am i, aren't i, haven't i, have i, is it, isn't it, isn't there, is there, aren't there, right, correct");

/** Where a tag would begin at the end of a statement of at least four words; past the end when there is none. */
function lastTag(words: readonly Word[]): number {
  let end = words.length;
  while (end > 0 && isMark(words[end - 1]?.word)) end--;
  for (let at = Math.max(4, end - 2); at < end; at++) if (at + tagQuestions.at(words, at) === end) return at;
  return words.length;
}

const halts = new Phrases('cancel, stop, abort, halt, quit, cease, cancel it, cancel that, cancel this, stop it, stop that, stop this');
const navigation = new Phrases('open, open up, go to, bring up, pull up, find, access, go into, look up, search, get, give, load, show');

/** "let me know when the match starts" waits for something; "let me know when the match is" asks. */
function awaits(words: readonly Word[], head: number): boolean {
  const length = words[head]?.word === 'tell' ? 0 : tellMe.at(words, head);
  const said = words.findLast(({ word }) => !isMark(word) && word !== 'please')?.word ?? '';
  return length > 0 && /^(?:when|if|before|whenever)$/.test(words[head + length]?.word ?? '') && !/^(?:is|are|was|were|for|'s|does|do|did)$/.test(said);
}

/** "open a new list", "can i get a reminder", "show me an alert": what is new, or would remind, cannot be shown. */
function bringsNew(words: readonly Word[], head: number): boolean {
  const from = head + showVerbs.at(words, head);
  const article = words.findIndex(({ word }, at) => at >= from && at < from + 2 && /^(?:a|an|another)$/.test(word));
  if (from === head || article < 0) return false;
  return /^(?:new|fresh|blank)$/.test(words[article + 1]?.word ?? '') || reminding.find(words, article + 1, article + 4) >= 0 || (words[head]?.word === 'open' && coreNouns.at(words, article + 1) > 0);
}

const reminders = new Phrases('remind me, remind us, notify me, alert me, wake me, warn me, ping me, tell me to');
const comes = new Phrases("when is, when 's, when are, when will, when am, when do i, when do we, when must i, do i have, do we have, do i need, do we need");
const reminding = new Phrases('reminder, alert, alarm, notification, wake up call');

function restIsEmpty(words: readonly Word[], from: number): boolean {
  return words.slice(from).every(({ word }) => isMark(word) || /^(?:please|now|thanks|right|here|everything|immediately)$/.test(word));
}

/** "make my friday clear", "make sure my calendar is completely empty". */
function makesEmpty(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  const empties = words.findIndex(({ word }, at) => at > head && /^(?:clear|empty|blank)$/.test(word) && words[at - 1]?.word !== 'new' && words[at - 1]?.word !== 'a');
  return words[head]?.word === 'make' && empties > 0 && (calendarNames.find(words) >= 0 || (empties === words.length - 1 && whens.length > 0));
}

/** "take milk off my list", "turn the alarm off": a verb whose particle comes within a few words. */
function partsFrom(words: readonly Word[], head: number): boolean {
  if (partingVerbs.at(words, head) === 0) return false;
  for (let at = head + 1; at < words.length && at - head < 9; at++) {
    const word = words[at]?.word ?? '';
    if (word === 'off' || word === 'away' || (words[head]?.word === 'take' && (word === 'from' || word === 'out'))) return true;
    if (/^(?:to|into|on|and)$/.test(word)) return false;
  }
  return false;
}

/** "tell me on tuesday to give jane a call". */
function remindsLater(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  const length = tellMe.at(words, head);
  if (length === 0) return false;
  const at = head + length;
  const when = whens.find(({ from }) => from === at || (from === at + 1 && /^(?:on|at|in|by)$/.test(words[at]?.word ?? '')));
  return when !== undefined && /^(?:to|that)$/.test(words[when.to]?.word ?? '');
}

/** Verbs that ask for a reminder when a time and a duty follow. */
export const tellMe = new Phrases('tell me, let me know, inform me, call me, message me');

/** No verb leads: a statement ("i have a meeting at noon"), a duty ("pay the rent"), or the thing itself ("dentist today at nine"). */
function undirected(words: readonly Word[], head: number, whens: readonly When[], about: Subjects): Decision {
  const decided = (operation: Operation, confidence: number): Decision => ({ operation, confidence, head });
  const dated = whens.length > 0;
  const isNew = words.some(({ word }) => /^(?:new|fresh|another)$/.test(word));
  // "milk on the shopping list" puts it there; "the shopping list" looks at it.
  const placed = words.some(({ word }, at) => at > head && /^(?:on|onto|to|into)$/.test(word) && words.slice(at + 1, at + 7).some((later) => /^(?:lists?|calendar)$/.test(later.word)) && words[at + 1]?.word !== 'do');
  const stated = statements.at(words, 0) > 0 && words[0]?.word !== 'my';
  const looksUp = !isNew && !stated && (words[head]?.word === 'due' || (!placed && lookUpNouns.find(words) >= 0) || (!dated && [head, head + 1].includes(nextNouns.find(words))) || (!placed && /^(?:list|lists)$/.test(words[lastNoun(words, whens)]?.word ?? '') && words.length > 1));
  if (about.core) {
    // "i need a grocery list": what is wanted with an "a" is not there yet.
    if (looksUp && !/^(?:a|an|another|one)$/.test(words[head]?.word ?? '')) return decided('query', 0.6);
    return decided('create', dated ? 0.7 : 0.5);
  }
  if (words[head]?.word === 'my' && /^(?:plans?|planning)$/.test(words[lastNoun(words, whens)]?.word ?? '')) return decided('query', 0.6);
  if (dated && (appointed.find(words) >= 0 || outings.find(words) >= 0)) return decided('create', 0.6);
  const duty = isDuty(words, head, whens);
  if (about.other && !duty) return decided('none', 0.6);
  if (dutyVerbs.at(words, head) > 0 && (dated || vagueDutyVerbs.at(words, head) === 0)) return decided('create', dated ? 0.7 : 0.5);
  if (about.event && (dated || statements.find(words) >= 0)) return decided('create', 0.6);
  if ((dated && (statements.find(words) >= 0 || begins.find(words) >= 0 || (whens.some(({ kind }) => kind === 'date') && tellsOfSomething(words, whens)))) || (about.event && words.length <= 5)) return decided('create', 0.5);
  return decided('none', 0.5);
}

/** The last word before marks, "please", and "for today" at the end. */
function lastNoun(words: readonly Word[], whens: readonly When[]): number {
  let at = words.length - 1;
  while (at > 0 && (isMark(words[at]?.word) || words[at]?.word === 'please')) at--;
  const when = whens.find(({ to }) => to === at + 1);
  if (when && when.from > 0) at = when.from - 1;
  while (when && at > 0 && /^(?:for|on|of)$/.test(words[at]?.word ?? '')) at--;
  return at;
}

const lookUpNouns = new Phrases('my events, my schedule, my calendar, my reminders, my alarms, my tasks, my appointments, my meetings, my lists, my agenda, my todos, all alarms, all events, all reminders, all tasks, all meetings, all lists, upcoming, latest events, events, current list, schedule, agenda, overdue, status, settings, alarm time, alarm details, details, alarm times, plan, plans, my day, my week, alarms, meetings, lists, tasks, items on, item on, tasks due, items due, things due');
/** "drinks with the team on friday": something besides a time that lies ahead, and no question of the clock or the calendar. */
function tellsOfSomething(words: readonly Word[], whens: readonly When[]): boolean {
  const said = words.filter((_, at) => !whens.some(({ from, to }) => at >= from && at < to));
  return said.filter(({ word }) => /^\p{L}{2}/u.test(word) && !functionWords.has(word)).length > 1
    && !words.some(({ word }) => /^(?:date|day|time|clock|month|year|week|what|which|how|who|yesterday|ago|last|was|were|did|had|went|saw|don't|couldn't|didn't|happened)$/.test(word));
}

const begins = new Phrases('starts, begins, ends, opens, closes, takes place');
const appointed = new Phrases("i have a, i have an, i have to, i've got a, i got a, we have a, i have my, i need to, i must, i have got, i've a");
const nextNouns = new Phrases('next appointment, next event, next meeting, next reminder, next alarm, next task, next item, next deadline, last reminder, last event');
const statements = new Phrases('i have, i have to, i need, i must, i am, i\'m, i\'ve got, i got, i will, i\'ll, we have, we are, there is a, there will be, is coming, my, we need, we must, i should, have to, need to');

/** What the words are about. `own`: the asker's time ("am i free on sunday"); `duties`: the same, beyond doubt. */
interface Subjects {
  readonly core: boolean;
  readonly event: boolean;
  readonly own: boolean;
  readonly duties: boolean;
  readonly other: boolean;
}

function subjects(words: readonly Word[], head: number, whens: readonly When[]): Subjects {
  // "list the shops" names no list.
  const lists = words[head]?.word === 'list' && head + 2 < words.length ? head + 1 : 0;
  const mine = words.some(({ word }) => /^(?:i|my|i'm|i've|we|our|i'll)$/.test(word));
  const timed = whens.length > 0;
  // A game is played, or at a time attended.
  const other = words.some(({ word }, at) => otherNouns.at(words, at) > 0 && !(timed && /^games?$/.test(word)));
  // "events near me" are not those of the calendar.
  const local = nearby.find(words) >= 0 && calendarNames.find(words) < 0;
  // "the two plans", "is the rent due": of tasks only when they are one's own or a time is named.
  const named = coreNouns.find(words, lists) >= 0 && (mine || timed || words.some((_, at) => at >= lists && coreNouns.at(words, at) > 0 && sharedNouns.at(words, at) === 0) || questionWords.at(words, head) === 0);
  return {
    core: !local && (named || words.some(({ word }) => /^#[^#]/.test(word))),
    event: !local && eventNouns.find(words) >= 0,
    own: (timed && ((mine && availability.find(words) >= 0) || happening.find(words) >= 0)) || asksForTime(words, head, whens),
    duties: (ownDuties.find(words) >= 0 || (timed && !other && !local && ((/^(?:is|are)$/.test(words[0]?.word ?? '') && words[1]?.word === 'there') || isFree(words, whens)))) && !words.some(({ word }) => /^(?:wear|weather|umbrella)$/.test(word)),
    other: other || local,
  };
}

const sharedNouns = new Phrases('plan, plans, planned, booked, due, notes, entry, entries, assignment, assignments, notification, notifications, item, items, engagement, engagements, commitments, catalogue, register, schedule, schedules, scheduled');

/** "what's next", "what is on friday", "tell me about tomorrow", "how does next week look", "what's the date of the gala". */
function asksForTime(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  if (dutyTimes.at(words, head) > 0) return true;
  const of = dateOf.find(words, head);
  if (of > 0 && words[of - 1]?.word !== 'birth') return whens.every(({ from }) => from !== of + dateOf.at(words, of) && from !== of + dateOf.at(words, of) + 1);
  let at = head + lookAhead.at(words, head);
  if (at === head) return false;
  if (/^(?:on|up|for|about|my)$/.test(words[at]?.word ?? '')) at++;
  const when = whens.find(({ from }) => from === at);
  let end = when?.to ?? at;
  while (end < words.length && (isMark(words[end]?.word) || /^(?:look|like|please|for|me)$/.test(words[end]?.word ?? ''))) end++;
  return end === words.length;
}

/** "is my wednesday open", "check if friday is free". */
function isFree(words: readonly Word[], whens: readonly When[]): boolean {
  const [when] = whens;
  const end = words.findLastIndex(({ word }) => !isMark(word));
  if (!when || !/^(?:free|busy|open|available|clear|booked|taken)$/.test(words[end]?.word ?? '')) return false;
  const before = words[when.from - 1]?.word === 'my' ? when.from - 2 : when.from - 1;
  return /^(?:is|are|if|whether)$/.test(words[before]?.word ?? '');
}

const dateOf = new Phrases('date of, date for');
const dutyTimes = new Phrases('when do i have to, when do i need to, when must i, what time do i have to, what time do i need to, where do i have to, where do i need to');
const lookAhead = new Phrases("what 's next, what is next, whats next, what 's on, what is on, whats on, what 's for, what is for, whats for, what 's on my plate, what is on my plate, whats on my plate, what 's up next, what comes next, tell me about, check, check on, look at, see, brief me on, update me on, fill me in on, what about, how about, how does, how is, how 's, what does");
const nearby = new Phrases('near me, nearby, near by, near here, in my area, around me, around here, in town, in the area, in this area, in this city, in the city, local events, local, close by, around town');
const calendarNames = new Phrases('calendar, my schedule, my agenda, my list');
const calendars = new Phrases('calendar, schedule, agenda, diary, plan, plans, my plan, my plans, my calendar, my schedule, my agenda, my diary, my list');

/** "calendar for today", "schedule for tomorrow": nothing but a time follows. */
function onlyWhen(words: readonly Word[], from: number, whens: readonly When[]): boolean {
  const when = whens.find((found) => found.from >= from);
  const end = words.findLastIndex(({ word }) => !isMark(word) && word !== 'please') + 1;
  return when !== undefined && when.from - from <= 2 && whens.at(-1)?.to === end && words.slice(from, when.from).every(({ word }) => /^(?:for|on|of|the|in)$/.test(word));
}

const hedges = new Phrases('how about, what about, i am thinking of, i\'m thinking of, i was thinking of, do you mind, would you mind, would it be possible to, is there any way you can, is there a way you could, is there any way you could, is there any chance you could, do you think you could, is there a way to, is there any way to, are there ways to, are there any ways to, is there a way i can, is there a way you can');
const doubts = new Phrases("i forgot, i forget, i've forgotten, i don't remember, i can't remember, i cannot remember, i don't know, i do not know, i dont know, i'm not sure, i am not sure, i wonder, i was wondering");

/** Where the command begins: after greetings, politeness and wishes. */
function commandStart(words: readonly Word[], whens: readonly When[]): number {
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

/** "remind me when to …" asks; "tell me to call mom" and "let me know when it is five" ask for a reminder. */
function remindsOfDuty(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  if (remindsLater(words, head, whens)) return true;
  const length = remindPhrases.at(words, head);
  if (length === 0) return false;
  // "remind me when i get home to …"; but "remind me of how many lists there are".
  if (/^(?:when|if|before|after)$/.test(words[head + length]?.word ?? '') && arrivals.at(words, head + length + 1) > 0) return true;
  const of = /^(?:of|about)$/.test(words[head + length]?.word ?? '') ? 1 : 0;
  if (remindsOfAll(words, head)) return false;
  return (length >= showVerbs.at(words, head)) && !(of > 0 && /^(?:what|which|who|how|where)$/.test(words[head + length + of]?.word ?? ''));
}

/** "remind me of my schedule for today" */
function remindsOfAll(words: readonly Word[], head: number): boolean {
  const at = head + remindPhrases.at(words, head);
  return at > head && /^(?:of|about)$/.test(words[at]?.word ?? '') && overviews.at(words, at + 1) > 0;
}

const overviews = new Phrases("my schedule, my calendar, my agenda, my plans, my events, my tasks, my list, my to do list, my reminders, my day, my week, today 's schedule, today 's events, today 's tasks, today 's agenda, tomorrow 's schedule, tomorrow 's events, tomorrow 's agenda");
const arrivals = new Phrases("i am, i'm, i get, i arrive, i leave, i come, i go, i pass, we get, we leave, we are");

/** Whether a verb of taking away is about tasks: "clean my calendar", "delete item four", but not "turn off the lights", "clean the floor". */
function takesAway(words: readonly Word[], head: number, about: Subjects): boolean {
  if (about.core) return true;
  if (weakDelete.at(words, head) >= deleteVerbs.at(words, head)) return about.event && !about.other;
  return true;
}

const weakDelete = new Phrases('skip, decline, reject, never mind the, nevermind the, stop, stop the, stop my, stop all, terminate, take down, clean, clean up, clean out, clear up, turn off, switch off, shut off, stop, silence, reset, kill, drop, take out, takeout, dismiss, disable, deactivate, snooze, forget the, forget my, empty');

/** A second command: "… and delete it", "… can you remind me", ", put it on thursday". After a question only what "and" leads. */
function laterCommand(words: readonly Word[], from: number, where: 'after and' | 'anywhere'): { operation: Operation; at: number } | null {
  const leads = where === 'anywhere' ? commandLeads : andLeads;
  for (let at = from; at < words.length; at++) {
    const before = words[at - 1]?.word ?? '';
    const led = at === from ? where === 'anywhere' : leads.has(before) || isMark(before);
    const reminds = remindPhrases.at(words, at) > 0 && /^(?:remind|notify|wake|alert)$/.test(words[at]?.word ?? '');
    if (reminds && (where === 'anywhere' ? led || /^(?:me|us|it)$/.test(words[at + 1]?.word ?? '') : led)) return { operation: 'create', at };
    const length = deleteVerbs.at(words, at);
    if (length > 0 && (led || /^(?:it|them|those)$/.test(words[at + length]?.word ?? '') || (where === 'anywhere' && plainDeleteVerbs.at(words, at) > 0))) return { operation: 'delete', at };
    if (partsFrom(words, at) && (led || (where === 'anywhere' && /^(?:it|them|those)$/.test(words[at + 1]?.word ?? '')))) return { operation: 'delete', at };
    if (at > from && ((led && secondCreate.at(words, at) > 0) || (where === 'anywhere' && plainCreate.at(words, at) > 0))) return { operation: 'create', at };
  }
  return null;
}

const andLeads = new Set(['and', 'then', 'please', ',', '.', ';', 'so']);
const commandLeads = new Set([...andLeads, 'you', 'to']);
const plainCreate = new Phrases('put it, put them, put that, put this, add, create, schedule a, schedule an, schedule event, set a, set an, insert');
const secondCreate = new Phrases('add, create, make a, make an, put, schedule, set a, set an, set up, set it, set the, insert, include, book, write, note');

const corrections = new Phrases('i said, i meant, i asked for, i told you');

/** A thumb up or down. */
function nods(words: readonly Word[]): Decision | null {
  const thumb = words.find(({ word }) => /^[👍👌✅👎❌]$/u.test(word));
  return thumb ? { operation: /[👎❌]/u.test(thumb.word) ? 'reject' : 'confirm', confidence: 0.9, head: 0 } : null;
}

/** Approval or refusal of what the assistant said or did, in one letter or in words: nearly all words are of those classes, and something is said. */
function feedback(words: readonly Word[]): { operation: 'confirm' | 'reject'; confidence: number } | null {
  if (words.length === 1 && /^[yn]$/.test(words[0]?.word ?? '')) return { operation: words[0]?.word === 'y' ? 'confirm' : 'reject', confidence: 0.7 };
  // "i said friday, not monday"
  const start = words.findIndex(({ word }) => !isMark(word) && !/^(?:no|olly|alexa|siri|hey|ok|okay|sorry)$/.test(word));
  if (corrections.at(words, start) > 0 && words.some(({ word }, at) => at > start && word === 'not')) return { operation: 'reject', confidence: 0.7 };
  if (remindPhrases.find(words) >= 0 || viewed.find(words) >= 0) return null;
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
