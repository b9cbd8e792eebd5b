// Urgency in words: "urgent", "high priority", "priority: low", "as soon as possible", and as task lists write it: "!high", "p1".
import type { TaskPriority } from '../entity.ts';
import type { Range, Word } from './words.ts';

const levels: Readonly<Record<string, TaskPriority>> = {
  low: 'LOW', lowest: 'LOW', lower: 'LOW', minor: 'LOW', normal: 'NORMAL', medium: 'NORMAL', moderate: 'NORMAL', regular: 'NORMAL', default: 'NORMAL',
  high: 'HIGH', higher: 'HIGH', important: 'HIGH', top: 'URGENT', highest: 'URGENT', urgent: 'URGENT', critical: 'URGENT', immediate: 'URGENT', max: 'URGENT', maximum: 'URGENT',
};
/** Words that say how urgent something is without the word priority. */
const alone: Readonly<Record<string, TaskPriority>> = { urgent: 'URGENT', urgently: 'URGENT', asap: 'URGENT', critical: 'URGENT', important: 'HIGH' };
const ranks: Readonly<Record<string, TaskPriority>> = { p1: 'URGENT', p2: 'HIGH', p3: 'NORMAL', p4: 'LOW' };
const negations = new Set(['not', "isn't", 'isnt', 'less', 'so', 'no', 'un']);

/** The first urgency said in a range of words; `range` covers "with high priority" and the like. */
export function findPriority(words: readonly Word[], from = 0, to = words.length): { priority: TaskPriority; range: Range } | null {
  for (let at = from; at < to; at++) {
    const found = priorityAt(words, at);
    if (found && found.range.to <= to) return found;
  }
  return null;
}

function priorityAt(words: readonly Word[], at: number): { priority: TaskPriority; range: Range } | null {
  const word = words[at]?.word ?? '';
  const before = words[at - 1]?.word ?? '';
  const after = words[at + 1]?.word ?? '';
  const start = ['with', 'as', 'at', 'a'].includes(before) ? at - 1 : at;
  if (Object.hasOwn(levels, word) && (after === 'priority' || after === 'importance' || after === 'prio')) return { priority: levels[word] as TaskPriority, range: { from: start, to: at + 2 } };
  if (word === 'priority' || word === 'prio') {
    const level = [':', '=', 'is', 'to', 'of'].includes(after) ? at + 2 : at + 1;
    const name = words[level]?.word ?? '';
    if (Object.hasOwn(levels, name)) return { priority: levels[name] as TaskPriority, range: { from: start, to: level + 1 } };
  }
  if (word === '!' && words[at]?.end === words[at + 1]?.start && Object.hasOwn(levels, after)) return { priority: levels[after] as TaskPriority, range: { from: at, to: at + 2 } };
  if (Object.hasOwn(ranks, word)) return { priority: ranks[word] as TaskPriority, range: { from: at, to: at + 1 } };
  if (word === 'as' && after === 'soon' && words[at + 2]?.word === 'as' && words[at + 3]?.word === 'possible') return { priority: 'URGENT', range: { from: at, to: at + 4 } };
  if (Object.hasOwn(alone, word) && !negations.has(before)) return { priority: alone[word] as TaskPriority, range: { from: start, to: at + 1 } };
  return null;
}
