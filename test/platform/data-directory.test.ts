import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataDirectory } from '../../src/platform/data-directory.ts';
import { StartupError } from '../../src/platform/startup.ts';

const moduleUrl = new URL('../../src/platform/data-directory.ts', import.meta.url).href;

let directory: string;
let children: ChildProcess[];

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'parley-data-')), 'nested', 'data');
  children = [];
});
afterEach(async () => {
  for (const child of children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(join(directory, '..', '..'), { recursive: true });
});

/** Another process that tries to open the directory when told to, says how that went, and stays. */
async function startProcess() {
  const program = `
    const { openDataDirectory } = await import(${JSON.stringify(moduleUrl)});
    const input = process.stdin.setEncoding('utf8')[Symbol.asyncIterator]();
    process.stdout.write('ready');
    await input.next();
    await openDataDirectory(${JSON.stringify(directory)}).then(
      () => process.stdout.write('held'),
      (error) => process.stdout.write(error.name === 'StartupError' ? 'refused' : String(error.stack)),
    );
    await input.next();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const heard = async () => String((await once(child.stdout, 'data'))[0]);
  expect(await heard()).toBe('ready');
  return {
    child,
    open() {
      const answer = heard();
      child.stdin.write('go');
      return answer;
    },
    async kill() {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

describe('the data directory', () => {
  it('is made, with those above it, and can be opened again after it was closed', async () => {
    const first = await openDataDirectory(directory);
    expect(first.path).toBe(directory);
    await first.close();
    await first.close();
    const second = await openDataDirectory(directory);
    await second.close();
    expect(existsSync(directory)).toBe(true);
  });

  it('is refused to a second opening of the same process', async () => {
    const first = await openDataDirectory(directory);
    await expect(openDataDirectory(directory)).rejects.toThrow(StartupError);
    await expect(openDataDirectory(directory)).rejects.toThrow(/is in use/);
    await first.close();
  });

  it('is refused to a second process, with the id of the first and what to do', async () => {
    const other = await startProcess();
    expect(await other.open()).toBe('held');
    const error = await openDataDirectory(directory).then(() => undefined, (thrown: unknown) => thrown as StartupError);
    expect(error?.what).toMatch(new RegExp(`^The data directory ${directory} is in use by process ${other.child.pid} on `));
    expect(error?.whatToDo).toContain('DATABASE_URL');
  });

  it('goes to exactly one of several processes that start at once, also over the lock of one that was killed', async () => {
    const killed = await startProcess();
    expect(await killed.open()).toBe('held');
    await killed.kill();
    const starting = await Promise.all(Array.from({ length: 5 }, startProcess));
    const answers = await Promise.all(starting.map((each) => each.open()));
    expect(answers.toSorted()).toEqual(['held', 'refused', 'refused', 'refused', 'refused']);
  });

  it('is free at once after its process was killed, whatever its lock file says', async () => {
    const other = await startProcess();
    expect(await other.open()).toBe('held');
    await other.kill();
    // The process id may have been given to another program in the meantime.
    writeFileSync(join(directory, 'lock.holder.json'), JSON.stringify({ pid: process.pid }));
    const taken = await openDataDirectory(directory);
    await taken.close();
  });

  it('is kept while other programs look at the files in it', async () => {
    const other = await startProcess();
    expect(await other.open()).toBe('held');
    const look = spawn('cat', [join(directory, 'lock')]);
    await once(look, 'exit');
    await expect(openDataDirectory(directory)).rejects.toThrow(/is in use/);
  });

  it('is explained if a file stands in its place', async () => {
    const file = join(directory, '..', '..', 'file');
    writeFileSync(file, '');
    await expect(openDataDirectory(file)).rejects.toThrow(/A file stands in its place/);
    await expect(openDataDirectory(join(file, 'below'))).rejects.toThrow(/A file stands in its place/);
  });

  it('is explained if this user may not write it', async () => {
    mkdirSync(directory, { recursive: true, mode: 0o555 });
    const program = `
      const { openDataDirectory } = await import(${JSON.stringify(moduleUrl)});
      // Permissions do not bind the administrator.
      if (process.getuid() === 0) process.setuid(65534);
      await openDataDirectory(${JSON.stringify(directory)}).catch((error) => console.log(error.name, error.message));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    expect(await text(child.stdout)).toMatch(/^StartupError .* may not be read or written\. .*\(EACCES\)\. .*DATA_DIR/);
  });
});
