// What a node gets besides its input: the run it works for. The run engine implements this; a node reads settings
// and history from it and tells it what happens, part by part. A part goes straight from the node to the readers:
// LangGraph's own stream modes stay unused, because they cost a token three times as much.
import type { Context } from '../context.ts';
import type { ModelAttempt } from '../models/ask.ts';
import type { Models } from '../models/catalog.ts';
import type { ErrorCode } from '../platform/errors.ts';
import type { Spent } from '../usage/ledger.ts';
import type { Json, Written } from './state.ts';

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
  /** Tools that a model may call, by name. */
  toolNames: readonly string[];
  /** Whether nothing outside of the run may change: what would be done is only told. */
  dryRun: boolean;
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

export const toolCallStatuses = ['PENDING', 'AWAITING_APPROVAL', 'RUNNING', 'SUCCEEDED', 'FAILED', 'REJECTED'] as const;
export type ToolCallStatus = (typeof toolCallStatuses)[number];

/** A call of a tool as it is now. The first part of a call puts it in the answer, after what was said until then. */
export interface ToolCallPart {
  type: 'toolCall';
  /** Its own within the run, also when the run starts again somewhere else. */
  callId: string;
  name: string;
  arguments: Json;
  status: ToolCallStatus;
  result: Json;
  /** Why it failed or was rejected, fit to be shown. */
  error: string | null;
}

/** What a piece of the answer is: visible text, or a call of a tool. */
export type SaidPart = { readonly type: 'text'; readonly text: string } | Readonly<ToolCallPart>;

export const questionKinds = ['APPROVAL', 'CHOICE', 'INPUT'] as const;

/** What a run stops to ask a person. */
export interface Question {
  /** Its own within the run; the same when its node is visited again after an interruption. */
  readonly key: string;
  readonly kind: (typeof questionKinds)[number];
  /** What is asked, in words. */
  readonly prompt: string;
  /** What it is about, for front ends that show more than words. */
  readonly payload: Readonly<Record<string, Json>>;
  /** What can be chosen; empty unless it is a CHOICE. */
  readonly options: readonly { readonly value: string; readonly label: string }[];
  /** JSON Schema of the answer. */
  readonly responseSchema: Record<string, Json>;
  /** The call that waits for the answer. */
  readonly callId: string | null;
}

/** What happens during a run, in the order in which it happens. */
export type RunPart =
  | StepPart
  | ToolCallPart
  | CitationPart
  | FellBackPart
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  /** A call of a model was paid. */
  | { type: 'spent'; spent: Spent }
  | ({ type: 'modelAttempt' } & ModelAttempt)
  /** What follows was said before, and no model is called for it. */
  | { type: 'cached' }
  | { type: 'degraded'; reason: 'VECTOR_UNAVAILABLE' | 'EMBEDDER_UNAVAILABLE' | 'RERANKER_UNAVAILABLE' | 'RETRIEVAL_FAILED' };

/** A call that has an effect; `id` is its own within the run, also when the run starts again somewhere else. */
export interface Call {
  readonly id: string;
  readonly name: string;
  readonly arguments: Json;
}

/**
 * The run as its nodes see it. `signal` aborts when the run is cancelled; inside a node also when the node's time is up.
 * `emit` is synchronous and never throws; after a node's attempt has ended, what that attempt still emits is dropped,
 * except what was spent.
 */
export interface RunScope {
  readonly runId: string;
  /** Id of the node that is visited; empty outside of one. */
  readonly node: string;
  /** Names this visit of the node within the run; the same when the visit is repeated. Empty outside of a node. */
  readonly visit: string;
  readonly ctx: Context;
  readonly signal: AbortSignal;
  readonly settings: RunSettings;
  /** The models of the run's workspace. */
  readonly models: Models;
  history(): Promise<readonly Turn[]>;
  /** The visible text that the run has emitted so far. */
  answer(): string;
  /** The answer so far, piece by piece: text and calls of tools. */
  said(): readonly SaidPart[];
  /** How far the answer has come. */
  written(): Written;
  emit(part: RunPart): void;
  /**
   * Does what changes our rows, once in the run: the effect and the record of its call commit together, and a repetition
   * gets the stored result. Keep it short; rejects when the run has gone to somebody else.
   */
  once(call: Call, effect: (tx: Context) => Promise<Json>): Promise<Json>;
  /**
   * The answer of a person, which fits the question's schema. Until there is one the run stops, and the node is visited again
   * from its beginning: nothing with an effect, and nothing that is said, may stand before it, and what is asked about must be the
   * same by then, e.g. kept in the state by a visit before.
   */
  ask(question: Question): Promise<Json>;
}
