/**
 * The log: one JSON object per line on standard output; readable lines on a developer's terminal. Whatever is logged,
 * credentials do not leave the process: every finished line is searched for them, so that fields at any depth,
 * bindings of child loggers, messages and stacks of errors are all covered by the same two rules below.
 */
import { createRequire } from 'node:module';
import { pino, stdTimeFunctions, type DestinationStream, type Logger as PinoLogger } from 'pino';
import type { Config } from './config.ts';

/** Writes structured messages: `log.info({ documentId }, 'Document indexed')`; errors go under `err`. */
export type Logger = PinoLogger;

/** Opens the log of this process. `destination` is for tests; without it lines go to standard output. */
export function createLog(
  config: Pick<Config, 'environment' | 'logLevel' | 'instanceId'>,
  destination?: DestinationStream,
): Logger {
  return pino(
    {
      level: config.logLevel,
      base: { instance: config.instanceId },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError, error: describeError, cause: describeError },
      hooks: { streamWrite: withoutCredentials },
    },
    destination ?? (config.environment === 'development' ? prettyTerminal() : undefined) ?? pino.destination(1),
  );
}

/** An error as plain data with its chain of causes; other properties are left out, as they may hold whole requests. */
export function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { code, status, originalError, errors } = error as Error & Record<'code' | 'status' | 'originalError' | 'errors', unknown>;
  const cause = error.cause ?? originalError;
  return {
    type: error.constructor.name || error.name,
    message: error.message,
    ...(isScalar(code) && { code }),
    ...(isScalar(status) && { status }),
    stack: error.stack,
    ...(cause !== undefined && depth < 8 && { cause: describeError(cause, depth + 1) }),
    ...(Array.isArray(errors) && depth < 8 && { errors: errors.slice(0, 10).map((each) => describeError(each, depth + 1)) }),
  };
}

/** A finished line of JSON without credentials; it stays valid JSON. */
export function withoutCredentials(line: string): string {
  let clean = line;
  for (const fields of secretFields) clean = clean.replace(fields, '$1"[redacted]"');
  for (const [shape, replacement] of secretShapes) clean = clean.replace(shape, replacement);
  return clean;
}

/** A value of JSON that can be a credential: text, a number, or a list of such. Objects are searched by their own fields. */
const value = String.raw`(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|\[(?:[^"\[\]{}]|"(?:[^"\\]|\\.)*")*\])`;

/** Fields that are credentials by their name, whatever word stands before it: newPassword, x-api-key, refresh_token. */
const secretFields = [
  new RegExp(String.raw`("[\w-]*(?:authorization|cookie|password|passphrase|token|secret|apikey)":)${value}`, 'gi'),
  new RegExp(String.raw`("[\w-]*(?:[a-z0-9]Key|[_-]key|_KEY)":)${value}`, 'g'),
];

/** Credentials by their looks, anywhere in a text. None of these shapes holds a quote or a backslash. */
const secretShapes: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{4,}/gi, '$1 [redacted]'],
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, '[redacted]'],
  [/\b(?:sk-|pcsk_)[\w-]{8,}/g, '[redacted]'],
  [/\bAIza[\w-]{20,}/g, '[redacted]'],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/"\\]*):[^\s@/"\\]+@/gi, '$1:[redacted]@'],
];

function isScalar(given: unknown): given is string | number {
  return typeof given === 'string' || typeof given === 'number';
}

/** pino-pretty if this is a terminal and it is installed (it is not in production's image). */
function prettyTerminal(): DestinationStream | undefined {
  if (!process.stdout.isTTY) return undefined;
  try {
    const pretty = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
    return pretty({ sync: true, ignore: 'instance', translateTime: 'SYS:HH:MM:ss.l' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
