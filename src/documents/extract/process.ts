// Runs jobs in a child process that is killed when it takes too long or too much memory. One idle child is kept, because
// starting one takes longer than reading most documents; none is used again after a failure, nor for ever.
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ExtractionError } from './extracted.ts';
import type { Answer, Job } from './messages.ts';

/** What one job may cost. */
export interface Limits {
  readonly timeoutMs?: number;
  /** Resident memory of the child, its runtime (some 100 MB) included. */
  readonly memoryMb?: number;
  /** Aborting kills the child; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The answer to a job. Throws what the job failed of, TIMEOUT, or DOCUMENT_TOO_COMPLEX when memory ran out. */
export async function runJob(job: Job, { timeoutMs = 60_000, memoryMb = 1024, signal }: Limits = {}): Promise<unknown> {
  signal?.throwIfAborted();
  const reader = takeIdle(memoryMb, timeoutMs) ?? start(memoryMb, timeoutMs);
  const began = performance.now();
  const answer = await ask(reader, job, timeoutMs, signal);
  reader.jobs += 1;
  reader.busyMs += performance.now() - began;
  // Long work leaves memory behind, and uses up the processor time that the kernel allows.
  const isFit = !reader.gone && reader.jobs < jobsPerChild && reader.busyMs < timeoutMs / 2;
  if (answer.ok && isFit && idle === null) keep(reader);
  else kill(reader);
  if (answer.ok) return answer.value;
  const { code, message, retryable, pageCount, detail } = answer.error;
  throw new ExtractionError(code, message, { retryable, pageCount, cause: detail });
}

/** Kills every child; jobs under way fail with a retryable error. Later jobs start new ones. */
export async function closeReaders(): Promise<void> {
  idle = null;
  await Promise.all([...running].map(async (reader) => {
    reader.stopped ??= new ExtractionError('TIMEOUT', 'The service stopped while it read the document. It will be read again.', { retryable: true });
    // An idle child does not keep the process alive; waiting for its end must.
    reader.child.ref();
    kill(reader);
    await reader.exited;
  }));
}

interface Reader {
  readonly child: ChildProcess;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly exited: Promise<void>;
  jobs: number;
  busyMs: number;
  gone: boolean;
  /** Why it ended, or must. */
  stopped: unknown;
  idleTimer?: NodeJS.Timeout;
}

const jobsPerChild = 50;
const idleMs = 60_000;
const running = new Set<Reader>();
let idle: Reader | null = null;

function start(memoryMb: number, timeoutMs: number): Reader {
  const entry = fileURLToPath(new URL('./child.ts', import.meta.url));
  // A reader that a document takes over may read files, but not write any, start programs or load native code.
  const flags = [`--max-old-space-size=${Math.max(32, Math.floor(memoryMb * 0.75))}`, '--permission', '--allow-fs-read=*', '--no-warnings'];
  const child = fork(entry, [], {
    ...command(flags, timeoutMs),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // Nothing of this process' environment: it holds the secrets.
    env: process.env['TZ'] ? { TZ: process.env['TZ'] } : {},
  });
  const reader: Reader = {
    child, memoryMb, timeoutMs, jobs: 0, busyMs: 0, gone: false, stopped: undefined,
    exited: new Promise((resolve) => {
      const end = (code: number | null, killedBy: string | null) => {
        reader.gone = true;
        reader.stopped ??= code === null ? endedBy(killedBy, reader.memoryMb) : crashed(code);
        running.delete(reader);
        if (idle === reader) idle = null;
        resolve();
      };
      child.once('exit', end);
      child.once('error', (error) => {
        reader.stopped ??= error;
        if (child.pid === undefined) end(null, null);
      });
    }),
  };
  running.add(reader);
  return reader;
}

/** Where there is a shell, the kernel also limits processor time, so that a reader whose parent was killed does not run for ever. */
function command(flags: readonly string[], timeoutMs: number): { execPath: string; execArgv: string[] } {
  if (process.platform !== 'linux' || !existsSync('/bin/sh')) return { execPath: process.execPath, execArgv: [...flags] };
  // Several threads collect garbage, so the processor's time may run ahead of the clock's.
  const seconds = Math.ceil((timeoutMs / 1000) * 6) + 60;
  const script = `ulimit -c 0; ulimit -t ${seconds}; exec "$0" "$@"`;
  return { execPath: '/bin/sh', execArgv: ['-c', script, process.execPath, ...flags] };
}

function takeIdle(memoryMb: number, timeoutMs: number): Reader | null {
  const reader = idle;
  if (reader === null) return null;
  idle = null;
  clearTimeout(reader.idleTimer);
  if (reader.memoryMb !== memoryMb || reader.timeoutMs < timeoutMs || reader.gone) {
    kill(reader);
    return null;
  }
  reader.child.ref();
  reader.child.channel?.ref();
  return reader;
}

/** An idle child does not keep this process alive, and does not stay when nothing comes. */
function keep(reader: Reader): void {
  idle = reader;
  reader.child.unref();
  reader.child.channel?.unref();
  reader.idleTimer = setTimeout(() => {
    if (idle === reader) idle = null;
    kill(reader);
  }, idleMs).unref();
}

function kill(reader: Reader): void {
  if (!reader.gone) reader.child.kill('SIGKILL');
}

async function ask(reader: Reader, job: Job, timeoutMs: number, signal: AbortSignal | undefined): Promise<Answer> {
  const stop = (reason: unknown) => {
    reader.stopped ??= reason;
    kill(reader);
  };
  const onAbort = () => stop(signal?.reason);
  const timer = setTimeout(() => stop(tooSlow(timeoutMs)), timeoutMs);
  const watch = setInterval(() => {
    void residentMb(reader.child.pid).then((size) => {
      if (size > reader.memoryMb) stop(tooLarge(reader.memoryMb));
    });
  }, 50);
  signal?.addEventListener('abort', onAbort, { once: true });
  let onMessage: ((answer: Answer) => void) | undefined;
  try {
    const answered = new Promise<Answer>((resolve) => {
      onMessage = resolve;
      reader.child.once('message', onMessage);
    });
    reader.child.send(job, (error) => {
      if (error) kill(reader);
    });
    const answer = await Promise.race([answered, reader.exited]);
    if (answer && reader.stopped === undefined) return answer;
    await reader.exited;
    throw reader.stopped;
  } finally {
    clearTimeout(timer);
    clearInterval(watch);
    signal?.removeEventListener('abort', onAbort);
    if (onMessage) reader.child.off('message', onMessage);
  }
}

async function residentMb(pid: number | undefined): Promise<number> {
  if (pid === undefined || process.platform !== 'linux') return 0;
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}

function tooSlow(timeoutMs: number | null): ExtractionError {
  const time = timeoutMs === null ? 'too long' : `longer than ${timeoutMs / 1000} s`;
  return new ExtractionError('TIMEOUT',
    `Reading the document took ${time} and was stopped. Try again when less is going on, or upload it in parts.`, { retryable: true });
}

function tooLarge(memoryMb: number): ExtractionError {
  return new ExtractionError('DOCUMENT_TOO_COMPLEX',
    `Reading the document took more than ${memoryMb} MB of memory and was stopped. Upload its text alone, or in parts.`);
}

/** The runtime aborts when its heap is exhausted, and the kernel kills when its own memory is. */
function endedBy(signal: string | null, memoryMb: number): ExtractionError {
  return signal === 'SIGXCPU' ? tooSlow(null) : tooLarge(memoryMb);
}

function crashed(code: number): ExtractionError {
  return new ExtractionError('DOCUMENT_CORRUPT',
    'The document is damaged in a way that ended its reader. Save it again in its application and upload that file.', { cause: `exit code ${code}` });
}
