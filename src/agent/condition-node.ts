// The condition node: says which of several cases holds, as `values.branch`. Edges then ask for its name, and a case that
// several of them need is written down once.
import { z } from 'zod';
import { conditionFaults, holds, parseCondition, valuesRead } from '../graph/condition.ts';
import { defineNode } from '../graph/node.ts';

/** What of the state a case may read. */
const readable = ['question', 'passages', 'values'] as const;

const branch = z.string().min(1).max(100);

const when = z.string().superRefine((text, context) => {
  for (const { constraint, message } of conditionFaults(text, readable)) context.addIssue({ code: 'custom', message, params: { constraint } });
});

/** The node type `condition`. */
export const conditionNode = defineNode({
  type: 'condition',
  description: 'Writes the value of the first case that holds to values.branch, for the conditions of edges.',
  config: z.object({
    /** Conditions as on edges, over the question, the passages and the values. */
    cases: z.array(z.object({ when, value: branch })).min(1).max(50),
    /** What is written when no case holds. */
    otherwise: branch,
  }),
  input: z.object({
    question: z.string(),
    passages: z.array(z.object({ n: z.number(), chunkId: z.string() })).default([]),
    values: z.record(z.string(), z.unknown()).default({}),
  }),
  output: z.object({ branch: z.string() }),
  reads: ({ cases }) => cases.flatMap(({ when }, index) => valuesRead(parseCondition(when)).map((key) => ({ key, path: ['cases', index, 'when'] }))),
  process: (state, { cases, otherwise }) => Promise.resolve({ branch: cases.find(({ when }) => holds(parseCondition(when), state))?.value ?? otherwise }),
});
