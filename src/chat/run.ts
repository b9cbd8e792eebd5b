// One attempt at a run: the profile version's graph runs over the question, and its record writes down what happens.
import { memberViewer } from '../accounts/service.ts';
import { createContext, type App } from '../context.ts';
import { runGraph } from '../graph/run.ts';
import type { RunScope, RunSettings } from '../graph/scope.ts';
import { initialState } from '../graph/state.ts';
import { scoped } from '../accounts/scoped.ts';
import { ProfileVersion } from '../profiles/entity.ts';
import { answeringModelId } from '../profiles/service.ts';
import type { Run } from './entity.ts';
import { branchTo, readText } from './messages.ts';
import { openRecord } from './record.ts';
import { RunCancelledError } from './run-error.ts';

/** Works on a claimed run until it ends or `signal` aborts; resolves once all of it is written. */
export async function executeRun(app: App, run: Run, owner: string, signal: AbortSignal): Promise<void> {
  const held = await app.tails.hold(run.sessionId);
  if (!held) return;
  const lost = new AbortController();
  const record = openRecord(app, run, owner, (error) => lost.abort(error));
  try {
    const stopped = AbortSignal.any([signal, lost.signal]);
    await record.begin();
    if (run.cancelRequestedAt) throw new RunCancelledError();
    const viewer = await memberViewer(app, run.userId, run.workspaceId);
    const ctx = createContext(app, { viewer, requestId: run.id, signal: stopped });
    const version = await scoped(ctx, ProfileVersion).select().selectAll().where('id', '=', run.profileVersionId).executeTakeFirstOrThrow();
    const scope: RunScope = {
      runId: run.id,
      ctx,
      signal: stopped,
      settings: settingsOf(app, run, version as ProfileVersion),
      history: async () => (await branchTo(ctx, run.inputMessageId as string)).slice(0, -1).map(({ role, text }) => ({ role, text })),
      answer: () => record.answer(),
      emit: (part) => record.take(part),
    };
    const question = await readText(ctx, run.inputMessageId as string);
    await runGraph(app.graphs.build((version as ProfileVersion).graph), initialState(question), scope);
    await record.end('SUCCEEDED', null);
  } catch (error) {
    await record.fail(error, signal);
  } finally {
    await held.release();
  }
}

function settingsOf(app: App, run: Run, version: ProfileVersion): RunSettings {
  return {
    profileId: version.profileId,
    systemPrompt: version.systemPrompt,
    modelId: run.modelId ?? answeringModelId(app, version),
    fallbackModelIds: version.fallbackModelIds,
    temperature: version.temperature,
    maxOutputTokens: version.maxOutputTokens,
    retrieval: { ...version.retrieval, ...run.retrieval },
    timeZone: run.timeZone,
  };
}
