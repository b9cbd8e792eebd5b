// One attempt at a run: the profile version's graph runs over the question, and its record writes down what happens.
import { memberViewer } from '../accounts/service.ts';
import { createContext, type App, type Context } from '../context.ts';
import type { Models } from '../models/catalog.ts';
import { lastWritten, runGraph, stopToAsk } from '../graph/run.ts';
import type { AnswerCaching, RunScope, RunSettings } from '../graph/scope.ts';
import { initialState } from '../graph/state.ts';
import { scoped } from '../accounts/scoped.ts';
import { ProfileVersion } from '../profiles/entity.ts';
import { answeringModelId, fallbackModelIds } from '../profiles/service.ts';
import { modelsOf } from '../providers/catalog.ts';
import type { UsageFigures } from '../usage/ledger.ts';
import { Message, usageOf, type Run } from './entity.ts';
import type { Lease } from './lease.ts';
import { historyBefore, keepConversation } from './history.ts';
import { readText } from './messages.ts';
import { openRecord, type RunRecord } from './record.ts';
import { RunCancelledError, TokenLimitError } from './run-error.ts';

/** A run that starts again and again is broken by what it does: so many attempts, then it fails. */
const maxAttempts = 10;

/** Works on a claimed run until it ends or `signal` aborts; resolves once all of it is written. */
export async function executeRun(app: App, run: Run, lease: Lease, signal: AbortSignal): Promise<void> {
  const held = await app.tails.hold(run.sessionId);
  if (!held) return;
  const { checkpointer } = app;
  const lost = new AbortController();
  const { maxTokens, maxSteps } = app.config.runs;
  const checkTokens = ({ inputTokens, outputTokens }: UsageFigures): void => {
    if (inputTokens + outputTokens > maxTokens) lost.abort(new TokenLimitError(inputTokens + outputTokens, maxTokens));
  };
  let ended = true;
  let record: RunRecord | null = null;
  try {
    const kept = run.outputMessageId ? await lastWritten(checkpointer, run.id) : null;
    const writer = (record = openRecord({ app, run, lease, kept, onLost: (error) => lost.abort(error), onSpent: checkTokens }));
    const stopped = AbortSignal.any([signal, lost.signal]);
    await writer.begin();
    if (run.cancelRequestedAt) throw new RunCancelledError();
    checkTokens(usageOf(run));
    if (run.attempt > maxAttempts) throw new Error(`The run was started ${maxAttempts} times and never ended.`);
    const viewer = await memberViewer(app, run.userId, run.workspaceId);
    const ctx = createContext(app, { viewer, requestId: run.id, signal: stopped });
    const version = await scoped(ctx, ProfileVersion).select().selectAll().where('id', '=', run.profileVersionId).executeTakeFirstOrThrow();
    const models = await modelsOf(ctx);
    const scope: RunScope = {
      runId: run.id,
      node: '',
      visit: '',
      ctx,
      models,
      signal: stopped,
      settings: { ...settingsOf(models, run, version as ProfileVersion), ...((version as ProfileVersion).cacheAnswers && { caching: await cachingOf(ctx, run) }) },
      history: () => historyBefore(ctx, run.sessionId, run.inputMessageId as string),
      answer: () => writer.answer(),
      said: () => writer.said(),
      written: () => writer.written(),
      emit: (part) => writer.take(part),
      once: (call, effect) => writer.once(call, effect),
      ask: async (question) => ((await writer.answerTo(question.key)) ?? stopToAsk(question)).value,
    };
    const question = await readText(ctx, run.inputMessageId as string);
    await runGraph(app.graphs.build((version as ProfileVersion).graph), initialState(question), scope, {
      checkpointer,
      threadId: run.id,
      maxSteps,
      configurable: { fence: writer.fence },
      settle: () => writer.settle(),
    });
    await writer.end('SUCCEEDED', null);
    await keepConversation(ctx, run.sessionId, run.outputMessageId ?? null);
  } catch (error) {
    ended = record ? await record.fail(error, signal) : false;
    if (!record) throw error;
  } finally {
    await held.release();
    // What a run that is over stood at serves nobody; one that goes on elsewhere needs it.
    if (ended) await checkpointer.deleteThread(run.id).catch((error: unknown) => app.log.warn({ err: error, runId: run.id }, 'checkpoints could not be removed'));
  }
}

function settingsOf(models: Models, run: Run, version: ProfileVersion): RunSettings {
  const modelId = run.modelId ?? answeringModelId(models, version);
  return {
    profileId: version.profileId,
    systemPrompt: version.systemPrompt,
    modelId,
    fallbackModelIds: fallbackModelIds(models, version, modelId),
    temperature: version.temperature,
    maxOutputTokens: version.maxOutputTokens,
    retrieval: { ...version.retrieval, ...run.retrieval },
    timeZone: run.timeZone,
    toolNames: version.toolNames,
    dryRun: run.dryRun,
  };
}

/** A question that another run was made for is asked again: whoever does that wants another answer. */
async function cachingOf(ctx: Context, run: Run): Promise<AnswerCaching> {
  const question = await scoped(ctx, Message).select().select('runId').where('id', '=', run.inputMessageId as string).executeTakeFirst();
  return { profileVersionId: run.profileVersionId, sessionId: run.sessionId, refresh: question?.runId !== run.id };
}
