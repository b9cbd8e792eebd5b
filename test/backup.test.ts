// The backups of docker-compose.yml: the script itself, run by a shell in a folder of its own. pg_dump, pg_restore and sleep are
// stand-ins on its PATH, so that they can fail and take their time when the test wants.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readCompose } from './support/compose.ts';

const compose = readCompose({ JWT_SECRET_KEY: 'a', POSTGRES_PASSWORD: 'b', REDIS_PASSWORD: 'c' });
const script = fileURLToPath(new URL(`../${compose.configs['backup']?.file}`, import.meta.url));
const hour = 3_600_000;
const day = 24 * hour;

let folder: string;
let backups: string;
const running = new Set<number>();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-backup-'));
  backups = join(folder, 'backups');
  await mkdir(backups);
  await mkdir(join(folder, 'bin'));
  await pgDumpIs('echo "a whole dump" > "$file"');
  // Reads what pg_dump wrote, and believes only a whole one.
  await standIn('pg_restore', 'for last; do :; done; grep -q whole "$last"');
  // Of the five minutes between two looks.
  await standIn('sleep', `echo slept >> "${folder}/slept"; exec /bin/sleep 0.05`);
});
afterEach(async () => {
  for (const pid of running) process.kill(-pid, 'SIGKILL');
  running.clear();
  await rm(folder, { recursive: true, force: true });
});

it('a backup has its name only once it is complete, and nobody else may read it', async () => {
  await pgDumpIs(`echo "half of a" > "$file"; until [ -e "${folder}/go" ]; do /bin/sleep 0.02; done; echo "whole dump" >> "$file"`);
  const backup = run('once');
  await vi.waitFor(async () => expect(await readFile(join(backups, (await readdir(backups))[0] ?? ''), 'utf8')).toBe('half of a\n'), patience);
  expect(await dumps()).toEqual([]);
  await writeFile(join(folder, 'go'), '');
  expect(await backup.ending).toBe(0);
  const [name = ''] = await dumps();
  expect(name).toMatch(/^parley-\d{8}T\d{6}Z\.dump$/);
  expect(await readdir(backups)).toEqual([name]);
  expect(await readFile(join(backups, name), 'utf8')).toBe('half of a\nwhole dump\n');
  expect((await stat(join(backups, name))).mode & 0o777).toBe(0o600);
});

it.each([
  ['fails half-way', 'echo "half" > "$file"; exit 1'],
  ['writes what cannot be read again', 'echo "rubbish" > "$file"'],
  ['cannot be started', 'exit 127'],
])('a backup that %s leaves nothing behind, deletes nothing, and is seen until the next success', async (_, dump) => {
  const old = await keep(new Date(Date.now() - 100 * day));
  const newest = await keep(new Date(Date.now() - hour));
  expect((await health()).code).toBe(0);

  await pgDumpIs(dump);
  expect(await run('once').ending).toBe(1);
  expect(await dumps()).toEqual([old, newest]);
  expect(await readdir(backups)).toEqual(['FAILED', old, newest]);
  expect(await health()).toEqual({ code: 1, said: expect.stringMatching(/^The backup of \d{4}-\S+Z failed; the lines before this one in the log say why\.\n$/) });

  await pgDumpIs('echo "a whole dump" > "$file"');
  expect(await run('once').ending).toBe(0);
  expect(await health()).toEqual({ code: 0, said: 'The newest backup is 0 minutes old.\n' });
});

it('after a success, backups older than BACKUP_KEEP_DAYS and what a killed backup left are deleted, and nothing else', async () => {
  await keep(new Date(Date.now() - 8 * day));
  await keep(new Date(Date.now() - 7 * day - hour));
  const young = await keep(new Date(Date.now() - 7 * day + hour));
  await keep(new Date(Date.now() - 2 * day), '.partial-killed');
  await keep(new Date(Date.now() - hour), '.partial-under-way');
  await keep(new Date(Date.now() - 400 * day), 'before-the-move.dump');
  expect(await run('once', { BACKUP_KEEP_DAYS: '7' }).ending).toBe(0);
  const made = (await dumps()).at(-1) as string;
  expect(made > young).toBe(true);
  expect((await readdir(backups)).sort()).toEqual(['.partial-under-way', 'before-the-move.dump', young, made].sort());
});

it('a backup that is killed on its way is no backup', async () => {
  await pgDumpIs('echo "a whole" > "$file"; exec /bin/sleep 60');
  const backup = run('once');
  await vi.waitFor(async () => expect(await readdir(backups)).toHaveLength(1), patience);
  backup.kill('SIGTERM');
  expect(await backup.ending).toBe('SIGTERM');
  expect(await dumps()).toEqual([]);
});

it('a newest backup of more than two periods ago is unhealthy, and so is none', async () => {
  expect((await health()).code).toBe(1);
  await keep(new Date(Date.now() - 2 * day - hour));
  expect((await health()).code).toBe(1);
  expect((await health({ BACKUP_EVERY_HOURS: '36' })).code).toBe(0);
  await keep(new Date(Date.now() - 2 * day + hour));
  expect(await health()).toEqual({ code: 0, said: `The newest backup is ${47 * 60} minutes old.\n` });
});

