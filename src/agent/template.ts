// The template of a system message: text with placeholders from a closed list. What is inserted is text and never read as a
// template again, so that neither a profile's prompt nor what somebody asks can reach for more than the template shows.
import type { ValueRead } from '../graph/node.ts';

/** What a placeholder can stand for, besides `values.KEY`. */
const names = ['systemPrompt', 'question', 'date', 'timeZone'] as const;
type Name = (typeof names)[number];

type Part = { readonly text: string } | { readonly name: Name } | { readonly key: string };

export interface Template {
  readonly parts: readonly Part[];
  /** Why it cannot be used; `constraint` as in a definition's faults. */
  readonly faults: readonly { readonly constraint: string; readonly message: string }[];
}

/** What is inserted; `values` are those of the run's state. */
export interface Insertions extends Readonly<Record<Name, string>> {
  readonly values: Readonly<Record<string, unknown>>;
}

/** Reads a template, e.g. "{{systemPrompt}} Today is {{date}}."; finds every fault. */
export function parseTemplate(text: string): Template {
  const parts: Part[] = [];
  const faults: { constraint: string; message: string }[] = [];
  let from = 0;
  for (let open = text.indexOf('{{'); open >= 0; open = text.indexOf('{{', from)) {
    const close = text.indexOf('}}', open);
    if (close < 0) {
      faults.push({ constraint: 'syntax', message: `The placeholder at character ${open + 1} is not closed by "}}".` });
      break;
    }
    parts.push({ text: text.slice(from, open) });
    from = close + 2;
    const name = text.slice(open + 2, close).trim();
    const key = /^values\.([A-Za-z_]\w*)$/.exec(name)?.[1];
    if (key !== undefined) parts.push({ key });
    else if (isName(name)) parts.push({ name });
    else faults.push({ constraint: 'exists', message: `There is no placeholder ${JSON.stringify(name.slice(0, 100))} (at character ${open + 1}). There are ${names.join(', ')} and values.KEY.` });
  }
  return { parts: [...parts, { text: text.slice(from) }], faults };
}

/** The text with everything inserted: texts as they are, other values as JSON, nothing where there is none. */
export function fillTemplate({ parts }: Template, insertions: Insertions): string {
  const textOf = (value: unknown): string => (typeof value === 'string' ? value : value == null ? '' : JSON.stringify(value));
  return parts.map((part) => ('text' in part ? part.text : 'name' in part ? insertions[part.name] : textOf(own(insertions.values, part.key)))).join('');
}

/** The values that a template inserts; `path` leads to the template in its configuration. */
export function valuesInserted({ parts }: Template, path: ValueRead['path']): readonly ValueRead[] {
  const keys = parts.flatMap((part) => ('key' in part ? [part.key] : []));
  return [...new Set(keys)].map((key) => ({ key, path }));
}

/** The day that it is in a time zone, e.g. "2026-11-25". */
export function dayIn(timeZone: string, now: Date): string {
  // Sweden writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(now);
}

function isName(name: string): name is Name {
  return (names as readonly string[]).includes(name);
}

function own(values: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(values, key) ? values[key] : null;
}
