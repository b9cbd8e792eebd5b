// Decides what an utterance asks for. The word that leads it, after "please", "can you" and the like, decides in most
// sentences; questions and looks into the calendar may end in a second command ("find my next event and delete it").
import { asked, asks, remindsLater } from './asking.ts';
import { changeOf, type ChangePlace } from './change.ts';
import { commandStart, lastNoun, laterCommand } from './command.ts';
import { feedback, halts, nods } from './feedback.ts';
import { createdForms, createVerbs, deletedForms, dutyVerbs, eventNouns, otherNouns, otherVerbs, remindPhrases, sendingVerbs, vagueCreateVerbs, vagueDutyVerbs } from './lexicon.ts';
import type { Reading, Sentence } from './sentence.ts';
import { isDuty, stated } from './statement.ts';
import { subjects } from './subjects.ts';
import { isOff, makesEmpty, negated, notWanted, takenAway } from './taking.ts';
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
  if (words.every(({ word }) => isMark(word))) return { head: 0, ...(nods(words) ?? { operation: 'none', confidence: 1 }) };
  const answer = feedback(words);
  if (answer) return { head: 0, ...answer };

  const head = commandStart(words, whens);
  const change = changeOf(words, head, whens);
  // "i bought the eggs, take them off my list" asks for the second.
  const overruled = change !== null && change.confidence < 0.9 && laterCommand(words, head + 1, 'anywhere')?.operation === 'delete';
  if (change && !overruled) return { operation: 'update', confidence: change.confidence, head, change };

  const { operation, confidence, at } = read({ words, whens, head, about: subjects(words, head, whens) });
  return { operation, confidence, head: at ?? head };
}

/** The first reading that applies. */
function read(sentence: Sentence): Reading {
  const { words, whens, head } = sentence;
  const question = asks(words, head, whens);
  const denied = negated(sentence);
  if (denied) return denied;
  if ((remindPhrases.at(words, head) > 0 || remindsLater(words, head, whens)) && !question) return { operation: 'create', confidence: 0.95 };
  if (whens.length === 0 && halts(words, head)) return { operation: 'reject', confidence: 0.6 };
  return takenAway(sentence) ?? (question ? null : notWanted(sentence)) ?? sent(sentence) ?? (question ? asked(sentence) : commanded(sentence) ?? stated(sentence));
}

/** "send me a reminder", and "send the report to anna by friday", which is a duty; to send anything else is no task. */
function sent({ words, head, whens }: Sentence): Reading | null {
  if (sendingVerbs.at(words, head) <= createVerbs.at(words, head)) return null;
  if (sentToOneself.find(words, head + 1, head + 5) > 0) return { operation: 'create', confidence: 0.8 };
  const day = whens.some(({ kind, to }) => kind === 'date' && to === lastNoun(words, []) + 1);
  const duty = day && words[head]?.word === 'send' && otherNouns.find(words, head + 1) < 0;
  return duty ? { operation: 'create', confidence: 0.5 } : { operation: 'none', confidence: 0.7 };
}

const sentToOneself = new Phrases('reminder, reminders, alert, alerts, notification, notifications, invite, invites, invitation, invitations, meeting request');

/** A verb leads, or what is to be done is said of the thing ("an item to be added"). */
function commanded(sentence: Sentence): Reading | null {
  const { words, head, whens, about } = sentence;
  if (otherVerbs.at(words, head) > 0 && !about.core && !isDuty(words, head, whens)) return { operation: 'none', confidence: 0.7 };
  if (looksAtCalendar(words, head, whens)) return { operation: 'query', confidence: 0.7 };
  if (createVerbs.at(words, head) > 0 || marksDay(words, head, whens)) return created(sentence);
  if (createdForms.find(words) >= 0 && about.core) return { operation: 'create', confidence: 0.8 };
  // "have the alarm go off at six"
  if (words[head]?.word === 'have' && about.core && deletedForms.find(words) < 0) return { operation: 'create', confidence: 0.6 };
  const second = laterCommand(words, head, 'anywhere');
  const reminds = second?.operation === 'create' && (whens.length > 0 || remindPhrases.at(words, second.at) > 0);
  if (second && (about.core || about.event || reminds)) return { ...second, confidence: 0.75 };
  return isOff(sentence) ? { operation: 'delete', confidence: 0.7 } : null;
}

/** A verb of making leads: the less it says by itself, the more must be said of an event or a time. */
function created(sentence: Sentence): Reading {
  const { words, head, whens, about } = sentence;
  if (makesEmpty(sentence)) return { operation: 'delete', confidence: 0.7 };
  if (about.core) return { operation: 'create', confidence: 0.9 };
  const length = createVerbs.at(words, head);
  const vague = vagueCreateVerbs.at(words, head) >= length;
  const named = about.event && (!vague || eventNouns.find(words, head + length, head + length + 3) >= 0);
  if (whens.length > 0 && (named || planning.at(words, head) > 0)) return { operation: 'create', confidence: 0.7 };
  if (about.other || (words[head]?.word === 'new' && !about.event)) return { operation: 'none', confidence: 0.6 };
  if (about.event || whens.length > 0) return { operation: 'create', confidence: 0.8 };
  const duty = dutyVerbs.at(words, head) > 0 && vagueDutyVerbs.at(words, head) === 0;
  return { operation: vague && !duty ? 'none' : 'create', confidence: 0.5 };
}

const planning = new Phrases('add, schedule, plan, note, write down, note down, jot down, invite, pencil in, arrange, mark down, put down, log, organise, organize');

/** "mark june tenth for the gala". */
function marksDay(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  const at = head + (words[head + 1]?.word === 'down' ? 2 : 1);
  return words[head]?.word === 'mark' && whens.some(({ from }) => from === at);
}

/** "calendar please", "plan for tomorrow": a calendar, and nothing but a time or a plea. */
function looksAtCalendar(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  const length = calendars.at(words, head);
  return length > 0 && (onlyWhen(words, head + 1, whens) || words.slice(head + length).every(({ word }) => isMark(word) || word === 'please'));
}

const calendars = new Phrases('calendar, schedule, agenda, diary, plan, plans, my plan, my plans, my calendar, my schedule, my agenda, my diary, my list');

/** "calendar for today", "schedule for tomorrow": nothing but a time follows. */
function onlyWhen(words: readonly Word[], from: number, whens: readonly When[]): boolean {
  const when = whens.find((found) => found.from >= from);
  const end = words.findLastIndex(({ word }) => !isMark(word) && word !== 'please') + 1;
  return when !== undefined && when.from - from <= 2 && whens.at(-1)?.to === end && words.slice(from, when.from).every(({ word }) => /^(?:for|on|of|the|in)$/.test(word));
}
