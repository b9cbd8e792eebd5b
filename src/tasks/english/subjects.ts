// What a sentence is about: tasks, events, the asker's own time, or what is none of these.
import { availability, coreNouns, eventNouns, happening, otherNouns, ownDuties, questionWords } from './lexicon.ts';
import type { When } from './when.ts';
import { isMark, Phrases, type Word } from './words.ts';

/** What the words are about. `own`: the asker's time ("am i free on sunday"); `duties`: the same, beyond doubt. */
export interface Subjects {
  readonly core: boolean;
  readonly event: boolean;
  readonly own: boolean;
  readonly duties: boolean;
  readonly other: boolean;
}

/** What the words are about; `head` is the word where their command begins. */
export function subjects(words: readonly Word[], head: number, whens: readonly When[]): Subjects {
  // "list the shops" names no list, "schedule the text" no schedule.
  const lists = /^(?:list|schedule)$/.test(words[head]?.word ?? '') && head + 2 < words.length ? head + 1 : 0;
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
    event: !local && words.some((_, at) => eventNouns.at(words, at) > 0 && (mine || timed || sharedEvents.at(words, at) === 0 || questionWords.at(words, head) === 0)),
    own: (timed && ((mine && availability.find(words) >= 0) || happening.find(words) >= 0)) || asksForTime(words, head, whens),
    duties: (ownDuties.find(words) >= 0 || (timed && !other && !local && ((/^(?:is|are)$/.test(words[0]?.word ?? '') && words[1]?.word === 'there') || isFree(words, whens)))) && !words.some(({ word }) => /^(?:wear|weather|umbrella)$/.test(word)),
    other: other || local,
  };
}

const nearby = new Phrases('near me, nearby, near by, near here, in my area, around me, around here, in town, in the area, in this area, in this city, in the city, local events, local, close by, around town');
export const calendarNames = new Phrases('calendar, my schedule, my agenda, my list');
const sharedEvents = new Phrases('plan, plans, program, programs, programme, function, functions, activity, activities, payment, payments, medicine, medication');
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

const dateOf = new Phrases('date of, date for');
const dutyTimes = new Phrases('when do i have to, when do i need to, when must i, what time do i have to, what time do i need to, where do i have to, where do i need to');
const lookAhead = new Phrases("what 's next, what is next, whats next, what 's on, what is on, whats on, what 's for, what is for, whats for, what 's on my plate, what is on my plate, whats on my plate, what 's up next, what comes next, tell me about, check, check on, look at, see, brief me on, update me on, fill me in on, what about, how about, how does, how is, how 's, what does");

/** "is my wednesday open", "check if friday is free". */
function isFree(words: readonly Word[], whens: readonly When[]): boolean {
  const [when] = whens;
  const end = words.findLastIndex(({ word }) => !isMark(word));
  if (!when || !/^(?:free|busy|open|available|clear|booked|taken)$/.test(words[end]?.word ?? '')) return false;
  const before = words[when.from - 1]?.word === 'my' ? when.from - 2 : when.from - 1;
  return /^(?:is|are|if|whether)$/.test(words[before]?.word ?? '');
}
