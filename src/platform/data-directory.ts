/**
 * The directory of the embedded database, for one process at a time. The embedded database does not lock its files: a
 * second process would lose its writes without a word. The lock is one of the operating system, taken through SQLite
 * (part of Node) on an empty file: the kernel gives it to exactly one process, also between containers that share the
 * volume, and takes it back when that process dies in whatever way, so that there is no stale lock to judge.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { explainStartupFailure, StartupError } from './startup.ts';

/** A directory that this process alone may use until `close`. */
export interface DataDirectory {
  /** Absolute. */
  readonly path: string;
  /** Lets another process have it; a second call does nothing. Dying does the same. */
  close(): Promise<void>;
}

/**
 * The locked file. Nothing but SQLite may open it within the holding process: closing any other handle of the file
 * would let go of the lock (that is how POSIX locks work).
 */
const lockName = 'lock';
/** Who holds the lock, for the message to the others; it has no other meaning. */
const holderName = 'lock.holder.json';

/** Makes the directory if it is absent and locks it. Throws `StartupError` if it is in use or cannot be written. */
export async function openDataDirectory(directory: string): Promise<DataDirectory> {
  const path = resolve(directory);
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await proveWritable(path);
  } catch (error) {
    throw new StartupError(explainDirectory(error as NodeJS.ErrnoException, path), { cause: error });
  }
  const lock = takeLock(path);
  await writeFile(join(path, holderName), JSON.stringify({ pid: process.pid, host: hostname(), since: new Date() }));
  let closing: Promise<void> | undefined;
  return {
    path,
    close() {
      closing ??= rm(join(path, holderName), { force: true }).finally(() => lock.close());
      return closing;
    },
  };
}

/** Writes and removes a file, since permissions alone do not tell of a full disk or a read-only mount. */
async function proveWritable(path: string): Promise<void> {
  const probe = join(path, `.probe-${randomUUID()}`);
  try {
    const file = await open(probe, 'wx');
    try {
      await file.write('writable');
    } finally {
      await file.close();
    }
  } finally {
    await rm(probe, { force: true });
  }
}

function takeLock(path: string): DatabaseSync {
  const lock = new DatabaseSync(join(path, lockName), { timeout: 0 });
  try {
    // Held until the handle is closed; nothing is ever written.
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    const inUse = (error as { errcode?: number }).errcode === 5; // SQLITE_BUSY
    throw new StartupError(
      inUse
        ? {
            what: `The data directory ${path} is in use${describeHolder(path)}.`,
            why: 'The embedded database can be used by one process at a time.',
            whatToDo: 'stop that process, set DATA_DIR to another directory, or set DATABASE_URL to share a PostgreSQL.',
          }
        : {
            what: `The data directory ${path} cannot be locked.`,
            why: `Its file system says: ${(error as Error).message}.`,
            whatToDo: 'set DATA_DIR to a directory on a local disk, or set DATABASE_URL to use PostgreSQL.',
          },
      { cause: error },
    );
  }
}

function describeHolder(path: string): string {
  try {
    const holder = JSON.parse(readFileSync(join(path, holderName), 'utf8')) as Record<'pid' | 'host' | 'since', unknown>;
    return ` by process ${holder.pid} on ${holder.host} since ${holder.since}`;
  } catch {
    // The other process has the lock but has not written its name yet.
    return ' by another process';
  }
}

function explainDirectory(error: NodeJS.ErrnoException, path: string) {
  if (error.code === 'EEXIST' || error.code === 'ENOTDIR') {
    return {
      what: `The data directory ${path} cannot be made.`,
      why: 'A file stands in its place.',
      whatToDo: 'set DATA_DIR to a directory, or move the file away.',
    };
  }
  return explainStartupFailure(error, { dataDir: path }) ?? {
    what: `The data directory ${path} cannot be written.`,
    why: error.message,
    whatToDo: 'set DATA_DIR to a directory that the user who runs Parley may write.',
  };
}
