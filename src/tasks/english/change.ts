// Utterances that change a task which is there: done, reopened, renamed, moved to another day, more or less urgent, tagged.
import type { TaskPriority, TaskStatus } from '../entity.ts';
import { questionWords } from './lexicon.ts';
import { findPriority } from './priority.ts';
import { shiftOf, type DueShift } from './shift.ts';
import type { When } from './when.ts';
import { isMark, Phrases, type Range, type Word } from './words.ts';

/** What is to change, in words: `target` names the task, the rest is what it gets. */
export interface ChangePlace {
  readonly confidence: number;
  readonly target: Range;
  readonly status?: TaskStatus;
  readonly title?: Range;
  /** The words of the new day or time, or of `shift`. */
  readonly due?: Range;
  readonly shift?: DueShift;
  readonly priority?: TaskPriority;
  readonly tagged?: boolean;
}

const states: readonly (readonly [TaskStatus, Phrases])[] = [
  ['OPEN', new Phrases('not done, not finished, not complete, not completed, undone, open, to do, todo, incomplete, unfinished, pending, not started, not done yet')],
  ['IN_PROGRESS', new Phrases('in progress, started, ongoing, under way, underway, begun, in the works, being worked on')],
  ['CANCELLED', new Phrases('cancelled, canceled, obsolete, dropped, abandoned')],
  ['DONE', new Phrases('done, complete, completed, finished, closed, resolved, ready, checked, ticked')],
];
const markVerbs = new Phrases('mark, set, flag, check, tick, change, move, put, update, make, label, list');
const finishVerbs = new Phrases('check off, tick off, mark off, complete task, complete the task, complete my task, finish task, finish the task, close task, close the task, close out, complete my, complete the, resolve task, complete item, complete reminder, complete the reminder');
const finished = new Phrases("i finished, i've finished, i have finished, i just finished, i completed, i've completed, i have completed, i just completed, i'm done with, i am done with, im done with, done with, finished with, i've done, i have done, i'm finished with, i am finished with, i already finished, i already did, i did, i just did, i have already done, i've already done, i paid, i've paid, i have paid, i already paid, i bought, i've bought, i have bought, i already bought, i called, i've called, i already called, i sent, i've sent, i submitted, i've submitted, i have submitted, i picked up, i cleaned, i washed, we finished, we completed, finished, completed");
const begun = new Phrases("start working on, begin working on, i'm working on, i am working on, im working on, i started, i've started, i have started, i began, i'm starting, working on, start task, start the task, begin task, start work on, i just started");
const reopen = new Phrases('reopen, re-open, uncheck, untick, reactivate, restore, unmark, mark undone');
const renameVerbs = new Phrases('rename, retitle, change the title of, change the name of, change title of, change name of, change the wording of, edit the title of');
const moveVerbs = new Phrases('move, postpone, reschedule, push, push back, delay, shift, defer, bring forward, put off, change, change the date of, change the due date of, change the time of, change the deadline of, set the due date of, set the deadline of, set due date of, extend, extend the deadline of, snooze, update, advance, adjourn, prepone, rearrange, switch, set back, alter, modify, adjust, edit');
const onlyMoves = new Phrases('postpone, reschedule, delay, defer, put off, push back, bring forward, adjourn, change the date of, change the due date of, change the deadline of, change the time of');
const priorityVerbs = new Phrases('change priority of, change the priority of, change priority for, change the priority for, set priority of, set the priority of, set priority for, set the priority for, set priority on, raise the priority of, lower the priority of, raise priority of, lower priority of, increase the priority of, decrease the priority of, bump the priority of, bump, prioritize, prioritise, deprioritize, deprioritise, make, mark, set, flag, change, raise, lower');
const tagVerbs = new Phrases('tag, label, add the tag, add tag, add a tag, put the tag, put tag');
const places = new Set(['list', 'lists', 'calendar', 'alarm', 'alarms', 'reminder', 'agenda', 'schedule']);

