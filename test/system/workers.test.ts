// WORKERS: several processes on one port, looked after by a primary.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { freePort } from '../support/postgres.ts';
import { runProgram } from '../support/program.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.close());

const start = (env: Record<string, string> = {}): Promise<Instance> => cluster.start({ WORKERS: '2', LOG_LEVEL: 'warn', ...env });

/** Asks on a connection of its own, so that the workers take turns. */
function ask(url: string, body?: object, token?: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { ...(body && { 'content-type': 'application/json' }), ...(token && { authorization: `Bearer ${token}` }) };
    const asking = request(url, { method: body ? 'POST' : 'GET', agent: new Agent({ keepAlive: false }), headers }, async (response) => {
      let text = '';
      for await (const part of response) text += part;
      resolve({ status: response.statusCode as number, text });
    });
    asking.on('error', reject).setTimeout(60_000, () => asking.destroy(new Error('There is no answer.')));
    const sent = body && JSON.stringify(body);
    if (sent) asking.setHeader('content-length', Buffer.byteLength(sent));
    asking.end(sent);
  });
}

/** The processes that answer, by their names. */
async function namesOf(instance: Instance, token: string): Promise<Set<string>> {
  const answers = await Promise.all(Array.from({ length: 12 }, () => ask(`${instance.url}/graphql`, { query: '{ status { instanceId } }' }, token)));
  return new Set(answers.map(({ text }) => JSON.parse(text).data.status.instanceId as string));
}

/** The workers' process ids, oldest first. */
function workersOf({ pid }: Instance): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number).sort((a, b) => a - b);
}

it('two workers share a port; one that is killed is replaced while the other answers; metrics count both; a stop ends all', { timeout: 180_000 }, async () => {
  const instance = await start({ REDIS_URL: '', RATE_LIMIT_HEALTH: '1/3600' });
  expect(instance.output().match(/is ready/g)).toHaveLength(1);
  expect(instance.output()).toContain('Processes: 2 on this port.');
  const ada = await instance.signUp();
  const names = await namesOf(instance, ada.accessToken);
  expect(names.size).toBe(2);

  // Without Redis each of them counts for itself: both let the first one pass.
  const healths = await Promise.all(Array.from({ length: 20 }, () => ask(`${instance.url}/health`)));
  expect(healths.filter(({ status }) => status === 200)).toHaveLength(2);
  for (const { status, text } of await Promise.all(Array.from({ length: 4 }, () => ask(`${instance.url}/metrics`)))) {
    expect(status).toBe(200);
    expect(text).toContain('parley_rate_limited_total{limit="health"} 18\n');
  }

  const [victim = 0, other = 0] = workersOf(instance);
  process.kill(victim, 'SIGKILL');
  let lost = 0;
  while (workersOf(instance).length < 2 || workersOf(instance).includes(victim)) {
    const answer = await ask(`${instance.url}/graphql`, { query: '{ health { state } }' }).catch(() => null);
    if (answer) expect(answer.status).toBe(200);
    else lost++;
    await sleep(20);
  }
  // Only what was on its way to the victim.
  expect(lost).toBeLessThanOrEqual(1);
  expect(workersOf(instance)).toContain(other);
  let now = await namesOf(instance, ada.accessToken);
  while (now.size < 2) now = await namesOf(instance, ada.accessToken);
  expect([...now].filter((name) => names.has(name))).toHaveLength(1);
  expect(instance.output()).toContain('a worker has ended; another is started');
  expect(instance.output().match(/is ready/g)).toHaveLength(1);

  const pids = [instance.pid, ...workersOf(instance)];
  expect(await instance.stop()).toMatchObject({ code: 0, signal: null });
  expect(pids.filter(isThere)).toEqual([]);
});

it('Ctrl+C, which a terminal sends to all of them and others pass on once more, ends them in order', { timeout: 120_000 }, async () => {
  const instance = await start();
  const pids = [instance.pid, ...workersOf(instance)];
  process.kill(-instance.pid, 'SIGINT');
  process.kill(-instance.pid, 'SIGTERM');
  expect(await instance.ending).toMatchObject({ code: 0, signal: null });
  expect(pids.filter(isThere)).toEqual([]);
});

it('workers that die again and again as soon as they start are given up, with the reason in the log', { timeout: 180_000 }, async () => {
  const instance = await start();
  const [, survivor = 0] = workersOf(instance);
  let over = false;
  void instance.ending.then(() => (over = true));
  while (!over) {
    for (const pid of isThere(instance.pid) ? workersOf(instance) : []) if (pid !== survivor) process.kill(pid, 'SIGKILL');
    await sleep(20);
  }
  const { code, output } = await instance.ending;
  expect(code).toBe(1);
  expect(output.match(/another is started/g)).toHaveLength(4);
  expect(output).toContain('Workers die as soon as they have started; giving up.');
  expect(isThere(survivor)).toBe(false);
});

it('a start that cannot be explains itself once, whether the primary or a worker finds out', { timeout: 120_000 }, async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  const busy = await runProgram({ cwd: tmpdir(), env: { WORKERS: '2', PORT: String(port), DATABASE_URL: cluster.databaseUrl } });
  taken.close();
  const gone = await freePort();
  const away = await runProgram({ cwd: tmpdir(), env: { WORKERS: '2', PORT: String(await freePort()), DATABASE_URL: `postgres://parley:secret@127.0.0.1:${gone}/parley` } });
  for (const [{ code, output }, what] of [[busy, `Port ${port} on 127.0.0.1 is taken.`], [away, `PostgreSQL at 127.0.0.1:${gone}/parley cannot be reached.`]] as const) {
    expect(output.match(/What happened: .*/g)).toEqual([`What happened: ${what}`]);
    expect(output).not.toMatch(/^ {4}at /m);
    expect(code).toBe(1);
  }
});

function isThere(pid: number): boolean {
  try {
    // A process that has ended and was not yet waited for is none.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
