// Questions and looks into the calendar, and what looks like one but asks for a reminder.
import { laterCommand } from './command.ts';
import { coreNouns, createdForms, deletedForms, deleteVerbs, dutyVerbs, questionWords, recordNouns, remindPhrases, showVerbs } from './lexicon.ts';
import type { Reading, Sentence } from './sentence.ts';
import type { When } from './when.ts';
import { isMark, Phrases, type Word } from './words.ts';

/** Whether something is asked, or is to be shown: "what …", "show me …", "i have a meeting at noon, don't i". */
export function asks(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  return (asksFor(words, head, whens) || tagQuestions.at(words, lastTag(words)) > 0) && !remindsOfDuty(words, head, whens);
}

/** What is asked for: nearly always a look at tasks; a reminder, where a condition, something new or a second command says so. */
export function asked(sentence: Sentence): Reading {
  const { words, head, whens, about } = sentence;
  const reminder = asksForReminder(sentence);
  if (reminder) return reminder;
  const second = laterCommand(words, head + 1, navigation.at(words, head) > 0 ? 'anywhere' : 'after and');
  if (second && about.core) return { operation: second.operation, confidence: 0.75, at: second.at };
  if (about.core || about.duties || ((about.event || about.own) && !about.other)) return { operation: 'query', confidence: about.core ? 0.9 : 0.7 };
  // "when is jim coming": what is to come is of the calendar, what was is of history.
  const length = comes.at(words, head);
  if (length > 0 && !about.other && whens[0]?.from !== head + length) return { operation: 'query', confidence: 0.5 };
  return { operation: 'none', confidence: 0.7 };
}

function asksForReminder({ words, head, whens, about }: Sentence): Reading | null {
  const created = (confidence: number, at = head): Reading => ({ operation: 'create', confidence, at });
  if (about.core && bringsNew(words, head)) return created(0.75);
  // "when i have a meeting, remind me an hour before"
  const condition = /^(?:when|whenever)$/.test(words[head]?.word ?? '') ? reminders.find(words, head + 2) : -1;
  if (condition > 0) return created(0.8, condition);
  // "let me know of the meeting on tuesday" is a reminder; "let me know which alarms are set for tuesday" asks.
  const ahead = letKnow.at(words, head) > 0 && whens.length > 0 && (about.event || appointments.find(words) >= 0) && !about.other;
  if (ahead && alarms.find(words) < 0 && questionWords.find(words, head + letKnow.at(words, head)) < 0) return created(0.6);
  // "tell me before the meeting starts"
  if (tellMe.at(words, head) > 0 && /^(?:before|after|ahead|prior)$/.test(words[head + tellMe.at(words, head)]?.word ?? '')) return created(0.7);
  // "tell me about my appointment an hour before it"
  if (showVerbs.at(words, head) > 0 && questionWords.at(words, head) <= tellMe.at(words, head) && whens.some(({ kind }) => kind === 'lead')) return created(0.7);
  if (!about.core && !about.other && ((whens.length > 0 && dutyVerbs.at(words, head) > 0) || awaits(words, head))) return created(0.6);
  return null;
}

const letKnow = new Phrases('let me know, inform me');
const appointments = new Phrases('meeting, meetings, appointment, appointments, event, events');
const alarms = new Phrases('alarm, alarms');
const navigation = new Phrases('open, open up, go to, bring up, pull up, find, access, go into, look up, search, get, give, load, show');
const comes = new Phrases("when is, when 's, when are, when will, when am, when do i, when do we, when must i, do i have, do we have, do i need, do we need");

/** "what …", "show me …"; but "go to the party", "repeat it every tuesday" and "could milk be added" want something done. */
function asksFor(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  if (words[head]?.word === 'do' && words[head + 1]?.word === 'not') return false;
  // "i want to do the laundry" asks nothing.
  if (questionWords.at(words, head) > 0 && words[head - 1]?.word !== 'to') return !hasSomething(words, head);
  if (remindsOfAll(words, head)) return true;
  const verb = words[head]?.word ?? '';
  if (showVerbs.at(words, head) === 0 || (verb === 'repeat' && whens.some(({ kind }) => kind === 'recurrence'))) return false;
  // "i want to know, could milk be added to my list"
  if (createdForms.find(words) >= 0 && words.some(({ word }, at) => at > head && /^(?:can|could|should)$/.test(word))) return false;
  if (verb === 'list' && words.length === head + 2 && deleteVerbs.at(words, head + 1) > 0) return false;
  if (verb === 'ask' && questionWords.at(words, head + 1) === 0) return false;
  if (verb === 'tell' && /^(?:everyone|everybody|him|her|them|my|our)$/.test(words[head + 1]?.word ?? '')) return false;
  return !/^(?:get|go|give)$/.test(verb) || /^(?:me|us)$/.test(words[head + 1]?.word ?? '') || (recordNouns.find(words, head + 1, head + 7) >= 0 && createdForms.find(words) < 0 && deletedForms.find(words) < 0);
}

