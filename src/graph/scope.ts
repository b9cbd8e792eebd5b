// What a node gets besides its input: the run it works for. The run engine implements this; a node reads settings
// and history from it and tells it what happens, part by part. A part goes straight from the node to the readers:
// LangGraph's own stream modes stay unused, because they cost a token three times as much.
import type { z } from 'zod';
import type { Context } from '../context.ts';
import type { ModelAttempt, ModelUsage } from '../models/ask.ts';
import type { Models } from '../models/catalog.ts';
import type { EmbeddingUsage } from '../models/embed.ts';
import type { ErrorCode } from '../platform/errors.ts';
import type { Written } from './state.ts';

/** How a profile version retrieves passages; sizes in tokens, `minScore` 0..1. */
export interface RetrievalSettings {
  mode: 'OFF' | 'AUTO' | 'ALWAYS';
  searchMode: 'SEMANTIC' | 'KEYWORD' | 'HYBRID';
  topK: number;
  minScore: number;
  rerank: boolean;
  rerankModelId: string | null;
  chunkSize: number;
  chunkOverlap: number;
  maxContextTokens: number;
  onFailure: 'ANSWER_WITHOUT_CONTEXT' | 'FAIL_RUN';
}

/** What a profile version fixes for a run. */
export interface RunSettings {
  profileId: string;
  systemPrompt: string;
  modelId: string;
  fallbackModelIds: readonly string[];
  temperature: number;
  maxOutputTokens: number;
  retrieval: RetrievalSettings;
  timeZone: string;
  /** Absent where answers are not kept for equal questions. */
  caching?: AnswerCaching;
}

/** What a kept answer belongs to, and whether a new one is wanted in its place. */
export interface AnswerCaching {
  profileVersionId: string;
  sessionId: string;
  refresh: boolean;
}

/** One message of the conversation before the question, oldest first. */
export interface Turn {
  role: 'USER' | 'ASSISTANT' | 'TOOL' | 'SYSTEM';
  text: string;
}

/** How far a node's visit is; `durationMs` is null while it runs, `error` is fit to be shown to the user. */
export interface StepPart {
  type: 'step';
  node: string;
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  startedAt: Date;
  durationMs: number | null;
  error: string | null;
}

/** A quote that supports a part of the answer, verbatim in a document's stored text. Offsets in UTF-16 units, end exclusive. */
export interface CitationPart {
  type: 'citation';
  /** The n of the answer's [n]. */
  index: number;
  chunkId: string;
  documentId: string;
  documentName: string;
  documentVersion: number;
  page: number | null;
  headingPath: readonly string[];
  startOffset: number;
  endOffset: number;
  quote: string;
  answerStart: number;
  answerEnd: number;
}

/** Another model goes on, by its id in the catalog: of the answer only what stood when the question was asked still holds. */
export interface FellBackPart {
  type: 'fellBack';
  from: string;
  to: string;
  errorCode: ErrorCode;
  keep: Written;
}

/** What happens during a run, in the order in which it happens. */
export type RunPart =
  | StepPart
  | CitationPart
  | FellBackPart
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  | ({ type: 'usage' } & ModelUsage)
  | ({ type: 'embedding' } & EmbeddingUsage)
  | ({ type: 'modelAttempt' } & ModelAttempt)
  /** What follows was said before, and no model is called for it. */
  | { type: 'cached' }
  | { type: 'degraded'; reason: 'VECTOR_UNAVAILABLE' | 'EMBEDDER_UNAVAILABLE' | 'RERANKER_UNAVAILABLE' | 'RETRIEVAL_FAILED' };

/** A call that has an effect; `id` is its own within the run, also when the run starts again somewhere else. */
export interface Call {
  readonly id: string;
  readonly name: string;
  readonly arguments: z.core.util.JSONType;
}

/**
 * The run as its nodes see it. `signal` aborts when the run is cancelled; inside a node also when the node's time is up.
 * `emit` is synchronous and never throws; after a node's attempt has ended, what that attempt still emits is dropped,
 * except what was spent.
 */
export interface RunScope {
  readonly runId: string;
  readonly ctx: Context;
  readonly signal: AbortSignal;
  readonly settings: RunSettings;
  /** The models of the run's workspace. */
  readonly models: Models;
  history(): Promise<readonly Turn[]>;
  /** The visible text that the run has emitted so far. */
  answer(): string;
  /** How far the answer has come. */
  written(): Written;
  emit(part: RunPart): void;
  /**
   * Does what changes our rows, once in the run: the effect and the record of its call commit together, and a repetition
   * gets the stored result. Keep it short; rejects when the run has gone to somebody else.
   */
  once(call: Call, effect: (tx: Context) => Promise<z.core.util.JSONType>): Promise<z.core.util.JSONType>;
}