it('the service makes one backup a period, and looks again every five minutes', async () => {
  run();
  await vi.waitFor(async () => expect(await dumps()).toHaveLength(1), patience);
  const looks = await looked();
  await vi.waitFor(async () => expect(await looked()).toBeGreaterThan(looks + 5), patience);
  const [first = ''] = await dumps();
  expect(await dumps()).toEqual([first]);

  // The next period.
  const before = new Date(Date.now() - day);
  await utimes(join(backups, first), before, before);
  await vi.waitFor(async () => expect((await stat(join(backups, (await dumps()).at(-1) as string))).mtime.getTime()).toBeGreaterThan(before.getTime()), patience);
  expect(await readFile(script, 'utf8')).toContain('sleep 300');
});

it('the service begins a period at BACKUP_HOUR', async () => {
  const now = new Date();
  const hoursAgo = (hours: number) => String(new Date(now.getTime() - hours * hour).getUTCHours()).padStart(2, '0');
  const last = new Date(now.getTime() - 2 * hour);
  await keep(last);
  // The hour of the last backup is over, and the next one is not there: nothing is due.
  const quiet = run(undefined, { BACKUP_HOUR: hoursAgo(3) });
  await vi.waitFor(async () => expect(await looked()).toBeGreaterThan(3), patience);
  expect(await dumps()).toHaveLength(1);
  quiet.kill('SIGKILL');
  await quiet.ending;
  // It began an hour ago.
  run(undefined, { BACKUP_HOUR: hoursAgo(1) });
  await vi.waitFor(async () => expect(await dumps()).toHaveLength(2), patience);
  // No octal number.
  for (const time of ['0', '00', '08', '23']) expect((await health({ BACKUP_HOUR: time })).code).toBe(0);
});

it('the service goes on after a failure, and tries again at the next look', async () => {
  await pgDumpIs(`[ -e "${folder}/go" ] || exit 1; echo "a whole dump" > "$file"`);
  run();
  await vi.waitFor(async () => expect(await looked()).toBeGreaterThan(3), patience);
  expect((await health()).code).toBe(1);
  expect(existsSync(join(backups, 'FAILED'))).toBe(true);
  await writeFile(join(folder, 'go'), '');
  await vi.waitFor(async () => expect((await health()).code).toBe(0), patience);
  expect(await dumps()).toHaveLength(1);
});

it('a misspelt order or no folder is told, and nothing is done', async () => {
  expect(await run('onec').ending).toBe(2);
  expect(await run('once', { BACKUP_DIRECTORY: '' }).ending).toBe(2);
  expect(await readdir(backups)).toEqual([]);
});

/** How long a test waits for what must come. */
const patience = { timeout: 20_000, interval: 20 };

interface Shell {
  /** The exit code, or the signal that ended it. */
  readonly ending: Promise<number | string>;
  readonly said: () => string;
  kill(signal: NodeJS.Signals): void;
}

function run(order?: string, env: Record<string, string> = {}): Shell {
  const child = spawn('sh', [script, ...(order === undefined ? [] : [order])], {
    env: { PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, BACKUP_DIRECTORY: backups, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    // A group of its own, so that nothing of it outlives the test.
    detached: true,
  });
  const pid = child.pid as number;
  running.add(pid);
  let said = '';
  child.stdout.on('data', (part: Buffer) => (said += part.toString()));
  return {
    said: () => said,
    kill: (signal) => void process.kill(-pid, signal),
    ending: once(child, 'close').then(([code, signal]) => {
      running.delete(pid);
      return (code ?? signal) as number | string;
    }),
  };
}

async function health(env: Record<string, string> = {}): Promise<{ code: number | string; said: string }> {
  const shell = run('health', env);
  return { code: await shell.ending, said: shell.said() };
}

async function standIn(name: string, body: string): Promise<void> {
  await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

/** What pg_dump does; the file that it is to write is `$file`. */
async function pgDumpIs(body: string): Promise<void> {
  await standIn('pg_dump', `[ "$1" = --format=custom ] || exit 99\nfile=\${2#--file=}\n${body}`);
}

/** A backup that was made at `time`; its name. */
async function keep(time: Date, name = `parley-${time.toISOString().replaceAll(/[-:]|\.\d+/g, '')}.dump`): Promise<string> {
  await writeFile(join(backups, name), 'a whole dump\n');
  await utimes(join(backups, name), time, time);
  return name;
}

async function dumps(): Promise<string[]> {
  return (await readdir(backups)).filter((name) => name.startsWith('parley-')).sort();
}

/** How often the service has looked whether a backup is due. */
async function looked(): Promise<number> {
  const path = join(folder, 'slept');
  return existsSync(path) ? (await readFile(path, 'utf8')).split('\n').length - 1 : 0;
}
