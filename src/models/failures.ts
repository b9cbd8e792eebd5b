// What went wrong at a provider, in words that a user may read: never the provider's own text, which can quote keys and prompts.

import { UserError, type ErrorCode } from '../platform/errors.ts';

/**
 * What follows from a failure of each code. `retryable`: the same request may succeed later; `fallsBack`: another model is
 * asked; `opensCircuit`: it counts towards leaving the model alone.
 */
export const failureRules = {
  /** It cannot be reached, fails, or answers what is no answer. */
  PROVIDER_UNAVAILABLE: { retryable: true, fallsBack: true, opensCircuit: true },
  TIMEOUT: { retryable: true, fallsBack: true, opensCircuit: true },
  RATE_LIMITED: { retryable: true, fallsBack: true, opensCircuit: true },
  /** Nobody was called, and for a while nobody is. */
  CIRCUIT_OPEN: { retryable: true, fallsBack: true, opensCircuit: false },
  /** Another model may have a larger window. */
  CONTEXT_TOO_LONG: { retryable: false, fallsBack: true, opensCircuit: false },
  /** The key, the request or its content: somebody has to change something, which another model would only hide. */
  PROVIDER_REJECTED: { retryable: false, fallsBack: false, opensCircuit: false },
} as const satisfies Record<ProviderFailureCode, { retryable: boolean; fallsBack: boolean; opensCircuit: boolean }>;

/** The codes that a failed model call is reported with. */
export type ProviderFailureCode = Extract<ErrorCode, 'PROVIDER_UNAVAILABLE' | 'PROVIDER_REJECTED' | 'RATE_LIMITED' | 'TIMEOUT' | 'CONTEXT_TOO_LONG' | 'CIRCUIT_OPEN'>;

/** A classified failure; `retryable` as its code's rule says, `retryAfterMs` when, if the provider said so. */
export interface ProviderFailure {
  readonly code: ProviderFailureCode;
  readonly retryable: boolean;
  readonly message: string;
  readonly retryAfterMs: number | null;
}

/** The provider broke off what it said, or said what is no answer. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** The provider withheld the answer because of its content. */
export class FilteredError extends Error {
  override readonly name = 'FilteredError';
}

/** A call took longer than one may. */
export class CallTimedOutError extends Error {
  override readonly name = 'CallTimedOutError';
}

/** The provider refused or failed, with what classifyProviderError reads of it, as LangChain's clients tell it. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly status: number;
  readonly headers: Headers;
  /** `error` of the JSON that it answered, else all of it. */
  readonly error: unknown;

  constructor({ status, headers = new Headers() }: { readonly status: number; readonly headers?: Headers }, body: string) {
    super(`The provider answered ${status}.`);
    this.status = status;
    this.headers = headers;
    this.error = errorIn(body);
  }
}

function errorIn(body: string): unknown {
  try {
    const json: unknown = JSON.parse(body);
    return fieldsOf(json)['error'] ?? json;
  } catch {
    return body;
  }
}

/** No provider that was asked has answered; `cause` says what sort of failure that was, without the provider's words. */
export class ProviderError extends UserError {
  readonly providerId: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Calls that were made, over all models. */
  readonly attempts: number;
  /** Milliseconds until it is worth another try, where that is known. */
  readonly retryAfterMs: number | null;

