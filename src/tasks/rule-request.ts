// A request as the rules understand it, where no model does: what the words of the sentence come to.
import { resolveDue } from './english/dates.ts';
import { listName } from './english/lists.ts';
import { resolvePeriod } from './english/period.ts';
import { anyTask, type Match, type TaskRequest, type Wanted } from './request.ts';
import { understand, type Understood } from './english/understand.ts';

/** Reads an utterance, seen from `now` in the user's time zone. */
export function requestOfText(text: string, now: Date, timeZone: string): TaskRequest {
  const said = understand(text);
  const { operation, confidence, change } = said;
  // Labels that a task is to get say nothing of which one it is.
  const tag = (change?.tags ? undefined : said.tags[0]) ?? (said.list === null ? null : listName(said.list));
  if (operation === 'create') return { operation, confidence, wanted: wantedOf(said, said.dueText === null ? null : resolveDue(said.dueText, now, timeZone)?.dueAt ?? null), match: anyTask };
  const meant = said.dueText === null ? null : resolvePeriod(said.dueText, now, timeZone);
  const match: Match = { text: said.title, tag, due: meant, status: said.status, overdue: said.overdue, all: said.all };
  if (operation !== 'update' || !change) return { operation, confidence, wanted: {}, match };
  const moved = change.dueText ? resolveDue(change.dueText, now, timeZone) : null;
  return {
    operation,
    confidence,
    wanted: {
      ...(change.status && { status: change.status }),
      ...(change.title && { title: change.title }),
      ...(change.priority && { priority: change.priority }),
      ...(change.tags && { tags: [...change.tags] }),
      ...(moved && { dueAt: moved.dueAt.toISOString() }),
      ...(change.shift && { dueShift: change.shift }),
    },
    match,
  };
}

/** A list is a label; what a task has no field for, and its title does not say, stands in its notes. */
function wantedOf({ title, list, tags, recurrence, people, location, priority }: Understood, dueAt: Date | null): Wanted {
  const labels = [...new Set([...tags, ...(list === null ? [] : [listName(list)])])].filter((label) => label !== '').slice(0, 20);
  const others = people.filter((person) => !says(title, person));
  const notes = [recurrence && `Repeats: ${recurrence}`, others.length > 0 && `With: ${others.join(', ')}`, location && !says(title, location) && `Where: ${location}`].filter(Boolean);
  return {
    ...(title !== null && { title }),
    ...(priority && { priority }),
    ...(dueAt && { dueAt: dueAt.toISOString() }),
    ...(labels.length > 0 && { tags: labels }),
    ...(notes.length > 0 && { notes: notes.join('\n') }),
  };
}

function says(title: string | null, words: string): boolean {
  return title !== null && title.toLowerCase().includes(words.toLowerCase());
}