/** "have lunch with dan tomorrow" is no question; "have i …" and "have my …" are. */
function hasSomething(words: readonly Word[], head: number): boolean {
  if (words[head]?.word !== 'have') return false;
  // "have my calendar remind me"
  if (words.some(({ word }, at) => at > head && /^(?:remind|notify|alert)$/.test(word) && /^(?:me|us)$/.test(words[at + 1]?.word ?? ''))) return true;
  // "could you have the event removed", "have the alarm go off at six"; but "have the meetings been moved".
  if (words[head - 1]?.word === 'you' || (/^(?:the|my)$/.test(words[head + 1]?.word ?? '') && words.some(({ word }) => /^(?:go|ring|sound|set|added|scheduled|removed|deleted|cleared)$/.test(word)) && !words.some(({ word }) => word === 'been'))) return true;
  return !/^(?:i|we|you|they|he|she|my|the|any|our|there|all)$/.test(words[head + 1]?.word ?? '');
}

/** "i have a meeting at noon, don't i": what ends a statement and asks whether it is so. */
const tagQuestions = new Phrases("don't i, do i, am i, aren't i, haven't i, have i, is it, isn't it, isn't there, is there, aren't there, right, correct");

/** Where a tag would begin at the end of a statement of at least four words; past the end when there is none. */
function lastTag(words: readonly Word[]): number {
  let end = words.length;
  while (end > 0 && isMark(words[end - 1]?.word)) end--;
  for (let at = Math.max(4, end - 2); at < end; at++) if (at + tagQuestions.at(words, at) === end) return at;
  return words.length;
}

/** "open a new list", "can i get a reminder", "show me an alert": what is new, or would remind, cannot be shown. */
function bringsNew(words: readonly Word[], head: number): boolean {
  const from = head + showVerbs.at(words, head);
  const article = words.findIndex(({ word }, at) => at >= from && at < from + 2 && /^(?:a|an|another)$/.test(word));
  if (from === head || article < 0) return false;
  return /^(?:new|fresh|blank)$/.test(words[article + 1]?.word ?? '') || reminding.find(words, article + 1, article + 4) >= 0 || (words[head]?.word === 'open' && coreNouns.at(words, article + 1) > 0);
}

const reminders = new Phrases('remind me, remind us, notify me, alert me, wake me, warn me, ping me, tell me to');
const reminding = new Phrases('reminder, alert, alarm, notification, wake up call');

/** "let me know when the match starts" waits for something; "let me know when the match is" asks. */
function awaits(words: readonly Word[], head: number): boolean {
  const length = words[head]?.word === 'tell' ? 0 : tellMe.at(words, head);
  const said = words.findLast(({ word }) => !isMark(word) && word !== 'please')?.word ?? '';
  return length > 0 && /^(?:when|if|before|whenever)$/.test(words[head + length]?.word ?? '') && !/^(?:is|are|was|were|for|'s|does|do|did)$/.test(said);
}

/** "tell me on tuesday to give jane a call". */
export function remindsLater(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  const length = tellMe.at(words, head);
  if (length === 0) return false;
  const at = head + length;
  const when = whens.find(({ from }) => from === at || (from === at + 1 && /^(?:on|at|in|by)$/.test(words[at]?.word ?? '')));
  return when !== undefined && /^(?:to|that)$/.test(words[when.to]?.word ?? '');
}

/** Verbs that ask for a reminder when a time and a duty follow. */
export const tellMe = new Phrases('tell me, let me know, inform me, call me, message me');

/** "remind me when to …" asks; "tell me to call mom" and "let me know when it is five" ask for a reminder. */
function remindsOfDuty(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  if (remindsLater(words, head, whens)) return true;
  const length = remindPhrases.at(words, head);
  if (length === 0) return false;
  // "remind me when i get home to …"; but "remind me of how many lists there are".
  if (/^(?:when|if|before|after)$/.test(words[head + length]?.word ?? '') && arrivals.at(words, head + length + 1) > 0) return true;
  const of = /^(?:of|about)$/.test(words[head + length]?.word ?? '') ? 1 : 0;
  return !remindsOfAll(words, head) && length >= showVerbs.at(words, head) && !(of > 0 && /^(?:what|which|who|how|where)$/.test(words[head + length + of]?.word ?? ''));
}

/** "remind me of my schedule for today" */
function remindsOfAll(words: readonly Word[], head: number): boolean {
  const at = head + remindPhrases.at(words, head);
  return at > head && /^(?:of|about)$/.test(words[at]?.word ?? '') && overviews.at(words, at + 1) > 0;
}

const overviews = new Phrases("my schedule, my calendar, my agenda, my plans, my events, my tasks, my list, my to do list, my reminders, my day, my week, today 's schedule, today 's events, today 's tasks, today 's agenda, tomorrow 's schedule, tomorrow 's events, tomorrow 's agenda");
const arrivals = new Phrases("i am, i'm, i get, i arrive, i leave, i come, i go, i pass, we get, we leave, we are");