/** The change that an utterance asks for, or null. `head` is the word where its command begins. */
export function changeOf(words: readonly Word[], head: number, whens: readonly When[]): ChangePlace | null {
  const end = endOf(words);
  const starts = head < end ? head : 0;
  return marked(words, starts, end, whens) ?? saidDone(words, starts, end) ?? renamed(words, starts, end) ?? prioritised(words, starts, end) ?? tagged(words, starts, end) ?? moved(words, starts, end, whens);
}

/** The end of the words without marks, thanks and pleas after them. */
function endOf(words: readonly Word[]): number {
  let end = words.length;
  while (end > 0 && (isMark(words[end - 1]?.word) || ['please', 'thanks', 'now', 'yet', 'already'].includes(words[end - 1]?.word ?? ''))) end--;
  return end;
}

/** "mark X as done", "set X to in progress", "check off X", "reopen X", "start working on X". */
function marked(words: readonly Word[], head: number, end: number, whens: readonly When[]): ChangePlace | null {
  const wholly = (verbs: Phrases, status: TaskStatus, confidence: number): ChangePlace | null => {
    const length = verbs.at(words, head);
    return length > 0 && head + length < end ? { confidence, status, target: { from: head + length, to: end } } : null;
  };
  // "complete the form by friday" is still to be done.
  const ahead = words[head]?.word === 'complete' && whens.length > 0;
  const direct = (ahead ? null : wholly(finishVerbs, 'DONE', 0.9)) ?? wholly(reopen, 'OPEN', 0.9) ?? wholly(begun, 'IN_PROGRESS', 0.85);
  if (direct) return direct;
  const verb = markVerbs.at(words, head);
  if (verb === 0) return null;
  for (const [status, phrases] of states) {
    const at = endingWith(words, phrases, head + verb, end);
    if (at < 0) continue;
    const as = /^(?:as|to|off|is)$/.test(words[at - 1]?.word ?? '');
    if (!as && !/^(?:mark|check|tick)$/.test(words[head]?.word ?? '')) continue;
    if (/^(?:to do|todo)$/.test(words.slice(at, end).map(({ word }) => word).join(' ')) && words[at - 1]?.word !== 'as') continue;
    const to = as ? at - 1 : at;
    // "mark as done the report": the task stands after the state.
    if (to > head + verb) return { confidence: 0.95, status, target: { from: head + verb, to } };
  }
  if (words[head + verb]?.word === 'as') {
    for (const [status, phrases] of states) {
      const length = phrases.at(words, head + verb + 1);
      if (length > 0 && head + verb + 1 + length < end) return { confidence: 0.9, status, target: { from: head + verb + 1 + length, to: end } };
    }
  }
  return null;
}

/** The state by which tasks are picked in a query or a delete: "my done tasks", "which tasks are open"; null when none is said. */
export function pickedState(words: readonly Word[]): TaskStatus | null {
  for (let at = 0; at < words.length; at++) {
    for (const [status, phrases] of states) {
      const length = phrases.at(words, at);
      if (length === 0) continue;
      if (pickedNouns.has(words[at + length]?.word ?? '') || (/^(?:are|is|marked|as)$/.test(words[at - 1]?.word ?? '') && words.some(({ word }) => pickedNouns.has(word)))) return status;
    }
  }
  return null;
}

const pickedNouns = new Set(['task', 'tasks', 'todos', 'items', 'things', 'reminders', 'chores', 'ones', 'entries', 'errands']);

