// Ranking by words: BM25 over the postings, computed by the database. PostgreSQL's own ranking knows neither how rare a
// word is nor how long the passages are, which costs a seventh to a third of the quality on questions in plain language.
// See Robertson & Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009); idf as in Lucene, never negative.
import { joinPublishedChunks, publishedVersions, type PassageScope } from '../documents/passage-scope.ts';
import { kysely, sql, type EntityManager } from '../platform/database.ts';

/** How soon further occurrences of a word stop to count, and how much long passages are held back. */
const k1 = 1.2;
const b = 0.75;

export interface KeywordRanking {
  /** BM25 by chunk id, best first; no upper bound. */
  readonly scores: ReadonlyMap<string, number>;
  /** How rare each term of the question is in the scope, from 0; the rarer the higher. */
  readonly idf: ReadonlyMap<string, number>;
  /** What a passage of average length scores that has each word of the question as often as the question. */
  readonly ideal: number;
  /** Passages in the scope, found or not. */
  readonly passageCount: number;
  /** The models of the vectors in the scope: one, or several while a workspace changes its model. */
  readonly embeddingModelIds: readonly string[];
}

/** The `limit` passages of the scope that match the terms best; a term that the question repeats counts again. */
export async function rankByKeywords(em: EntityManager, input: { scope: PassageScope; terms: readonly string[]; limit: number }): Promise<KeywordRanking> {
  const { scope, limit } = input;
  const counts = new Map<string, number>();
  for (const term of input.terms) counts.set(term, (counts.get(term) ?? 0) + 1);
  const terms = [...counts.keys()];
  // Each step is materialised: joined into one, the planner guesses how many rows a term has, and guesses wrong.
  // The lists come back as one row of arrays, because a thousand rows cost more on the way than all of the ranking.
  const { rows } = await sql<RankingRow>`
    with total as materialized (
      select coalesce(sum(version.chunk_count), 0)::float8 as passages,
        greatest(coalesce(sum(version.term_count)::float8 / nullif(sum(version.chunk_count), 0), 1), 1) as average_length,
        array_agg(distinct version.embedding_model_id) as models
      from ${publishedVersions(scope)}
    ), posted as materialized (
      select chunk_id, term, frequency from posting
      where workspace_id = ${scope.workspaceId}::uuid and term = any(${sql.val(terms)}::text[])
    ), hit as materialized (
      select posted.chunk_id, posted.term, posted.frequency, chunk.term_count as length
      from posted ${joinPublishedChunks(scope, sql`posted.chunk_id`)}
    ), found as materialized (
      select term, count(*)::float8 as passages from hit group by term
    ), weight as materialized (
      select asked.term, asked.times, ln(1 + (total.passages - coalesce(found.passages, 0) + 0.5) / (coalesce(found.passages, 0) + 0.5)) as idf
      from total
      cross join unnest(${sql.val(terms)}::text[], ${sql.val([...counts.values()])}::int[]) as asked(term, times)
      left join found on found.term = asked.term
    ), best as (
      select hit.chunk_id, sum(
          times * idf * frequency * ${k1 + 1}::float8 / (frequency + ${k1}::float8 * (${1 - b}::float8 + ${b}::float8 * length / average_length))
        )::float8 as score
      from hit join weight on weight.term = hit.term cross join total
      group by hit.chunk_id
      order by score desc, chunk_id
      limit ${limit}::int
    )
    select total.passages as "passageCount", total.models as "embeddingModelIds",
      (select array_agg(chunk_id::text order by score desc, chunk_id) from best) as "chunkIds",
      (select array_agg(score order by score desc, chunk_id) from best) as scores,
      (select array_agg(term) from weight) as terms,
      (select array_agg(idf::float8) from weight) as idf
    from total`.execute(kysely(em));
  const row = rows[0];
  const idf = pairs(row?.terms, row?.idf);
  return {
    scores: pairs(row?.chunkIds, row?.scores),
    idf,
    ideal: input.terms.reduce((sum, term) => sum + (idf.get(term) ?? 0), 0),
    passageCount: row?.passageCount ?? 0,
    embeddingModelIds: row?.embeddingModelIds ?? [],
  };
}

interface RankingRow {
  readonly passageCount: number;
  /** Null in an empty scope. */
  readonly embeddingModelIds: readonly string[] | null;
  /** Null without a match. */
  readonly chunkIds: readonly string[] | null;
  readonly scores: readonly number[] | null;
  readonly terms: readonly string[] | null;
  readonly idf: readonly number[] | null;
}

function pairs(names: readonly string[] | null | undefined, values: readonly number[] | null | undefined): Map<string, number> {
  return new Map((names ?? []).map((name, index) => [name, values?.[index] ?? 0]));
}
