// Which language a text is written in, for a document's metadata and for answers; silence rather than a guess.

import { francAll } from 'franc-min';

/** The ISO 639 code of a text's language (the two letters of 639-1 where they exist, "en"), or null if it is too short or unclear. */
export function language(text: string): string | null {
  // Letters only: numbers, addresses and markup say nothing about the language.
  const sample = text.slice(0, 8_000).replace(/[^\p{L}\p{M}\s'’]+/gu, ' ').replace(/\s+/g, ' ').trim().slice(0, 2_000);
  const [best, second] = francAll(sample, { minLength: shortest });
  if (best === undefined || best[0] === 'und') return null;
  // The scores are relative to the best one, 1; related languages come close in short texts.
  const lead = second === undefined ? 1 : best[1] - second[1];
  if (second !== undefined && lead < requiredLead(sample.length)) return null;
  return Intl.getCanonicalLocales(best[0])[0] ?? null;
}

const shortest = 5;

function requiredLead(length: number): number {
  return length < 60 ? 1 : length < 200 ? 0.1 : 0.01;
}
