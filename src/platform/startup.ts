/**
 * Why a start failed, in three parts: what happened, why, and what to do. Known causes (a busy port, wrong settings,
 * a database that does not answer) get their own words; everything else stays an ordinary error with its stack.
 */
import { createServer } from 'node:net';
import { ConfigError } from './config.ts';
import type { Config } from './config.ts';

/** The three parts that a person at a terminal reads. */
export interface StartupFailure {
  readonly what: string;
  readonly why: string;
  readonly whatToDo: string;
}

/** A failure to start that already knows its three parts. */
export class StartupError extends Error implements StartupFailure {
  override readonly name = 'StartupError';
  readonly what: string;
  readonly why: string;
  readonly whatToDo: string;

  constructor({ what, why, whatToDo }: StartupFailure, options?: ErrorOptions) {
    super(`${what} ${why} ${whatToDo}`, options);
    this.what = what;
    this.why = why;
    this.whatToDo = whatToDo;
  }
}

type KnownConfig = Partial<Pick<Config, 'host' | 'port' | 'dataDir' | 'databaseUrl'>>;

/** The failure in three parts, found anywhere in the chain of causes; `null` if the cause is not a known one. */
export function explainStartupFailure(error: unknown, config: KnownConfig = {}): StartupFailure | null {
  for (const each of chainOf(error)) {
    const failure = explain(each, config);
    if (failure !== null) return failure;
  }
  return null;
}

/** Prints a failure for a person; an unknown one with its stack. */
export function printStartupFailure(
  error: unknown,
  config: KnownConfig = {},
  write: (text: string) => void = (text) => void process.stderr.write(text),
): void {
  const failure = explainStartupFailure(error, config);
  if (failure === null) {
    const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
    write(`\nParley did not start, for a reason it does not know.\n\n${details}\n\n`);
    return;
  }
  write(
    `\nParley did not start.\n\n  What happened: ${failure.what}\n  Why: ${failure.why}\n  What to do: ${failure.whatToDo}\n\n`,
  );
}

/** Rejects with the system's error, e.g. EADDRINUSE, when the port cannot be listened on. */
export function assertPortFree({ port, host }: { readonly port: number; readonly host: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}

interface SystemError extends Error {
  readonly code?: string;
  readonly syscall?: string;
  readonly path?: string;
  readonly address?: string;
  readonly hostname?: string;
  readonly port?: number;
}

/** An error, its causes and the errors it gathers, outermost first. */
function chainOf(error: unknown, depth = 0): SystemError[] {
  if (!(error instanceof Error) || depth > 8) return [];
  const gathered = error instanceof AggregateError ? error.errors : [];
  // MikroORM and others keep the driver's error under a name of their own.
  const { previous } = error as { previous?: unknown };
  return [error, ...[error.cause, previous, ...gathered].flatMap((each) => chainOf(each, depth + 1))];
}

function explain(error: SystemError, config: KnownConfig): StartupFailure | null {
  if (error instanceof StartupError) return error;
  if (error instanceof ConfigError) {
    return {
      what: 'The settings cannot be used.',
      why: error.message,
      whatToDo: 'correct them in the environment or in .env; .env.example describes each of them.',
    };
  }
  // Workers listen through their primary, which binds.
  if (error.syscall === 'listen' || error.syscall === 'bind') return explainListen(error, config);
  return explainDatabase(error, config) ?? explainConnection(error, config) ?? explainFiles(error, config);
}

function explainListen(error: SystemError, config: KnownConfig): StartupFailure | null {
  const port = error.port ?? config.port ?? 0;
  const address = error.address ?? config.host ?? '';
  switch (error.code) {
    case 'EADDRINUSE':
      return {
        what: `Port ${port} on ${address} is taken.`,
        why: 'Another program is listening there, perhaps a Parley that is still running.',
        whatToDo: `stop the other program, or choose another port: PORT=${port < 65_535 ? port + 1 : 4000} npm start`,
      };
    case 'EACCES':
    case 'EPERM':
      return {
        what: `Port ${port} may not be opened.`,
        why: port < 1024 ? 'Ports below 1024 are reserved for the administrator.' : 'The system forbids it.',
        whatToDo: 'choose a port above 1023 with PORT, and let a reverse proxy hold the low one.',
      };
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
      return {
        what: `The address ${address} cannot be listened on.`,
        why: 'It is not an address of this machine.',
        whatToDo: 'set HOST to 127.0.0.1 (this machine only) or 0.0.0.0 (all networks).',
      };
    default:
      return null;
  }
}

/** Refusals by a PostgreSQL that does answer: https://www.postgresql.org/docs/18/errcodes-appendix.html */
function explainDatabase(error: SystemError, config: KnownConfig): StartupFailure | null {
  const place = config.databaseUrl ? placeOf(config.databaseUrl) : 'the database';
  switch (error.code) {
    case '28P01':
    case '28000':
      return {
        what: `PostgreSQL at ${place} refused the user or the password.`,
        why: error.message,
        whatToDo: 'correct user and password in DATABASE_URL; a password with special characters must be percent-encoded.',
      };
    case '3D000':
      return {
        what: `PostgreSQL at ${place} has no database of that name.`,
        why: error.message,
        whatToDo: 'create it (createdb), or correct the name at the end of DATABASE_URL.',
      };
    case '42501':
      return {
        what: `PostgreSQL at ${place} does not let this user do what a start needs.`,
        why: error.message,
        whatToDo: 'make the user of DATABASE_URL the owner of the database.',
      };
    case '53300':
      return {
        what: `PostgreSQL at ${place} has no connection left.`,
        why: error.message,
        whatToDo: 'lower DATABASE_POOL_SIZE or WORKERS, or raise max_connections of PostgreSQL.',
      };
    default:
      break;
  }
  // PGlite names no cause: these are the two things it says of files that it cannot read.
  if (/^(PGlite failed to initialize properly|Aborted\(\))/.test(error.message) && !config.databaseUrl) {
    return {
      what: `The embedded database in ${config.dataDir ?? 'the data directory'} cannot be opened.`,
      why: 'Its files are damaged or were written by another version.',
      whatToDo: `restore a backup of that directory, or move it away to begin with an empty one: mv ${config.dataDir ?? 'DIR'} ${config.dataDir ?? 'DIR'}.old`,
    };
  }
  return null;
}

const unreachable: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing is listening there.',
  ENOTFOUND: 'The name of the host is not known.',
  EAI_AGAIN: 'The name of the host could not be looked up.',
  ETIMEDOUT: 'There was no answer in time.',
  EHOSTUNREACH: 'There is no route to the host.',
  ENETUNREACH: 'There is no route to its network.',
  ECONNRESET: 'The connection was cut while it was being opened.',
};

