// docs/graphs.md says what the code does.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nodeTypes } from '../../src/app.ts';
import { graphDefinition, MAX_EDGES, MAX_NODES } from '../../src/graph/definition.ts';
import { mermaid } from '../../src/graph/mermaid.ts';
import { createRegistry } from '../../src/graph/node.ts';
import { validateDefinition } from '../../src/graph/validate.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { defaultGraph } from '../../src/profiles/defaults.ts';
import { taskAssistantGraph } from '../../src/tasks/graph.ts';

const text = readFileSync(join(import.meta.dirname, '../../docs/graphs.md'), 'utf8');
const section = (title: string): string => new RegExp(`\\n## ${title}\\n(.*?)(?=\\n## |$)`, 's').exec(text)?.[1] ?? '';
const registry = createRegistry(nodeTypes);

it('the sample can be built', () => {
  const sample = /```json\n(.*?)```/s.exec(text)?.[1] ?? '';
  expect(validateDefinition(graphDefinition.parse({ ...JSON.parse(sample), version: 1 }), registry)).toEqual([]);
});

it('every node type is named, with what it reads and gives', () => {
  const rows = [...section('Node types').matchAll(/^\| `(\w+)` \| ([^|]*) \| ([^|]*)\|/gm)].map(([, type, reads, gives]) => [type, reads, gives].map((cell) => cell!.trim()));
  const keys = (schema: { properties?: object }): string => Object.keys(schema.properties ?? {}).join(', ');
  expect(rows).toEqual(registry.descriptions.map(({ type, inputSchema, outputSchema }) => [type, keys(inputSchema), keys(outputSchema)]));
});

it('the graph of a profile that is told nothing is drawn as it is', () => {
  expect(/```mermaid\n(.*?)```/s.exec(section('The graph of a profile that is told nothing'))?.[1]).toBe(mermaid(defaultGraph));
});

it('the graph of the task assistant is drawn as it is', () => {
  expect(/```mermaid\n(.*?)```/s.exec(section('The graph of the task assistant'))?.[1]).toBe(mermaid(taskAssistantGraph));
});

it('the bounds are those of the code', () => {
  const { maxSteps, maxTokens, maxSeconds } = loadConfig({ NODE_ENV: 'test' }).runs;
  for (const told of [`\`RUN_MAX_STEPS\` (${maxSteps})`, `\`RUN_MAX_TOKENS\` (${maxTokens.toLocaleString('en')})`, `\`RUN_MAX_SECONDS\` (${maxSeconds})`, `more than ${MAX_NODES} nodes or ${MAX_EDGES} edges`]) {
    expect(text).toContain(told);
  }
});
