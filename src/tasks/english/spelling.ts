// Slips of the pen in the words that decide: "cancle", "shedule", "appointmnet". Only these few words are mended, and only by
// one letter, so that no other word becomes one of them; the text itself stays as it was written.

const deciding = 'remind reminder reminders remember delete remove cancel schedule create meeting meetings appointment appointments calendar alarm alarms birthday grocery today tomorrow monday tuesday wednesday thursday friday saturday sunday february'.split(' ');
/** Words of English that are one letter away from a word that decides. */
const others = new Set('crate crated creates cancer cancels melting remand rewind reminded remainder remained delegate'.split(' '));
const spelled = new Set(deciding);
const byFirst = Map.groupBy(deciding, (word) => word[0] as string);

/** The word that was meant, or the word itself. Takes a word in lower case. */
export function respelled(word: string): string {
  if (word.length < 5 || word.length > 13 || spelled.has(word) || others.has(word)) return word;
  return byFirst.get(word[0] as string)?.find((meant) => !word.startsWith(meant) && isOneSlip(word, meant)) ?? word;
}

/** Whether one letter was left out, put in, changed, or changed places with the next. */
function isOneSlip(word: string, meant: string): boolean {
  let at = 0;
  while (at < word.length && word[at] === meant[at]) at++;
  const [rest, goal] = [word.slice(at), meant.slice(at)];
  return rest.slice(1) === goal || rest === goal.slice(1) || rest.slice(1) === goal.slice(1) || (rest[0] === goal[1] && rest[1] === goal[0] && rest.slice(2) === goal.slice(2));
}