  constructor({ code, message, retryable, retryAfterMs }: ProviderFailure, { providerId, attempts, cause }: { providerId: string; attempts: number; cause: unknown }) {
    super(code, message, null, { cause: new FailureOutline(cause) });
    this.providerId = providerId;
    this.retryable = retryable;
    this.attempts = attempts;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Of what a provider said, and of what led to it, only what sort it is: its texts can quote keys and prompts. Fit to be logged. */
export class FailureOutline extends Error {
  override readonly name = 'FailureOutline';

  constructor(error: unknown) {
    const sorts: string[] = [];
    // A chain of causes may be a ring.
    for (let each = error; each instanceof Error && sorts.length < 8; each = each.cause) {
      const { code, status } = each as Error & Record<'code' | 'status', unknown>;
      const words = [each.constructor.name || 'Error', ...(typeof status === 'number' ? [status] : []), ...(typeof code === 'string' && codeWords.test(code) ? [code] : [])];
      sorts.push(words.join(' '));
    }
    super(sorts.join(', because of ') || 'nothing was thrown');
  }
}

/** Codes of this system and of providers, and nothing that could be a key. */
const codeWords = /^(?:E[A-Z_]{2,20}|(?:UND_)?ERR_[A-Z_]{2,40}|[a-z]{2,20}(?:_[a-z]{2,20}){0,5})$/;

/** No model of this id is known. */
export class UnknownModelError extends Error {
  override readonly name = 'UnknownModelError';
  readonly code = 'MODEL_UNKNOWN';
  readonly modelId: string;

  constructor(modelId: string) {
    super(`There is no model "${modelId}". Choose one of the listed models.`);
    this.modelId = modelId;
  }
}

/** The model is known but cannot be used: its provider has no key, or it cannot do what is asked of it. */
export class ModelNotConfiguredError extends Error {
  override readonly name = 'ModelNotConfiguredError';
  readonly code = 'MODEL_NOT_CONFIGURED';
  readonly modelId: string;

  constructor(modelId: string, message = `The model "${modelId}" needs an API key of its provider. Set the key, or choose another model.`) {
    super(message);
    this.modelId = modelId;
  }
}

/** Classifies whatever a model call threw; a caller that aborted the call itself should not ask. */
export function classifyProviderError(error: unknown): ProviderFailure {
  if (error instanceof ProviderError) return failure(error.code as ProviderFailureCode, error.message, error.retryAfterMs);
  if (error instanceof UnknownModelError || error instanceof ModelNotConfiguredError) return failure('PROVIDER_REJECTED', error.message);
  const facts = readFacts(error);
  if (facts.codes.some((code) => filterCodes.test(code))) {
    return failure('PROVIDER_REJECTED', 'The model provider withheld the answer because of its content. Ask in other words.');
  }
  if (facts.codes.some((code) => contextCodes.test(code)) || contextTexts.test(facts.text)) {
    return failure('CONTEXT_TOO_LONG', 'The conversation and its passages are too long for this model. Shorten them or choose a model with a larger context.');
  }
  if (facts.codes.some((code) => quotaCodes.test(code))) {
    return failure('PROVIDER_REJECTED', 'The quota at the model provider is used up. Check the plan and billing there.');
  }
  if (facts.codes.some((code) => keyCodes.test(code))) return keyRefused();
  if (facts.codes.includes('ForbiddenAddressError')) {
    return failure('PROVIDER_REJECTED', "The provider's base URL does not lead to a public address. Correct it, or ask the operator to allow its network.");
  }
  return byStatus(facts) ?? byKind(facts);
}

interface Facts {
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  /** The names and codes of the error, of what the provider answered, and of their causes. */
  readonly codes: readonly string[];
  /** For recognition only; it is never shown. */
  readonly text: string;
}

// What OpenAI, Azure, Anthropic, Gemini, vLLM and llama.cpp call it.
const filterCodes = /^(?:FilteredError|content_filter|content_policy_violation|ResponsibleAIPolicyViolation|ContentFilterFinishReasonError)$/;
const contextCodes = /^(?:context_length_exceeded|string_above_max_length|exceed_context_size_error|ContextOverflowError|request_too_large)$/;
const contextTexts = /maximum context length|exceeds? the (?:model's |available )?context|context window|prompt is too long|input is too long|input token count .{0,80}exceeds/i;
const quotaCodes = /^(?:insufficient_quota|billing_hard_limit_reached|billing_error)$/;
const keyCodes = /^(?:invalid_api_key|API_KEY_INVALID|authentication_error|UNAUTHENTICATED)$/;
const rateCodes = /^(?:rate_limit_exceeded|rate_limit_error|RESOURCE_EXHAUSTED)$/;
// Whoever asks aborted nothing: a client did so by itself.
const timeoutCodes = /^(?:AbortError|TimeoutError|CallTimedOutError|APIConnectionTimeoutError|timeout_error|DEADLINE_EXCEEDED|ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT)$/;

function byStatus({ status, retryAfterMs }: Facts): ProviderFailure | undefined {
  if (status === null || status < 400) return undefined;
  if (status === 429) return tooMany(retryAfterMs);
  if (status === 408 || status === 504) return tooSlow();
  if (status === 409 || status >= 500) return unavailable(retryAfterMs);
  if (status === 401 || status === 403) return keyRefused();
  if (status === 404) return failure('PROVIDER_REJECTED', 'The model provider does not know this model. Check its name and the base URL.');
  if (status === 413) return failure('CONTEXT_TOO_LONG', 'The request is too large for the model provider. Shorten the message or use fewer passages.');
  return failure('PROVIDER_REJECTED', 'The model provider refused the request. Check the settings of the model.');
}

/** Failures without a status: of the connection, and those that come within a stream. */
function byKind({ codes, retryAfterMs }: Facts): ProviderFailure {
  if (codes.some((code) => timeoutCodes.test(code))) return tooSlow();
  if (codes.some((code) => rateCodes.test(code))) return tooMany(retryAfterMs);
  // A line that breaks, or whatever an SDK makes of an answer that is none.
  return unavailable(retryAfterMs);
}

/** The circuit of a model is open: nobody was called. */
export function circuitOpen(retryAfterMs: number): ProviderFailure {
  return failure('CIRCUIT_OPEN', `The model provider has failed several times in a row and is left alone for a moment. Try again ${inSeconds(retryAfterMs)}.`, retryAfterMs);
}

const inSeconds = (milliseconds: number | null): string => {
  if (milliseconds === null) return 'in a moment';
  const seconds = Math.max(1, Math.ceil(milliseconds / 1_000));
  return seconds === 1 ? 'in a second' : `in ${seconds} seconds`;
};

const keyRefused = (): ProviderFailure => failure('PROVIDER_REJECTED', 'The model provider did not accept the API key. Check the key and what it may use.');
const tooSlow = (): ProviderFailure => failure('TIMEOUT', 'The model provider did not answer in time. Try again in a moment.');
const tooMany = (retryAfterMs: number | null): ProviderFailure =>
  failure('RATE_LIMITED', `The model provider receives too many requests. Try again ${inSeconds(retryAfterMs)}.`, retryAfterMs);
const unavailable = (retryAfterMs: number | null): ProviderFailure =>
  failure('PROVIDER_UNAVAILABLE', `The model provider cannot be reached or is failing. Try again ${inSeconds(retryAfterMs)}.`, retryAfterMs);

function failure(code: ProviderFailureCode, message: string, retryAfterMs: number | null = null): ProviderFailure {
  return { code, retryable: failureRules[code].retryable, message, retryAfterMs };
}

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});

function readFacts(error: unknown): Facts {
  const codes: string[] = [];
  const texts: string[] = [];
  let status: number | null = null;
  let retryAfterMs: number | null = null;
  let current: unknown = error;
  // Causes are chained (client → fetch → socket); a cycle must not hold us.
  for (let depth = 0; depth < 6 && typeof current === 'object' && current !== null; depth++) {
    const fields = current as Fields;
    const answered = fieldsOf(fields['error']);
    // Anthropic's answer holds its error within.
    const within = fieldsOf(answered['error']);
    const details = [answered['details'], within['details']].flatMap((list) => (Array.isArray(list) ? list.map(fieldsOf) : []));
    const kind = typeof current.constructor === 'function' ? current.constructor.name : undefined;
    for (const value of [fields['name'], kind, ...[fields, answered, within].flatMap(({ code, type, status }) => [code, type, status]), ...details.map(({ reason }) => reason)]) {
      if (typeof value === 'string') codes.push(value);
    }
    for (const { message } of [fields, answered, within]) if (typeof message === 'string') texts.push(message);
    if (status === null && typeof fields['status'] === 'number') status = fields['status'];
    retryAfterMs ??= readRetryAfter(fields['headers']) ?? readRetryInfo(details);
    current = fields['cause'];
  }
  return { status, retryAfterMs, codes, text: texts.join('\n').slice(0, 10_000) };
}

/** The header Retry-After: seconds, or a date. */
function readRetryAfter(headers: unknown): number | null {
  const value = headers instanceof Headers ? headers.get('retry-after') : fieldsOf(headers)['retry-after'];
  if (typeof value !== 'string') return null;
  return readSeconds(value.trim()) ?? readDate(value);
}

/** What Gemini says in the body: https://cloud.google.com/apis/design/errors#error_details */
function readRetryInfo(details: readonly Fields[]): number | null {
  for (const { retryDelay } of details) if (typeof retryDelay === 'string' && retryDelay.endsWith('s')) return readSeconds(retryDelay.slice(0, -1));
  return null;
}

function readSeconds(text: string): number | null {
  return /^\d{1,9}(?:\.\d+)?$/.test(text) ? Math.ceil(Number(text) * 1_000) : null;
}

function readDate(text: string): number | null {
  const milliseconds = Date.parse(text) - Date.now();
  return Number.isNaN(milliseconds) ? null : Math.max(0, milliseconds);
}
