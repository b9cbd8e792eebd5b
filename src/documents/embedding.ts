// The stage that gives chunks their vectors. A chunk that was in the published version, word for word, keeps its vector.
// An embedder that fails does not fail the document: what it left out is found by its words.
import { scoped } from '../accounts/scoped.ts';
import type { Embedded } from '../models/embed.ts';
import { classifyProviderError } from '../models/failures.ts';
import { modelsOf } from '../providers/catalog.ts';
import { book, spentOnEmbedding } from '../usage/ledger.ts';
import { inBatches } from './batches.ts';
import { DocumentVersion, type IngestionError } from './entity.ts';
import { advance, type Try } from './progress.ts';
import { chunkIdsByChecksum, type StoredChunk } from './store.ts';

/** What came of it: chunks that kept their vector, and why others have none. */
export interface EmbeddedChunks {
  readonly reused: number;
  readonly error: IngestionError | null;
}

/** Stores a vector for each chunk of the try's version, where the database has vectors. */
export async function embedChunks(attempt: Try, chunks: readonly StoredChunk[]): Promise<EmbeddedChunks> {
  const totalUnits = chunks.length;
  await advance(attempt, { stage: 'EMBEDDING', completedUnits: 0, totalUnits });
  if (!attempt.ctx.app.vectors.available) return { reused: 0, error: null };
  const missing = await reuseVectors(attempt, chunks);
  const reused = totalUnits - missing.length;
  const failures: unknown[] = [];
  let failed = 0;
  for (let at = 0; at < missing.length; at += requestSize) {
    const batch = missing.slice(at, at + requestSize);
    // Three in a row: the rest would only wait for the same answer.
    if (failures.length >= 3) {
      failed += missing.length - at;
      break;
    }
    try {
      const { vectors, usage } = await embed(attempt, batch.map((chunk) => chunk.text));
      // At once and for itself: it was paid for, whatever becomes of the try.
      await book(attempt.ctx, { userId: attempt.document.uploadedById ?? null }, [spentOnEmbedding(usage)]);
      const rows = batch.map((chunk, index) => ({ chunkId: chunk.id, vector: vectors[index] ?? [] }));
      await inBatches(rows, (some, done) =>
        advance(attempt, { stage: 'EMBEDDING', completedUnits: reused + at + done + some.length, totalUnits }, (tx) =>
          tx.app.vectors.upsert(tx.em, some.map((row) => ({ ...row, workspaceId: attempt.job.workspaceId, documentId: attempt.document.id, versionId: attempt.version.id, modelId: attempt.version.embeddingModelId })))), 10);
      failures.length = 0;
    } catch (error) {
      if (!(error instanceof EmbeddingFailure)) throw error;
      attempt.ctx.log.warn({ err: error.cause, jobId: attempt.job.id, modelId: attempt.version.embeddingModelId }, 'chunks could not be embedded');
      failures.push(error.cause);
      failed += batch.length;
    }
  }
  return { reused, error: failed === 0 ? null : errorOf(attempt, failures.at(-1), failed, totalUnits) };
}

/** Texts of one request to the embedder. */
const requestSize = 64;

/** The embedder failed, not we. */
class EmbeddingFailure extends Error {}

async function embed({ ctx, version }: Try, texts: string[]): Promise<Embedded> {
  try {
    const models = await modelsOf(ctx);
    return await models.embed({ modelId: version.embeddingModelId, texts, as: 'DOCUMENTS', signal: ctx.signal });
  } catch (error) {
    ctx.signal.throwIfAborted();
    throw new EmbeddingFailure('The embedder failed.', { cause: error });
  }
}

/** Gives chunks the vectors of equal chunks in the published version; returns those that it has none for. */
async function reuseVectors(attempt: Try, chunks: readonly StoredChunk[]): Promise<StoredChunk[]> {
  const { ctx, document, version, job } = attempt;
  const { publishedVersionId } = document;
  if (publishedVersionId == null) return [...chunks];
  const published = await scoped(ctx, DocumentVersion).select().select('embeddingModelId').where('id', '=', publishedVersionId).executeTakeFirst();
  if (published?.embeddingModelId !== version.embeddingModelId) return [...chunks];
  const older = await chunkIdsByChecksum(ctx, publishedVersionId);
  const unchanged = chunks.filter((chunk) => older.has(chunk.checksum));
  const missing = chunks.filter((chunk) => !older.has(chunk.checksum));
  await inBatches(unchanged, async (batch) => {
    const pairs = batch.map((chunk) => ({ fromChunkId: older.get(chunk.checksum) as string, toChunkId: chunk.id }));
    let found = 0;
    await advance(attempt, { stage: 'EMBEDDING', completedUnits: 0, totalUnits: chunks.length }, async (tx) => {
      found = await tx.app.vectors.reuse(tx.em, { workspaceId: job.workspaceId, modelId: version.embeddingModelId, documentId: document.id, versionId: version.id, pairs });
    });
    // Some older chunk has none, left out by an embedder that failed: all of these are embedded, which replaces the others'.
    if (found < pairs.length) missing.push(...batch);
  });
  return missing.sort((a, b) => a.ordinal - b.ordinal);
}

function errorOf(attempt: Try, cause: unknown, failedChunkCount: number, totalUnits: number): IngestionError {
  const { code, message: reason, retryable } = classifyProviderError(cause);
  const message = `${failedChunkCount} of ${totalUnits} passages are found by their words only, because ${attempt.version.embeddingModelId} did not embed them. ${reason}`;
  return { code, stage: 'EMBEDDING', message, retryable, failedChunkCount };
}
