// Sentences that no verb of a command leads.
import { lastNoun } from './command.ts';
import { dutyVerbs, functionWords, outings, sendingVerbs, vagueDutyVerbs } from './lexicon.ts';
import type { Reading, Sentence } from './sentence.ts';
import type { When } from './when.ts';
import { Phrases, type Word } from './words.ts';

/** No verb leads: a statement ("i have a meeting at noon"), a duty ("pay the rent"), or the thing itself ("dentist today at nine"). */
export function stated({ words, head, whens, about }: Sentence): Reading {
  const decided = (operation: Reading['operation'], confidence: number): Reading => ({ operation, confidence });
  const dated = whens.length > 0;
  const isNew = words.some(({ word }) => /^(?:new|fresh|another)$/.test(word));
  // "milk on the shopping list" puts it there; "the shopping list" looks at it.
  const placed = words.some(({ word }, at) => at > head && /^(?:on|onto|to|into)$/.test(word) && words.slice(at + 1, at + 7).some((later) => /^(?:lists?|calendar)$/.test(later.word)) && words[at + 1]?.word !== 'do');
  // "i need the grocery list": it is there; "i need a list" is not.
  const said = statements.at(words, 0) > 0 && words[0]?.word !== 'my' && !/^(?:the|my)$/.test(words[head]?.word ?? '');
  const looksUp = !isNew && !said && (words[head]?.word === 'due' || (!placed && lookUpNouns.find(words) >= 0) || (!dated && [head, head + 1].includes(nextNouns.find(words))) || (!placed && /^(?:list|lists)$/.test(words[lastNoun(words, whens)]?.word ?? '') && words.length > 1));
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

const lookUpNouns = new Phrases('my events, my schedule, my calendar, my reminders, my alarms, my tasks, my appointments, my meetings, my lists, my agenda, my todos, all alarms, all events, all reminders, all tasks, all meetings, all lists, upcoming, latest events, events, current list, schedule, agenda, overdue, status, settings, alarm time, alarm details, details, alarm times, plan, plans, my day, my week, alarms, meetings, lists, tasks, items on, item on, tasks due, items due, things due');
const nextNouns = new Phrases('next appointment, next event, next meeting, next reminder, next alarm, next task, next item, next deadline, last list, latest list, things on, everything on, last reminder, last event');
const appointed = new Phrases("i have a, i have an, i have to, i've got a, i got a, we have a, i have my, i need to, i must, i have got, i've a");
const statements = new Phrases('i have, i have to, i need, i must, i am, i\'m, i\'ve got, i got, i will, i\'ll, we have, we are, there is a, there will be, is coming, my, we need, we must, i should, have to, need to');
const begins = new Phrases('starts, begins, ends, opens, closes, takes place');

/** "drinks with the team on friday": something besides a time that lies ahead, and no question of the clock or the calendar. */
function tellsOfSomething(words: readonly Word[], whens: readonly When[]): boolean {
  const said = words.filter((_, at) => !whens.some(({ from, to }) => at >= from && at < to));
  return said.filter(({ word }) => /^\p{L}{2}/u.test(word) && !functionWords.has(word)).length > 1
    && !words.some(({ word }) => /^(?:date|day|time|clock|month|year|week|what|which|how|who|yesterday|ago|last|was|were|did|had|went|saw|don't|couldn't|didn't|happened)$/.test(word));
}

/** "order a cake for friday": a verb of a duty and a day, whatever else it is about. */
export function isDuty(words: readonly Word[], head: number, whens: readonly When[]): boolean {
  return dutyVerbs.at(words, head) > 0 && (vagueDutyVerbs.at(words, head) === 0 || words[head]?.word === 'order') && sendingVerbs.at(words, head) === 0 && whens.some(({ kind }) => kind === 'date');
}
