// Whether a message is worth a look into the documents. The rule is cheap and errs towards looking: a passage too many
// costs little, an answer without the passage that it needs is wrong. It looks unless the message is small talk.
import { isSmallTalk } from '../text/small-talk.ts';

/** False for messages without words and for greetings, thanks and the like. */
export function needsPassages(message: string): boolean {
  return !isSmallTalk(message);
}
