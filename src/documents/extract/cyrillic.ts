// Which of the five Cyrillic code pages a text is in: the one in which its common letters are the common letters of the
// language and capitals stand where capitals stand. General detectors do not know the code pages of DOS and the Macintosh.

/** The encoding under which bytes read as Cyrillic prose, or null when under none. */
export function cyrillicEncoding(sample: Uint8Array): string | null {
  let best: { readonly encoding: string; readonly score: number } | null = null;
  for (const encoding of ['windows-1251', 'koi8-u', 'ibm866', 'iso-8859-5', 'x-mac-cyrillic']) {
    const score = proseScore(new TextDecoder(encoding).decode(sample));
    if (score > (best?.score ?? 0)) best = { encoding, score };
  }
  return best !== null && best.score >= 0.65 ? best.encoding : null;
}

/** 0..1: the share of the most common letters, less what contradicts prose (a capital inside a word, box drawing). */
function proseScore(text: string): number {
  const high = text.match(/\P{ASCII}/gu)?.length ?? 0;
  const letters = text.match(/[Ѐ-ӿ]/g)?.length ?? 0;
  const latin = text.match(/[A-Za-z]/g)?.length ?? 0;
  // Western text has few letters beyond ASCII; in a Cyrillic document most letters are Cyrillic, markup apart.
  if (high < 8 || letters < high * 0.8 || letters < latin * 0.1) return 0;
  const common = text.match(/[оеаинтсрвлкмдпуяіОЕАИНТСРВЛКМДПУЯІ]/g)?.length ?? 0;
  const capitalInside = text.match(/[а-яё](?=[А-ЯЁ])/g)?.length ?? 0;
  return (common / letters) * (letters / high) - (2 * capitalInside) / letters;
}
