// How a run can end other than by its answer.
import type { App } from '../context.ts';
import { NodeFailedError } from '../graph/errors.ts';
import { ProviderError } from '../models/failures.ts';
import { expectedErrors, UserError, type ErrorCode } from '../platform/errors.ts';
import type { Run, RunError } from './entity.ts';

/** Another instance, or a newer attempt, has the run: stop, and write nothing more. */
export class RunLostError extends Error {}
/** The run was cancelled by somebody who may. */
export class RunCancelledError extends Error {}
/** The run took longer than a run may. */
export class RunTimedOutError extends Error {}

/** The models were called for more tokens than one run may take. */
export class TokenLimitError extends UserError {
  constructor(tokens: number, maxTokens: number) {
    super('LIMIT_EXCEEDED', `The run has taken ${tokens} tokens, and one may take ${maxTokens}. Ask for less at once, or go on in a new chat.`);
  }
}

/** Why a run failed, fit to be shown; what was not expected is logged and masked. */
export function explain(app: App, run: Run, thrown: unknown): RunError {
  const node = thrown instanceof NodeFailedError ? thrown.nodeId : null;
  const cause = thrown instanceof NodeFailedError ? thrown.cause : thrown;
  const [expected] = expectedErrors(cause) ?? [];
  if (expected) {
    if (expected instanceof ProviderError) {
      const { code, providerId, attempts } = expected;
      app.log.warn({ runId: run.id, code, providerId, attempts, because: (expected.cause as Error).message }, 'a run failed, because no model answered');
    } else app.log.warn({ err: cause, runId: run.id }, 'a run failed');
    return runError(expected.code, expected.message, isRetryable(expected), node, run.id);
  }
  app.log.error({ err: cause, runId: run.id }, 'a run failed unexpectedly');
  return runError('INTERNAL', `Something went wrong on our side. Quote the run ${run.id} when you report it.`, true, node, run.id);
}

function isRetryable(error: UserError): boolean {
  return error instanceof ProviderError ? error.retryable : ['PROVIDER_UNAVAILABLE', 'RATE_LIMITED', 'TIMEOUT'].includes(error.code);
}

/** A run's error as it is stored. */
export function runError(code: ErrorCode, message: string, retryable: boolean, node: string | null, requestId: string): RunError {
  return { code, message, retryable, node, requestId };
}

