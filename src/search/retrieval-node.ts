// The node that looks for passages before the model is asked.
import { z } from 'zod';
import { defineNode } from '../graph/node.ts';
import type { RetrievalSettings, RunScope } from '../graph/scope.ts';
import { expectedErrors, GenericError } from '../platform/errors.ts';
import { isConnectionFailure } from '../platform/transient.ts';
import { needsPassages } from './need.ts';
import { searchModes } from './ranking.ts';
import { retrieve } from './service.ts';

/** The node type `retrieval`. What its config leaves out is as the profile says. */
export const retrievalNode = defineNode({
  type: 'retrieval',
  description: "Finds the passages of the profile's documents that answer the question.",
  config: z.object({
    mode: z.enum(['OFF', 'AUTO', 'ALWAYS']).optional(),
    searchMode: z.enum(searchModes).optional(),
    topK: z.number().int().min(1).max(50).optional(),
    minScore: z.number().min(0).max(1).optional(),
    rerank: z.boolean().optional(),
    maxContextTokens: z.number().int().min(100).max(200_000).optional(),
    onFailure: z.enum(['ANSWER_WITHOUT_CONTEXT', 'FAIL_RUN']).optional(),
  }),
  input: z.object({ question: z.string() }),
  output: z.object({ passages: z.array(z.object({ n: z.int().positive(), chunkId: z.string() })) }),
  timeoutMs: 30_000,
  retry: { maxAttempts: 2, initialIntervalMs: 200 },
  async process({ question }, config, run) {
    const settings = settingsOf(config, run);
    if (settings.mode === 'OFF' || (settings.mode === 'AUTO' && !needsPassages(question))) return { passages: [] };
    return { passages: await passagesFor(question, settings, run) };
  },
  recover(error, config, run) {
    run.ctx.log.error({ err: error, runId: run.runId }, 'retrieval failed');
    if (settingsOf(config, run).onFailure === 'FAIL_RUN') throw error;
    run.emit({ type: 'degraded', reason: 'RETRIEVAL_FAILED' });
    return { passages: [] };
  },
});

type Config = Partial<Pick<RetrievalSettings, 'mode' | 'searchMode' | 'topK' | 'minScore' | 'rerank' | 'maxContextTokens' | 'onFailure'>>;

function settingsOf(config: { [K in keyof Config]: Config[K] | undefined }, run: RunScope): RetrievalSettings {
  return { ...run.settings.retrieval, ...withoutUndefined(config) };
}

/**
 * AUTO takes passages along only when the best of them has this part of the question: others share but a common word with
 * it, and lead a model astray. Measured as the best fused score: of questions to their own documents (Cranfield; XQuAD en,
 * de, zh) 95 % are above .52, .63, .34 and .28; of questions to documents about something else half are below .23.
 */
const leastUseful = 0.2;

async function passagesFor(question: string, settings: RetrievalSettings, run: RunScope): Promise<{ n: number; chunkId: string }[]> {
  const { ctx, signal } = run;
  const { passages, degraded, openings } = await retrieve(ctx, {
    question,
    profileId: run.settings.profileId,
    settings,
    signal,
    spent: (spent) => run.emit({ type: 'spent', spent }),
  }).catch((cause: unknown) => {
    throw signal.aborted || expectedErrors(cause) ? cause : new RetrievalFailedError(cause);
  });
  for (const reason of degraded) run.emit({ type: 'degraded', reason });
  const best = Math.max(0, ...passages.map(({ scores }) => scores.fused));
  if (settings.mode === 'AUTO' && !openings && best < leastUseful) return [];
  return passages.map(({ chunkId }, index) => ({ n: index + 1, chunkId }));
}

/** The database failed, or we did. */
class RetrievalFailedError extends GenericError {
  readonly retryable: boolean;

  constructor(cause: unknown) {
    super('INTERNAL', 'No passages could be looked for, and the profile does not allow an answer without them. Try again.', null, { cause });
    this.retryable = isConnectionFailure(cause);
  }
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never;
}
