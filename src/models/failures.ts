// What went wrong at a provider, in words that a user may read: never the provider's own text, which can quote keys and prompts.

import { UserError, type ErrorCode } from '../platform/errors.ts';

/** What follows from a failure of each code. */
export const failureRules = {
  /** It cannot be reached, fails, or answers what is no answer. */
  PROVIDER_UNAVAILABLE: { fallsBack: true, opensCircuit: true },
  TIMEOUT: { fallsBack: true, opensCircuit: true },
  RATE_LIMITED: { fallsBack: true, opensCircuit: true },
  /** Nobody was called. */
  CIRCUIT_OPEN: { fallsBack: true, opensCircuit: false },
  /** Another model may have a larger window. */
  CONTEXT_TOO_LONG: { fallsBack: true, opensCircuit: false },
  /** The key, the request or its content: somebody has to change something, which another model would only hide. */
  PROVIDER_REJECTED: { fallsBack: false, opensCircuit: false },
} as const satisfies Record<ProviderFailureCode, { fallsBack: boolean; opensCircuit: boolean }>;

/** The codes that a failed model call is reported with. */
export type ProviderFailureCode = Extract<ErrorCode, 'PROVIDER_UNAVAILABLE' | 'PROVIDER_REJECTED' | 'RATE_LIMITED' | 'TIMEOUT' | 'CONTEXT_TOO_LONG' | 'CIRCUIT_OPEN'>;

/** A classified failure; `retryable` says whether the same request may succeed later, `retryAfterMs` when, if the provider said so. */
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

/** No provider that was asked has answered; `cause` holds what it said, which nobody may see. */
export class ProviderError extends UserError {
  readonly providerId: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Calls that were made, over all models. */
  readonly attempts: number;

  constructor({ code, message, retryable }: ProviderFailure, { providerId, attempts, cause }: { providerId: string; attempts: number; cause: unknown }) {
    super(code, message, null, { cause });
    this.providerId = providerId;
    this.retryable = retryable;
    this.attempts = attempts;
  }
}

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
  if (error instanceof ProviderError) return { code: error.code as ProviderFailureCode, retryable: error.retryable, message: error.message, retryAfterMs: null };
  if (error instanceof FilteredError) return failure('PROVIDER_REJECTED', 'The model provider withheld the answer because of its content. Ask in other words.');
  const facts = readFacts(error);
  if (error instanceof UnknownModelError || error instanceof ModelNotConfiguredError) return failure('PROVIDER_REJECTED', error.message);
  if (facts.codes.some((code) => contextCodes.test(code)) || contextTexts.test(facts.text)) {
    return failure('CONTEXT_TOO_LONG', 'The conversation and its passages are too long for this model. Shorten them or choose a model with a larger context.');
  }
  if (facts.codes.some((code) => quotaCodes.test(code))) {
    return failure('PROVIDER_REJECTED', 'The quota at the model provider is used up. Check the plan and billing there.');
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

const contextCodes = /^(?:context_length_exceeded|string_above_max_length|ContextOverflowError)$/;
const contextTexts = /maximum context length|exceeds? the (?:model's )?context|context window|prompt is too long|input is too long/i;
const quotaCodes = /^(?:insufficient_quota|billing_hard_limit_reached)$/;
const timeoutCodes = /^(?:TimeoutError|CallTimedOutError|APIConnectionTimeoutError|ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT)$/;
const connectionCodes =
  /^(?:APIConnectionError|ECONNREFUSED|ECONNRESET|ECONNABORTED|ENOTFOUND|EAI_AGAIN|EPIPE|EHOSTUNREACH|ENETUNREACH|UND_ERR_SOCKET|ERR_STREAM_PREMATURE_CLOSE|server_error|api_error|overloaded_error|NoAnswerError|SyntaxError)$/;
const connectionTexts = /fetch failed|terminated|premature close|socket hang up|connection error/i;

function byStatus({ status, retryAfterMs }: Facts): ProviderFailure | undefined {
  if (status === null) return undefined;
  if (status === 429) {
    const when = retryAfterMs === null ? 'in a moment' : inSeconds(retryAfterMs);
    return failure('RATE_LIMITED', `The model provider receives too many requests. Try again ${when}.`, true, retryAfterMs);
  }
  if (status === 408 || status === 504) return tooSlow();
  if (status === 409 || status >= 500) return unavailable(retryAfterMs);
  if (status === 401 || status === 403) {
    return failure('PROVIDER_REJECTED', 'The model provider did not accept the API key. Check the key and what it may use.');
  }
  if (status === 404) return failure('PROVIDER_REJECTED', 'The model provider does not know this model. Check its name and the base URL.');
  if (status === 413) return failure('CONTEXT_TOO_LONG', 'The request is too large for the model provider. Shorten the message or use fewer passages.');
  return status >= 400 ? failure('PROVIDER_REJECTED', 'The model provider refused the request. Check the settings of the model.') : undefined;
}

function byKind({ codes, text }: Facts): ProviderFailure {
  if (codes.some((code) => timeoutCodes.test(code))) return tooSlow();
  if (codes.includes('rate_limit_exceeded')) {
    return failure('RATE_LIMITED', 'The model provider receives too many requests. Try again in a moment.', true);
  }
  if (codes.some((code) => connectionCodes.test(code)) || connectionTexts.test(text)) return unavailable(null);
  if (codes.includes('AbortError')) return failure('TIMEOUT', 'The request to the model was cancelled before it was answered.');
  return failure('PROVIDER_UNAVAILABLE', 'The model failed in an unexpected way. Try again, or choose another model.');
}

/** The circuit of a model is open: nobody was called. */
export function circuitOpen(retryAfterMs: number): ProviderFailure {
  const message = `The model provider has failed several times in a row and is left alone for a moment. Try again ${inSeconds(retryAfterMs)}.`;
  return failure('CIRCUIT_OPEN', message, true, retryAfterMs);
}

const inSeconds = (milliseconds: number): string => {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1_000));
  return seconds === 1 ? 'in a second' : `in ${seconds} seconds`;
};

