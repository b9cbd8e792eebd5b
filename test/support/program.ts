// The program as people start it: a process of its own in an empty folder, with nothing but the given environment.
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Program {
  readonly url: string;
  /** What it has printed so far. */
  readonly output: () => string;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Ending>;
  /** Whether it, or a process that it started, is still there. */
  readonly isRunning: () => boolean;
  readonly pid: number;
  readonly ending: Promise<Ending>;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

export interface ProgramOptions {
  readonly cwd: string;
  readonly env: Record<string, string>;
  /** The user that runs it, when the test may choose. */
  readonly uid?: number;
  /** Another file to start than the program's own. */
  readonly entry?: string;
}

const node = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
const program = fileURLToPath(new URL('../../src/start.js', import.meta.url));

/** Starts it and waits until it says that it is ready; rejects with its output when it ends before. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { child, output, ending } = launch(options);
  const pid = child.pid as number;
  const url = await new Promise<string>((resolve, reject) => {
    const look = (): void => {
      const found = /^ {2}Health +(\S+)\/health$/m.exec(output())?.[1];
      if (found) resolve(found);
    };
    child.stdout?.on('data', look);
    void ending.then(({ code }) => reject(new Error(`The program ended with ${code}:\n${output()}`)));
  });
  return {
    url,
    output,
    pid,
    ending,
    isRunning: () => {
      try {
        return process.kill(-(child.pid as number), 0);
      } catch {
        return false;
      }
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return await ending;
    },
  };
}

/** Runs it to its end, for starts that must fail. */
export async function runProgram(options: ProgramOptions): Promise<Ending> {
  return await launch(options).ending;
}

/** Starts it and does not wait for anything. */
export function launch({ cwd, env, uid, entry = program }: ProgramOptions): { child: ChildProcess; output: () => string; ending: Promise<Ending> } {
  let text = '';
  const child = spawn(node, [entry], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', LOG_LEVEL: 'error', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it leaves behind can be seen.
    detached: true,
    ...(uid !== undefined && { uid, gid: uid }),
  });
  child.stdout.on('data', (part: Buffer) => (text += part.toString()));
  child.stderr.on('data', (part: Buffer) => (text += part.toString()));
  const ending = new Promise<Ending>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, output: text }));
  });
  return { child, output: () => text, ending };
}