function explainConnection(error: SystemError, config: KnownConfig): StartupFailure | null {
  const why = unreachable[error.code ?? ''];
  const url = config.databaseUrl;
  if (why === undefined || !url || !isTarget(error, url)) return null;
  return {
    what: `PostgreSQL at ${placeOf(url)} cannot be reached.`,
    why: `${why} (${error.code})`,
    whatToDo: 'start PostgreSQL, correct DATABASE_URL, or remove DATABASE_URL to use the embedded database.',
  };
}

/** Whether a failed connection was one to this address. A failure to look a name up knows the name, most others the port. */
function isTarget(error: SystemError, url: string): boolean {
  const { hostname, port } = new URL(url);
  if (error.hostname !== undefined) return error.hostname === hostname;
  return error.port === undefined || error.port === Number(port || 5432);
}

function explainFiles(error: SystemError, config: KnownConfig): StartupFailure | null {
  const path = error.path ?? config.dataDir ?? 'the data directory';
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
      return {
        what: `${path} may not be read or written.`,
        why: `The user that runs Parley lacks the permission (${error.code}).`,
        whatToDo: 'give the directory to that user (chown), or set DATA_DIR to one that the user owns.',
      };
    case 'EROFS':
      return {
        what: `${path} cannot be written.`,
        why: 'It is on a read-only file system.',
        whatToDo: 'set DATA_DIR to a writable directory, or mount a volume there.',
      };
    case 'ENOSPC':
    case 'EDQUOT':
      return {
        what: `${path} cannot be written.`,
        why: 'The disk is full.',
        whatToDo: 'free some space, or set DATA_DIR to a directory on another disk.',
      };
    case 'EMFILE':
    case 'ENFILE':
      return {
        what: 'No more files can be opened.',
        why: `The limit of open files is reached (${error.code}).`,
        whatToDo: 'raise it: ulimit -n 65536',
      };
    default:
      return null;
  }
}

/** Host, port and path of an address: what may be shown of it. */
function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname === '/' ? '' : pathname}`;
}
