// Failures that say nothing of what was asked, only that the server was away for a moment.

/** SQLSTATEs of a server that stops, starts, or lost the connection; classes 08 and 57P. */
const away = /^(08\w{3}|57P0[1-4])$/;
const network = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH']);

/** Whether the connection to the database failed, rather than the statement: trying again may help. */
export function isConnectionFailure(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = (each as { previous?: unknown }).previous ?? each.cause) {
    const { code } = each as { code?: unknown };
    if (typeof code === 'string' && (away.test(code) || network.has(code))) return true;
    if (/connection (terminated|ended|closed)|Client has encountered a connection error|timeout exceeded when trying to connect/i.test(each.message)) return true;
    if (each instanceof AggregateError && each.errors.some(isConnectionFailure)) return true;
  }
  return false;
}
