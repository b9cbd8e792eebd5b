// How well utterances about tasks are understood without a model: the operation and the marked spans, beside a plain keyword
// rule, scored by the data's own script.
// `npm run bench:tasks -- <folder with utterances.jsonl, or such a file> [--mix FILE] [--script FILE] [--out FILE]`
// Utterances are lines {id, text, intent, operation, entities}. --mix gives utterances whose classes (intents) are wanted in
// their shares: the operation is then also reckoned as if the file had that mix. --script is the scoring script when it does
// not lie in ../score beside the utterances; --out keeps the answers for it.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { understand } from '../src/tasks/english/understand.ts';

const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' }, mix: { type: 'string' }, script: { type: 'string' } } });
const given = resolve(positionals[0] ?? '.');
const gold = (await stat(given)).isDirectory() ? join(given, 'utterances.jsonl') : given;
const script = resolve(options.script ?? join(dirname(gold), '../score/score-tasks.mjs'));
const work = await mkdtemp(join(tmpdir(), 'parley-bench-'));

interface Answer {
  readonly operation: string;
  readonly properties: Readonly<Record<string, string | readonly string[] | null>>;
}

interface Utterance {
  readonly id: string;
  readonly text: string;
  readonly intent: string;
  readonly operation: string;
}

const readUtterances = async (file: string): Promise<Utterance[]> => (await readFile(file, 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as Utterance);
const utterances = await readUtterances(gold);
const mix = options.mix === undefined ? null : counted(await readUtterances(options.mix));
for (const { text } of utterances) understand(text);
const start = performance.now();
for (const { text } of utterances) understand(text);
const microseconds = Math.round(((performance.now() - start) / utterances.length) * 1000);
print('rules', await score('rules', (text) => {
  const { operation, title, list, dateText, timeText, recurrence, location, people } = understand(text);
  return { operation, properties: { title, list, dateText, timeText, recurrence, location, people } };
}, options.out));
print('keywords', await score('keywords', byKeywords));
console.log(JSON.stringify({ utterances: utterances.length, microsecondsPerUtterance: microseconds }));
await rm(work, { recursive: true });

function print(who: string, figures: object): void {
  console.log(`${who} ${JSON.stringify(figures, null, 1)}`);
}

/** What the data's script says of somebody's answers. */
async function score(who: string, answer: (text: string) => Answer, out = join(work, `${who}.jsonl`)): Promise<object> {
  await writeFile(out, utterances.map(({ id, text }) => `${JSON.stringify({ id, ...answer(text) })}\n`).join(''));
  const figures = JSON.parse(execFileSync(process.execPath, [script, '--gold', gold, '--got', out], { encoding: 'utf8' })) as object;
  return mix ? { ...figures, operationAccuracyInMix: accuracyIn(mix, answer) } : figures;
}

/** How many utterances there are of each class. */
function counted(of: readonly Utterance[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { intent } of of) counts.set(intent, (counts.get(intent) ?? 0) + 1);
  return counts;
}

/** The mean of the accuracies of the classes, each with its share in the mix; classes that only one of both has do not count. */
function accuracyIn(mix: ReadonlyMap<string, number>, answer: (text: string) => Answer): number {
  const [all, right] = [counted(utterances), counted(utterances.filter(({ text, operation }) => answer(text).operation === operation))];
  const classes = [...all.keys()].filter((name) => mix.has(name));
  const sum = (of: (name: string) => number): number => classes.reduce((total, name) => total + of(name), 0);
  const shares = sum((name) => mix.get(name) as number);
  return Number((sum((name) => (mix.get(name) as number) * (right.get(name) ?? 0) / (all.get(name) as number)) / shares).toFixed(4));
}

/** The rule to beat: the first keyword decides; days, hours, "my … list" and "with …" are found by one pattern each. */
function byKeywords(text: string): Answer {
  const said = (pattern: RegExp): string | null => pattern.exec(text)?.[1] ?? null;
  const operation = [
    ['delete', /\b(delete|remove|cancel|clear|erase|clean|get rid)\b/i],
    ['create', /\b(remind|add|create|set|make|schedule|put|new)\b/i],
    ['none', /\b(weather|email|play|music|song|who)\b/i],
    ['query', /\b(what|what's|when|do i|is|are|show|list|check|tell|any|how)\b/i],
    ['reject', /\b(no|not|wrong|didn't)\b/i],
    ['confirm', /\b(yes|yeah|correct|exactly|right|great)\b/i],
  ].find(([, pattern]) => (pattern as RegExp).test(text))?.[0] as string | undefined;
  return {
    operation: operation ?? 'create',
    properties: {
      title: said(/\b(meeting|appointment|birthday|party|lunch|dinner|event)\b/i),
      list: said(/\b(\w+) list\b/i),
      dateText: said(/\b(today|tomorrow|(?:next |this )?(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|week))\b/i),
      timeText: said(/\b(\w+ (?:am|pm)|noon|morning|evening|tonight)\b/i),
      recurrence: said(/\b(every \w+|daily|weekly)\b/i),
      location: said(/\bat the (\w+)/i),
      people: said(/\bwith (?:my )?(\w+)/i),
    },
  };
}
