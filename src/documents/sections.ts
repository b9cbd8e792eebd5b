// The sections of a document: from one heading or page to the next.
import type { Extracted } from './extract/extracted.ts';

/** A range of the text on one page below one heading; `path` holds the titles from the outermost heading to that one. */
export interface Section {
  readonly start: number;
  readonly end: number;
  readonly page: number | null;
  readonly path: readonly string[];
}

/** The sections in order; together they are the whole text. */
export function* sectionsOf(text: string, pages: Extracted['pages'], headings: Extracted['headings']): Generator<Section> {
  const titles = headings.filter(({ start }) => start >= 0 && start < text.length).toSorted((one, other) => one.start - other.start);
  const starts = (pages ?? []).toSorted((one, other) => one.start - other.start);
  let stack: { level: number; title: string }[] = [];
  let path: readonly string[] = [];
  let page = starts[0]?.page ?? null;
  let nextTitle = 0;
  let nextPage = 0;
  let start = 0;
  while (start < text.length) {
    for (let heading = titles[nextTitle]; heading && heading.start <= start; heading = titles[++nextTitle]) {
      const { level, title } = heading;
      stack = [...stack.filter((above) => above.level < level), { level, title }];
      path = stack.map((above) => above.title);
    }
    for (let at = starts[nextPage]; at && at.start <= start; at = starts[++nextPage]) page = at.page;
    const end = Math.min(titles[nextTitle]?.start ?? text.length, starts[nextPage]?.start ?? text.length, text.length);
    yield { start, end, page, path };
    start = end;
  }
}
