// The ask node: stops the run to ask a person, and goes on with the answer.
import { z } from 'zod';
import { defineNode } from '../graph/node.ts';
import type { Question } from '../graph/scope.ts';
import { askForApproval } from './approval.ts';
import { templateText } from './prompt.ts';
import { dayIn, fillTemplate, parseTemplate, valuesInserted } from './template.ts';

const option = z.object({ value: z.string().min(1).max(200), label: z.string().min(1).max(500) });

/** The node type `ask`. */
export const askNode = defineNode({
  type: 'ask',
  description: 'Stops the run to ask a person for approval, a choice or an input; the answer is `answer`.',
  config: z
    .object({
      kind: z.enum(['APPROVAL', 'CHOICE', 'INPUT']),
      /** The question, with the placeholders of a prompt. */
      prompt: templateText.min(1),
      /** What can be chosen, for a CHOICE. */
      options: z.array(option).max(50).default([]),
    })
    .refine(({ kind, options }) => (kind === 'CHOICE' ? options.length >= 2 : options.length === 0), {
      path: ['options'],
      error: 'A CHOICE has at least two options, and nothing else has any.',
    }),
  input: z.object({ question: z.string(), values: z.record(z.string(), z.unknown()).default({}) }),
  output: z.object({ answer: z.json() }),
  reads: (config) => valuesInserted(parseTemplate(config.prompt), ['prompt']),
  async process({ question, values }, { kind, prompt: template, options }, run) {
    const { systemPrompt, timeZone } = run.settings;
    const prompt = fillTemplate(parseTemplate(template), { systemPrompt, question, date: dayIn(timeZone, new Date()), timeZone, values });
    const asked = { key: run.visit, prompt, payload: { question }, callId: null };
    if (kind === 'APPROVAL') return { answer: await run.ask(askForApproval(asked)) };
    const schema = kind === 'CHOICE' ? z.enum(options.map(({ value }) => value)) : z.string().min(1).max(10_000);
    return { answer: await run.ask({ ...asked, kind, options, responseSchema: z.toJSONSchema(schema) as Question['responseSchema'] }) };
  },
});