const tooSlow = (): ProviderFailure => failure('TIMEOUT', 'The model provider did not answer in time. Try again in a moment.', true);
const unavailable = (retryAfterMs: number | null): ProviderFailure =>
  failure('PROVIDER_UNAVAILABLE', 'The model provider cannot be reached or is failing. Try again in a moment.', true, retryAfterMs);

function failure(code: ProviderFailureCode, message: string, retryable = false, retryAfterMs: number | null = null): ProviderFailure {
  return { code, retryable, message, retryAfterMs };
}

function readFacts(error: unknown): Facts {
  const codes: string[] = [];
  const texts: string[] = [];
  let status: number | null = null;
  let retryAfterMs: number | null = null;
  let current: unknown = error;
  // Causes are chained (client → fetch → socket); a cycle must not hold us.
  for (let depth = 0; depth < 6 && typeof current === 'object' && current !== null; depth++) {
    const fields = current as Readonly<Record<string, unknown>>;
    const answered = (typeof fields['error'] === 'object' && fields['error'] !== null ? fields['error'] : {}) as Readonly<Record<string, unknown>>;
    const kind = typeof current.constructor === 'function' ? current.constructor.name : undefined;
    for (const value of [fields['name'], kind, fields['code'], fields['type'], answered['code'], answered['type']]) {
      if (typeof value === 'string') codes.push(value);
    }
    for (const value of [fields['message'], answered['message']]) if (typeof value === 'string') texts.push(value);
    if (status === null && typeof fields['status'] === 'number') status = fields['status'];
    retryAfterMs ??= readRetryAfter(fields['headers']);
    current = fields['cause'];
  }
  return { status, retryAfterMs, codes, text: texts.join('\n').slice(0, 10_000) };
}

/** The header Retry-After: seconds, or a date. */
function readRetryAfter(headers: unknown): number | null {
  const value = headers instanceof Headers ? headers.get('retry-after') : (headers as Record<string, unknown> | undefined)?.['retry-after'];
  if (typeof value !== 'string' || value.trim() === '') return null;
  const milliseconds = Number.isNaN(Number(value)) ? Date.parse(value) - Date.now() : Number(value) * 1_000;
  return Number.isNaN(milliseconds) ? null : Math.max(0, milliseconds);
}
