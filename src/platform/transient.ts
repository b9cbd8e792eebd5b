// Failures that say nothing of what was asked, only that the database was away for a moment.
import { setTimeout as sleep } from 'node:timers/promises';
import { GenericError } from './errors.ts';

/** SQLSTATEs of a server that stops, starts, is full, or gave the connection up: https://www.postgresql.org/docs/18/errcodes-appendix.html */
const away = /^(08\w{3}|57P0[1-5]|53300|25P03)$/;
const waitedTooLong = /timeout exceeded when trying to connect/i;
const network = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH']);

/** Whether the connection to the database failed, rather than the statement: trying again may help. */
export function isConnectionFailure(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = (each as { previous?: unknown }).previous ?? each.cause) {
    const { code } = each as { code?: unknown };
    if (typeof code === 'string' && (away.test(code) || network.has(code))) return true;
    if (waitedTooLong.test(each.message) || /connection (terminated|ended|closed)|Client has encountered a connection error/i.test(each.message)) return true;
    if (each instanceof AggregateError && each.errors.some(isConnectionFailure)) return true;
  }
  return false;
}

/** What a client may be told of such a failure; null of any other. */
export function connectionFailure(error: unknown): GenericError | null {
  if (!isConnectionFailure(error)) return null;
  return waitedTooLong.test((error as Error).message)
    ? new GenericError('TIMEOUT', 'Every connection to the database was in use for too long. Try again in a moment.', null, { cause: error })
    : new GenericError('PROVIDER_UNAVAILABLE', 'The database cannot be reached right now. Try again in a moment.', null, { cause: error });
}

const patienceMs = 30_000;
const retryMs = 200;

/** Does again, for up to half a minute, what failed because the database was away; `work` may thus be done twice. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isConnectionFailure(error) || performance.now() > until) throw error;
      await sleep(retryMs);
    }
  }
}
