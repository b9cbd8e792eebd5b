import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const src = resolve(import.meta.dirname, '../src');

/** The rooms on their line: a file imports only from its own room or from rooms further left. */
const line = [
  'platform', 'text', 'models', 'context.ts', 'builder.ts', 'system', 'accounts', 'providers', 'usage', 'graph', 'profiles', 'documents', 'search', 'agent', 'tasks',
  'chat', 'entities.ts', 'schema.ts', 'node-types.ts', 'tools.ts', 'app.ts', 'server', 'server.ts', 'demo', 'demo.ts', 'welcome.ts', 'serve.ts', 'main.ts', 'print-schema.ts', 'create-migration.ts',
];

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const roomOf = (file: string): string => file.split('/')[0] as string;

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => relative(src, resolve(src, dirname(file), match[1] as string)));
}

describe('the rooms', () => {
  it('all stand on the line', () => {
    expect(files.filter((file) => !line.includes(roomOf(file)))).toEqual([]);
  });

  it('import only from their own room or from rooms further left', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((imported) => line.indexOf(roomOf(imported)) > line.indexOf(roomOf(file)))
        .map((imported) => `${file} → ${imported}`),
    );
    expect(wrong).toEqual([]);
  });

  it('have no import cycles between files', () => {
    const graph = new Map(files.map((file) => [file, valueImportsOf(file)]));
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      else if (!done.has(file)) {
        for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
        done.add(file);
      }
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });
});

describe('tenancy', () => {
  // Files that find rows by other means than scoped(), each with the reason why scoped() cannot serve there.
  const exceptions: Record<string, string> = JSON.parse(readFileSync(join(import.meta.dirname, 'support/unscoped.json'), 'utf8'));
  const finding = /\bem\.(find|count|createQueryBuilder|getKysely|getConnection|nativeUpdate|nativeDelete)|\.(selectFrom|updateTable|deleteFrom)\(|\bsql(<[^`]*>)?`\s*(with|select|update|delete)\b/;

  it('is decided by scoped(): nobody else finds rows, except where the list says why', () => {
    const found = files.filter((file) => roomOf(file) !== 'platform' && finding.test(readFileSync(join(src, file), 'utf8')));
    expect(found.filter((file) => !(file in exceptions))).toEqual([]);
    expect(Object.keys(exceptions).filter((file) => !found.includes(file))).toEqual([]);
  });
});

/** Imports that exist at run time: a cycle of types alone hurts nobody. */
function valueImportsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)\s+(?!type\b)[^'";]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'/gm)].map((match) =>
    relative(src, resolve(src, dirname(file), (match[1] ?? match[2]) as string)),
  );
}