/** "i finished X", "done with X", "X is done", "X is in progress". */
function saidDone(words: readonly Word[], head: number, end: number): ChangePlace | null {
  for (const start of head === 0 ? [0] : [0, head]) {
    const length = finished.at(words, start);
    if (length > 0 && start + length < end && words[start + length]?.word !== 'not') return { confidence: 0.85, status: 'DONE', target: { from: start + length, to: end } };
    const beginning = begun.at(words, start);
    if (beginning > 0 && start + beginning < end) return { confidence: 0.85, status: 'IN_PROGRESS', target: { from: start + beginning, to: end } };
  }
  if (questionWords.at(words, head) > 0) return null;
  for (const [status, phrases] of states) {
    const at = endingWith(words, phrases, head + 1, end);
    const before = words[at - 1]?.word ?? '';
    if (at < 0 || status === 'CANCELLED' || !/^(?:is|are|was|got|been|'s)$/.test(before) || at - 1 <= head) continue;
    const has = words[at - 2]?.word === 'has' ? 1 : 0;
    if (!/^(?:it|this|that|calendar|everything|command|answer)$/.test(words[at - 2]?.word ?? '')) return { confidence: 0.75, status, target: { from: head, to: at - 1 - has } };
  }
  return null;
}

/** "rename X to Y", "change the title of X to Y". */
function renamed(words: readonly Word[], head: number, end: number): ChangePlace | null {
  const length = renameVerbs.at(words, head);
  if (length === 0) return null;
  const to = lastOf(words, ['to', 'as', 'into'], head + length + 1, end - 1, 'first');
  let from = to + 1;
  while (from < end && isMark(words[from]?.word)) from++;
  return to < 0 || from >= end ? null : { confidence: 0.95, target: { from: head + length, to }, title: { from, to: end } };
}

/** "make X urgent", "set the priority of X to high", "prioritise X". */
function prioritised(words: readonly Word[], head: number, end: number): ChangePlace | null {
  const length = priorityVerbs.at(words, head);
  if (length === 0) return null;
  const verb = words[head]?.word ?? '';
  if (/^(?:de)?prioriti[sz]e$/.test(verb) && head + length < end) return { confidence: 0.85, priority: verb.startsWith('de') ? 'LOW' : 'HIGH', target: { from: head + length, to: end } };
  const named = length > 1;
  if (named) {
    const to = lastOf(words, ['to', 'as'], head + length + 1, end - 1);
    const level = to < 0 ? null : findPriority([{ word: 'priority', start: 0, end: 0 }, ...words.slice(to + 1, end)]);
    if (level) return { confidence: 0.95, priority: level.priority, target: { from: head + length, to } };
  }
  const last = findPriority(words, Math.max(head + length + 1, end - 3), end);
  if (!last || last.range.to !== end || last.range.from <= head + length) return null;
  let to = last.range.from;
  while (to > head + length && /^(?:as|to|a|an|of|with)$/.test(words[to - 1]?.word ?? '')) to--;
  // "make a reminder … urgent" sets up something new.
  if (/^(?:a|an|new)$/.test(words[head + length]?.word ?? '') || to <= head + length) return null;
  return { confidence: 0.85, priority: last.priority, target: { from: head + length, to } };
}

/** "tag X with #home", "add the tag #home to X". */
function tagged(words: readonly Word[], head: number, end: number): ChangePlace | null {
  const length = tagVerbs.at(words, head);
  if (length === 0) return null;
  const first = words.findIndex(({ word }, at) => at >= head + length && word.startsWith('#'));
  if (first < 0) return null;
  if (first > head + length) {
    const to = /^(?:with|as)$/.test(words[first - 1]?.word ?? '') ? first - 1 : first;
    return { confidence: 0.9, tagged: true, target: { from: head + length, to } };
  }
  const to = lastOf(words, ['to', 'on'], first + 1, end - 1, 'first');
  return to < 0 ? null : { confidence: 0.9, tagged: true, target: { from: to + 1, to: end } };
}

/** "move X to friday", "postpone X until next week", "change X from friday to monday", "reschedule X". */
function moved(words: readonly Word[], head: number, end: number, whens: readonly When[]): ChangePlace | null {
  const shift = movedBy(words, head, end);
  if (shift) return shift;
  const length = moveVerbs.at(words, head);
  if (length === 0 || /^(?:off|on)$/.test(words[head + length]?.word ?? '')) return null;
  const from = head + length;
  const last = whens.findLastIndex((when) => when.to <= end && when.from > head);
  // "from three to four" is no span of time here but the old one and the new one.
  const range = whens[last];
  const bridge = range && words[range.from]?.word === 'from' ? lastOf(words, ['to', 'until', 'till'], range.from + 2, range.to - 2) : -1;
  if (range && bridge > 0 && range.from > from) return { confidence: 0.9, target: { from, to: range.from }, due: { from: bridge + 1, to: range.to } };
  if (last >= 0) {
    // The new time is the run of expressions at the end of the sentence, from the one that "to", "until" or "by" leads.
    let first = last;
    while (first > 0 && (whens[first - 1] as When).from > from && gapIsSmall(words, (whens[first - 1] as When).to, (whens[first] as When).from)) first--;
    const due = { from: (whens[first] as When).from, to: (whens[last] as When).to };
    let to = due.from;
    if (due.to - due.from > 1 && /^(?:until|till|by)$/.test(words[due.from]?.word ?? '')) due.from++;
    while (to > from && /^(?:to|until|till|by|for|at|on|the|back|forward|into)$/.test(words[to - 1]?.word ?? '')) to--;
    const led = words.slice(to, due.from + 1).some(({ word }) => /^(?:to|until|till|by|for)$/.test(word));
    const list = words.slice(from, end).some(({ word }) => places.has(word)) && !led;
    if (to > from && (led || onlyMoves.at(words, head) > 0) && end - due.to <= 1 && !list) return { confidence: 0.9, target: { from, to }, due };
  }
  return onlyMoves.at(words, head) > 0 && from < end ? { confidence: 0.7, target: { from, to: end } } : null;
}

/** "push X back by an hour", "move X two days earlier", "bring X forward by a week". */
function movedBy(words: readonly Word[], head: number, end: number): ChangePlace | null {
  const isForward = words.slice(head, end).some(({ word }) => word === 'forward') && /^(?:bring|move)$/.test(words[head]?.word ?? '');
  const length = moveVerbs.at(words, head) || (isForward ? 1 : 0);
  if (length === 0) return null;
  for (let start = Math.max(head + length + 1, end - longestShift); start < end; start++) {
    const shift = shiftOf(words.slice(start, end).map(({ word }) => word).join(' '));
    // "in two hours" is a moment.
    if (!shift || words[start - 1]?.word === 'in') continue;
    let to = start;
    while (to > head + length && /^(?:back|forward|off|on|out)$/.test(words[to - 1]?.word ?? '')) to--;
    const isEarlier = isForward || /^(?:advance|prepone)$/.test(words[head]?.word ?? '');
    return { confidence: 0.9, target: { from: head + length, to }, due: { from: start, to: end }, shift: isEarlier ? { ...shift, amount: -Math.abs(shift.amount) } : shift };
  }
  return null;
}

/** Words of a shift at most: "by a couple of hours later". */
const longestShift = 6;

function gapIsSmall(words: readonly Word[], from: number, to: number): boolean {
  return to - from <= 2 && words.slice(from, to).every(({ word }) => /^(?:at|on|in|the|,|for|from)$/.test(word));
}

/** Where one of the phrases stands so that it ends the range; -1 when none does. */
function endingWith(words: readonly Word[], phrases: Phrases, from: number, end: number): number {
  for (let at = Math.max(from, end - 3); at < end; at++) if (phrases.at(words, at) === end - at) return at;
  return -1;
}

function lastOf(words: readonly Word[], wanted: readonly string[], from: number, to: number, which: 'first' | 'last' = 'last'): number {
  let found = -1;
  for (let at = from; at <= to; at++) {
    if (!wanted.includes(words[at]?.word ?? '')) continue;
    if (which === 'first') return at;
    found = at;
  }
  return found;
}
