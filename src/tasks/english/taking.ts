// Sentences that take something away: by a verb ("cross the report off"), or by saying that it is not wanted, forbidden or off.
import { coreNouns, createVerbs, deletedForms, deleteVerbs, eventNouns } from './lexicon.ts';
import { partsFrom } from './command.ts';
import type { Reading, Sentence } from './sentence.ts';
import { calendarNames } from './subjects.ts';
import { isMark, Phrases } from './words.ts';

/** A verb of taking away leads. One that is about no task is a duty when it has a day: "take out the trash on thursday". */
export function takenAway({ words, head, whens, about }: Sentence): Reading | null {
  if (partsFrom(words, head) && about.core) return { operation: 'delete', confidence: 0.85 };
  const length = deleteVerbs.at(words, head);
  // "drop a reminder for five", "drop the meeting into my calendar"
  const puts = words[head]?.word === 'drop' && (/^(?:a|an)$/.test(words[head + 1]?.word ?? '') || words.some(({ word }) => /^(?:into|onto|on)$/.test(word)));
  if (length === 0 || puts) return null;
  // "clean my calendar", "delete item four"; but not "turn off the lights", "clean the floor".
  if (about.core || weakDelete.at(words, head) < length || (about.event && !about.other)) return { operation: 'delete', confidence: about.core ? 0.95 : 0.7 };
  return whens.length > 0 && !about.other ? { operation: 'create', confidence: 0.6 } : { operation: 'none', confidence: 0.6 };
}

const weakDelete = new Phrases('leave out, cut, cut out, scrub, quit, end, shut up, skip, decline, reject, never mind the, nevermind the, stop, stop the, stop my, stop all, terminate, take down, clean, clean up, clean out, clear up, turn off, switch off, shut off, stop, silence, reset, kill, drop, take out, takeout, dismiss, disable, deactivate, snooze, forget the, forget my, empty');

/** "do not wake me", "i don't want to miss the meeting": what is forbidden is taken away, what is not to be missed is kept. */
export function negated({ words }: Sentence): Reading | null {
  if (notMissed.find(words) >= 0) return { operation: 'create', confidence: 0.8 };
  return forbidden.find(words) >= 0 ? { operation: 'delete', confidence: 0.8 } : null;
}

/** "i don't need the eggs any more", "no alarm tomorrow", "the party is called off", "i can't make it to lunch". */
export function notWanted({ words, head, about }: Sentence): Reading | null {
  const needless = unwanted.find(words) >= 0 && (about.core || noLonger.find(words) >= 0);
  const none = words[head]?.word === 'no' && (coreNouns.find(words, head + 1, head + 4) > 0 || eventNouns.find(words, head + 1, head + 4) > 0);
  const off = (about.core || about.event) && (calledOff.find(words) >= 0 || absent.find(words) >= 0);
  const unasked = unneeded.at(words, 0) > 0 && words.length < 8 && !about.other;
  return needless || none || off || unasked ? { operation: 'delete', confidence: 0.7 } : null;
}

/** "make my friday clear", "make sure my calendar is completely empty". */
export function makesEmpty({ words, head, whens, about }: Sentence): boolean {
  if (createVerbs.at(words, head) > 0 && about.core && deletedForms.find(words, head) >= 0) return true;
  const empties = words.findIndex(({ word }, at) => at > head && /^(?:clear|empty|blank)$/.test(word) && !/^(?:new|a)$/.test(words[at - 1]?.word ?? ''));
  return words[head]?.word === 'make' && empties > 0 && (calendarNames.find(words) >= 0 || (empties === words.length - 1 && whens.length > 0));
}

/** "the meeting on friday has been cancelled", "eggs off the list": said of the thing, wherever it stands. */
export function isOff({ words, head, whens, about }: Sentence): boolean {
  if (deletedForms.find(words) >= 0 && (about.core || about.event || whens.length > 0)) return true;
  // "alarm stop", "the event passed, clear"
  const last = words.findLastIndex(({ word }) => !isMark(word));
  if (about.core && last > head && deleteVerbs.at(words, last) > 0) return true;
  return about.core && (words[last]?.word === 'off' || offList.find(words, head) >= 0);
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
const calledOff = new Phrases("no longer attending, won't be, will not be, not going to the, not going to my, not attending, not happening, called off, not coming, not doing, don't want", product(not, ['schedule', 'set', 'save', 'add', 'keep', 'create', 'book']));
