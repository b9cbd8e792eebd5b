// A real redis-server of its own for a test, on a free port of this machine, that keeps nothing on disk.
import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './postgres.ts';

export interface TestRedis {
  /** For REDIS_URL. */
  readonly url: string;
  readonly port: number;
  /** SIGKILL; resolves when it is gone, with everything it held. */
  stop(): Promise<void>;
  /** Starts it again on the same port, empty; resolves when it answers. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay open, and nothing is answered until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends it for good. */
  close(): Promise<void>;
}

const startMs = 10_000;

/** Starts a server; `started: false` only takes the port, on which nothing listens until `start`. */
export async function startRedis({ started = true }: { started?: boolean } = {}): Promise<TestRedis> {
  const port = await freePort();
  let child: ChildProcess | null = null;
  const kill = (): void => void child?.kill('SIGKILL');

  const server: TestRedis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    async start() {
      let said = '';
      const own = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
        cwd: tmpdir(),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = own;
      own.stdout.on('data', (part: Buffer) => (said += part.toString()));
      own.stderr.on('data', (part: Buffer) => (said += part.toString()));
      own.on('error', (error) => (said += error.message));
      // A test that is ended early leaves no server behind.
      process.once('exit', kill);
      for (const end = Date.now() + startMs; !(await answers(port)); await sleep(20)) {
        if (own.pid === undefined || own.exitCode !== null || Date.now() > end) throw new Error(`Redis did not start on port ${port}:\n${said}`);
      }
    },
    async stop() {
      const own = child;
      child = null;
      process.off('exit', kill);
      if (!own || own.exitCode !== null || own.signalCode !== null) return;
      const gone = new Promise((resolve) => own.once('exit', resolve));
      own.kill('SIGKILL');
      await gone;
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    close: () => server.stop(),
  };
  if (started) await server.start();
  return server;
}

/** Whether a Redis says PONG there. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(500);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (data) => end(data.toString() === '+PONG\r\n'));
    socket.on('error', () => end(false));
    socket.on('timeout', () => end(false));
    socket.on('close', () => end(false));
  });
}
