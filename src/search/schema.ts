// How passages are searched.
import { builder, decodeId, decodeIds } from '../builder.ts';
import { permit } from '../context.ts';
import { DocumentChunkNode } from '../documents/nodes.ts';
import { SearchModeEnum } from '../profiles/schema.ts';
import type { Highlight } from './highlights.ts';
import type { Ranked } from './ranking.ts';
import { search, type SearchHit, type SearchResults } from './service.ts';

/** What a search or a run had to do without. */
export const SearchDegradationEnum = builder.enumType('SearchDegradation', {
  description: 'What a search or a run had to do without.',
  values: {
    VECTOR_UNAVAILABLE: { description: 'The database has no vectors: passages were found by their words.' },
    EMBEDDER_UNAVAILABLE: { description: 'The embedding model did not answer: passages were found by their words.' },
    RERANKER_UNAVAILABLE: { description: 'The re-ranking model did not answer: the built-in re-ranking was used.' },
    RETRIEVAL_FAILED: { description: 'No passages could be looked for: the answer was given without them.' },
  },
});

const SearchInput = builder.inputType('SearchInput', {
  description: 'What to look for, and where.',
  fields: (t) => ({
    query: t.string({ required: true, description: 'A question or words, at most 2,000 characters, e.g. "how long is the warranty".' }),
    profileId: t.id({ description: "Only in this profile's documents." }),
    documentIds: t.idList({ description: 'Only in these documents, at most 1,000.' }),
    mode: t.field({ type: SearchModeEnum, defaultValue: 'HYBRID', description: 'By words, by vectors, or by both.' }),
    minScore: t.float({ description: 'Leave out passages whose fused score is less, 0..1; null leaves none out.' }),
    rerank: t.boolean({ description: "Whether the best 50 are ranked again: by the re-ranking model of the profile, if profileId names one that has it, else so that near-copies of better passages go behind others. Default: false." }),
    tags: t.stringList({ description: 'Only in documents with at least one of these tags.' }),
  }),
});

const SearchScores = builder.objectRef<Ranked>('SearchScores').implement({
  description: 'Why a passage stands where it stands. Only `fused` is comparable between queries.',
  fields: (t) => ({
    fused: t.exposeFloat('fused', { description: 'What decides the order, 0..1: 1 is a passage with all of the question.' }),
    vector: t.exposeFloat('vector', { nullable: true, description: 'Similarity of the vectors: a cosine, or an inner product with the offline embedder; null when not found so.' }),
    keyword: t.exposeFloat('keyword', { nullable: true, description: 'BM25 of the words, from 0 without an upper bound; null when not found so.' }),
    rerank: t.exposeFloat('rerank', { nullable: true, description: 'What the re-ranking model gave it, in its own measure, or relevance less likeness to passages before it; null when it was not ranked again.' }),
  }),
});

const HighlightObject = builder.objectRef<Highlight>('Highlight').implement({
  description: "Where a word of the query stands in the passage's text. Offsets are UTF-16 code units in `node.text`, end exclusive.",
  fields: (t) => ({
    startOffset: t.exposeInt('startOffset', { description: 'Where it begins.' }),
    endOffset: t.exposeInt('endOffset', { description: 'Where it ends, exclusive.' }),
  }),
});

const SearchResultEdge = builder.objectRef<SearchHit>('SearchResultEdge').implement({
  description: 'A passage that was found, with its place among the others.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: 'Position in the results of this input; pass to `after` with the same input.' }),
    node: t.field({ type: DocumentChunkNode, description: 'The passage.', resolve: ({ chunk }) => chunk }),
    rank: t.exposeInt('rank', { description: '1 for the best.' }),
    scores: t.field({ type: SearchScores, description: 'What decided the rank.', resolve: ({ scores }) => scores }),
    highlights: t.field({ type: [HighlightObject], description: "Where the query's words stand, in the order of the text.", resolve: (hit) => hit.highlights() }),
  }),
});

const SearchResultConnection = builder.objectRef<SearchResults>('SearchResultConnection').implement({
  description: 'A page of passages that were found.',
  fields: (t) => ({
    edges: t.field({ type: [SearchResultEdge], description: 'The passages with ranks and scores, best first.', resolve: ({ hits }) => [...hits] }),
    nodes: t.field({ type: [DocumentChunkNode], description: 'The passages alone.', resolve: ({ hits }) => hits.map(({ chunk }) => chunk) }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Whether there is more.',
      resolve: ({ hits, hasNextPage, hasPreviousPage }) => ({ hasNextPage, hasPreviousPage, startCursor: hits[0]?.cursor ?? null, endCursor: hits.at(-1)?.cursor ?? null }),
    }),
    totalCount: t.exposeInt('totalCount', { description: 'Passages found; a search goes 1,000 deep.' }),
    tookMs: t.exposeInt('tookMs', { description: 'Milliseconds that the search took.' }),
    cached: t.exposeBoolean('cached', { description: 'Whether the answer was kept from an equal search.' }),
    degraded: t.field({ type: [SearchDegradationEnum], description: 'What the search had to do without; empty when nothing.', resolve: ({ degraded }) => [...degraded] }),
  }),
});

builder.queryField('search', (t) =>
  t.field({
    type: SearchResultConnection,
    description: 'The passages of published documents that answer a query, best first.',
    args: {
      input: t.arg({ type: SearchInput, required: true, description: 'What to look for, and where.' }),
      first: t.arg.int({ defaultValue: 10, description: 'How many to return, 1–100.' }),
      after: t.arg.string({ description: 'Only what follows this cursor of the same search.' }),
    },
    resolve: (_root, { input, first, after }, ctx) => {
      permit(ctx, 'DOCUMENT_READ');
      return search(
        ctx,
        {
          query: input.query,
          profileId: input.profileId ? decodeId('Profile', input.profileId, ['profileId']) : null,
          documentIds: input.documentIds ? decodeIds('Document', input.documentIds, ['documentIds']) : null,
          mode: input.mode ?? 'HYBRID',
          minScore: input.minScore ?? null,
          rerank: input.rerank ?? false,
          tags: input.tags ?? null,
        },
        { first: first ?? 10, after: after ?? null },
      );
    },
  }),
);
