// Answers kept for equal questions, of profiles that allow it. The key is everything that an answer follows from: the
// workspace, the model and where it is, its parameters, the complete messages, the profile's version, and the passages by
// their chunks, which no two versions of a document share. So a change of any of it asks for another key, and nothing can be
// served that is out of date, whatever message of a change was lost. The tags only see to it that what was made from a
// document, or said in a chat, does not outlive it in memory or in Redis.
//
// Two who ask the same at the same moment both ask the model: a stream that is shared would end for both when one cancels it
// or its instance dies.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AnswerCaching, RunScope } from '../graph/scope.ts';
import type { ChatAnswer, ChatHooks, ChatRequest } from '../models/ask.ts';
import { modelIdentity } from '../models/identity.ts';
import { cacheKind, keyFrom, maxTags } from '../platform/cache.ts';
import { arePublished, type Passage } from '../search/passages.ts';

/** Complete answers, by their keys. */
const answers = cacheKind<{ readonly text: string }>({ name: 'answer', version: 1, ttlSeconds: 86_400, maxEntries: 5_000, maxBytes: 32 * 1024 ** 2 });

/** UTF-16 code units that a kept answer leaves in at once. */
const pieceLength = 120;

/** Asks, or says again what the same question was answered: in pieces, without any call of a model. */
export async function askOrReplay(run: RunScope, request: ChatRequest, passages: readonly Passage[], hooks: ChatHooks): Promise<void> {
  const { caching } = run.settings;
  if (!caching) return void (await run.models.ask(request, hooks));
  const key = keyOf(run, caching, request, passages);
  const kept = caching.refresh ? null : await run.ctx.app.cache.get(answers, key);
  if (kept) return await replay(run, kept.text, hooks);
  const answer = await run.models.ask(request, hooks);
  // Another model's answer is no answer of this one, and half of one none at all.
  if (answer.modelId === request.modelIds[0] && answer.finish === 'STOP' && answer.toolCalls.length === 0 && answer.text !== '') await keep(run, caching, key, answer, passages);
}

async function replay(run: RunScope, text: string, hooks: ChatHooks): Promise<void> {
  run.emit({ type: 'cached' });
  for (let from = 0; from < text.length; ) {
    let to = from + pieceLength;
    // A pair of surrogates is one character.
    if (/[\uD800-\uDBFF]/.test(text.charAt(to - 1))) to++;
    hooks.text(text.slice(from, to));
    from = to;
    await nextTurn();
    run.signal.throwIfAborted();
  }
}

/** Keeps an answer; whoever has it does not lose it because that fails. */
async function keep(run: RunScope, { sessionId }: AnswerCaching, key: string, { text }: ChatAnswer, passages: readonly Passage[]): Promise<void> {
  const { cache } = run.ctx.app;
  const documentIds = new Set(passages.map(({ documentId }) => documentId));
  const tags = [`profile:${run.settings.profileId}`, `session:${sessionId}`, ...[...documentIds].map((id) => `document:${id}`)];
  if (tags.length > maxTags) return;
  try {
    await cache.set(answers, key, { text }, { ttlSeconds: answers.ttlSeconds, tags });
    // Whoever changes a document from now on finds the entry; whoever did so meanwhile is found out here.
    if (!(await arePublished(run.ctx, passages.map(({ chunkId }) => chunkId)))) await cache.delete(answers, key);
  } catch (error) {
    await cache.delete(answers, key);
    run.ctx.log.warn({ err: error, runId: run.runId }, 'an answer could not be kept');
  }
}

function keyOf(run: RunScope, { profileVersionId }: AnswerCaching, { modelIds, options, messages, tools = [] }: ChatRequest, passages: readonly Passage[]): string {
  return keyFrom([
    run.ctx.workspaceId,
    modelIdentity(run.models, modelIds[0]),
    options,
    messages.map(({ type, content, additional_kwargs }) => [type, content, additional_kwargs]),
    tools,
    profileVersionId,
    passages.map(({ chunkId }) => chunkId),
  ]);
}
