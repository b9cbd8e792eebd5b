// The vectors of questions by remote embedders, kept, because each costs a call. Not those of the offline embedder: they
// depend on how rare the words are in what is searched, and cost less than looking them up.
//
// Each workspace has its own. A vector follows from its text and model alone, but which model answers behind a name and an
// address may depend on the key, which workspaces do not share: one could put vectors of another model under the question of
// another workspace, or tell by the time that an answer takes whether somebody there has asked the same.
import type { Context } from '../context.ts';
import type { Models } from '../models/catalog.ts';
import { modelIdentity } from '../models/identity.ts';
import { cacheKind, keyFrom } from '../platform/cache.ts';
import { spentOnEmbedding, type Spent } from '../usage/ledger.ts';

/** 32-bit floats, little-endian, as base64: as precise as the database compares them, a quarter of the JSON. */
const vectors = cacheKind<string>({ name: 'embedding', version: 1, ttlSeconds: 86_400, maxEntries: 5_000, maxBytes: 32 * 1024 ** 2 });

/** A question, and who is told what its embedding cost, if it cost anything. */
export interface EmbeddedQuestion {
  readonly modelId: string;
  readonly text: string;
  readonly signal: AbortSignal;
  readonly spent: (spent: Spent) => void | Promise<void>;
}

/** The question's vector by a remote model; rejects as `models.embed` and `spent` do. */
export async function questionVector(ctx: Context, models: Models, { modelId, text, signal, spent }: EmbeddedQuestion): Promise<readonly number[] | null> {
  const { cache } = ctx.app;
  const key = keyFrom([ctx.workspaceId, modelIdentity(models, modelId), text]);
  const kept = await cache.get(vectors, key);
  if (kept !== null) return unpack(kept);
  const { vectors: [vector], usage } = await models.embed({ modelId, texts: [text], as: 'QUERY', signal });
  await spent(spentOnEmbedding(usage));
  if (!vector) return null;
  const packed = pack(vector);
  // Nobody waits for Redis; in memory it is at once.
  void cache.set(vectors, key, packed, { ttlSeconds: vectors.ttlSeconds });
  return unpack(packed);
}

function pack(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString('base64');
}

function unpack(packed: string): number[] {
  const bytes = Buffer.from(packed, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
}
