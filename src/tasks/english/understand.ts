// What an utterance about tasks says, by rules of English alone: the operation, and the words of the sentence that name the
// task, its list, its day and time, people and place. It answers within the request, costs nothing and needs no model.
import { pickedState } from './change.ts';
import type { TaskPriority, TaskStatus } from '../entity.ts';
import { coreNouns, deleteVerbs } from './lexicon.ts';
import { isGenericList, findLists } from './lists.ts';
import { decide, type Operation } from './operation.ts';
import { findPeople, findPlace } from './people.ts';
import { findPriority } from './priority.ts';
import type { DueShift } from './shift.ts';
import { titleParts } from './title.ts';
import { findWhens, type When } from './when.ts';
import { wordsOf, type Range, type Word } from './words.ts';

export type { Operation };

/** A property that words of the text give. */
export type SpanProperty = 'title' | 'list' | 'dateText' | 'timeText' | 'recurrence' | 'location' | 'people' | 'priority' | 'tags' | 'newTitle' | 'newDue';

/** Words of the text that give a property: `text.slice(start, end)`, UTF-16 offsets, end exclusive. */
export interface Span {
  readonly property: SpanProperty;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** What an update sets. A property that is not named stays as it is; tags are added. */
export interface Change {
  readonly status?: TaskStatus;
  readonly title?: string;
  /** The new day or time, as said; read it with `resolveDue`. */
  readonly dueText?: string;
  /** By how much it moves, in place of dueText. */
  readonly shift?: DueShift;
  readonly priority?: TaskPriority;
  readonly tags?: readonly string[];
}

/** What was understood. Texts are verbatim; where a property stands in several places, its parts are joined by one space. */
export interface Understood {
  readonly operation: Operation;
  /** How sure the rules are, 0..1; below 0.6 nothing but the absence of a better reading speaks for the operation. */
  readonly confidence: number;
  /** What the task is called, or for a query, an update and a delete: the words to look for. Null when the sentence names none. */
  readonly title: string | null;
  /** The list as said ("grocery list", "list of books"); null for "the list" alone. `listName` gives its bare name. */
  readonly list: string | null;
  readonly dateText: string | null;
  readonly timeText: string | null;
  /** Day and time in the order of the sentence without repetition, for `resolveDue`; of an update, those that tell which task is meant. */
  readonly dueText: string | null;
  readonly recurrence: string | null;
  readonly location: string | null;
  readonly people: readonly string[];
  readonly priority: TaskPriority | null;
  /** Tags without their #, lower case. */
  readonly tags: readonly string[];
  /** For a query and a delete: only tasks in this state ("my done tasks"). */
  readonly status: TaskStatus | null;
  /** Whether only tasks are meant whose time has passed ("overdue tasks"). */
  readonly overdue: boolean;
  /** Whether all that match are meant ("all my meetings", "everything on friday", "clear my calendar"). */
  readonly all: boolean;
  /** What an update sets; null for every other operation. */
  readonly change: Change | null;
  /** Where all of this stands in the text, in order. */
  readonly spans: readonly Span[];
}

/** What is said beyond this many characters is no longer a wish but a document, and is not read: nobody waits behind a long text. */
const longest = 8_000;

/**
 * Understands one utterance in any language, of which it reads the first 8,000 characters; what the rules do not know comes
 * back as `none` with empty properties. Never throws.
 */
export function understand(text: string): Understood {
  const words = wordsOf(text.slice(0, longest));
  const whens = findWhens(words);
  const decision = decide(words, whens);
  const { operation, confidence, change } = decision;
  const lists = findLists(words, whens);
  const priority = findPriority(words);
  const newDue = change?.due;
  const described = newDue ? whens.filter((when) => when.to <= newDue.from || when.from >= newDue.to) : whens;
  const place = findPlace(words, whens, lists);
  const people = findPeople(words, whens).filter(({ from, to }) => !place || to <= place.from || from >= place.to);

  const spans: Span[] = [];
  const mark = (property: SpanProperty, ranges: readonly Range[]): void => {
    for (const { from, to } of property === 'people' || property === 'tags' ? ranges : joined(words, ranges)) {
      const start = (words[from] as Word).start;
      const end = (words[to - 1] as Word).end;
      spans.push({ property, start, end, text: text.slice(start, end) });
    }
  };
  mark('title', titleParts(words, whens, lists, decision, priority?.range ?? null, place));
  mark('list', lists.filter((range) => !isGenericList(words, range)));
  mark('dateText', described.filter(({ kind, alsoDate }) => kind === 'date' || alsoDate));
  mark('timeText', described.filter(({ kind }) => kind === 'time' || kind === 'lead'));
  mark('recurrence', described.filter(({ kind }) => kind === 'recurrence'));
  mark('location', place ? [place] : []);
  mark('people', people);
  if (priority) mark('priority', [priority.range]);
  mark('tags', words.flatMap(({ word }, from) => (/^#[^#]/.test(word) ? [{ from, to: from + 1 }] : [])));
  mark('newTitle', change?.title ? [change.title] : []);
  mark('newDue', newDue ? [newDue] : []);
  spans.sort((a, b) => a.start - b.start || a.end - b.end);

  const textOf = (property: SpanProperty): string | null => spans.filter((span) => span.property === property).map((span) => span.text).join(' ') || null;
  const tags = [...new Set(spans.filter(({ property }) => property === 'tags').map((span) => span.text.slice(1).toLowerCase()))];
  return {
    operation, confidence, priority: priority?.priority ?? null, tags,
    title: textOf('title'), list: textOf('list'), dateText: textOf('dateText'), timeText: textOf('timeText'), recurrence: textOf('recurrence'), location: textOf('location'),
    dueText: dueText(text, words, described),
    people: spans.filter(({ property }) => property === 'people').map((span) => span.text),
    status: operation === 'query' || operation === 'delete' ? pickedState(words) : null,
    overdue: words.some(({ word }) => word === 'overdue'),
    all: meansAll(words, whens, operation),
    change: change ? {
      ...(change.status && { status: change.status }),
      ...(change.title && { title: textOf('newTitle') as string }),
      ...(change.shift ? { shift: change.shift } : newDue && { dueText: textOf('newDue') as string }),
      ...(change.priority && { priority: change.priority }),
      ...(change.tagged && { tags }),
    } : null,
    spans,
  };
}

/** Ranges with nothing but small words between them are one: "morning at eight". People and labels stay apart. */
function joined(words: readonly Word[], ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  for (const range of ranges) {
    const last = out.at(-1);
    if (last && range.from >= last.to && range.from - last.to <= 2 && words.slice(last.to, range.from).every(({ word }) => /^(?:at|in|on|the|around|of)$/.test(word))) out[out.length - 1] = { from: last.from, to: range.to };
    else out.push(range);
  }
  return out;
}

/** The day and time of the task; how long before it somebody wants to be reminded is no part of when it is due. */
function dueText(text: string, words: readonly Word[], whens: readonly When[]): string | null {
  return whens.filter(({ kind, alsoDate }) => kind === 'date' || kind === 'time' || alsoDate).map(({ from, to }) => text.slice((words[from] as Word).start, (words[to - 1] as Word).end)).join(' ') || null;
}

function meansAll(words: readonly Word[], whens: readonly When[], operation: Operation): boolean {
  if (operation !== 'query' && operation !== 'update' && operation !== 'delete') return false;
  const repeated = new Set(whens.filter(({ kind }) => kind === 'recurrence').map(({ from }) => from));
  if (words.some(({ word }, at) => /^(?:all|everything|entire|whole|every|each)$/.test(word) && !repeated.has(at) && !/^(?:day|at)$/.test(words[at + 1]?.word ?? ''))) return true;
  // "clear my calendar", "empty the list": the whole of it, unless something is taken from it.
  const verb = words.findIndex((_, at) => deleteVerbs.at(words, at) > 0);
  const after = verb < 0 ? 0 : verb + deleteVerbs.at(words, verb);
  return operation === 'delete' && words.some(({ word }, at) => /^(?:calendar|calender|calendars|schedule|agenda|list|lists)$/.test(word) && coreNouns.at(words, at + 1) === 0 && !words.slice(Math.max(0, at - 6, after <= at ? after : 0), at).some((before) => /^(?:from|off|on|in|to|of)$/.test(before.word)));
}
