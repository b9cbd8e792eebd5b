// What a person answers when a run asks whether it may do something.
import { z } from 'zod';
import type { Question } from '../graph/scope.ts';

/** Yes or no, and why. */
export const approval = z.object({ approved: z.boolean(), reason: z.string().max(1_000).optional() });

/** A question for approval. */
export function askForApproval(question: Pick<Question, 'key' | 'prompt' | 'payload' | 'callId'>): Question {
  return { ...question, kind: 'APPROVAL', options: [], responseSchema: z.toJSONSchema(approval, { io: 'input' }) as Question['responseSchema'] };
}
