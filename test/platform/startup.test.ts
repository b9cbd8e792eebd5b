import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/platform/config.ts';
import { explainStartupFailure, printStartupFailure, StartupError } from '../../src/platform/startup.ts';

/** The error that an attempt really gives. */
async function errorOf(attempt: () => Promise<unknown>): Promise<unknown> {
  return attempt().then(() => { throw new Error('It went well'); }, (error: unknown) => error);
}

async function listen(port: number, host: string) {
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => new Promise((done) => server.close(done)) };
}

describe('a failed start', () => {
  it('names the port that is taken and offers the next one', async () => {
    const first = await listen(0, '127.0.0.1');
    const failure = explainStartupFailure(await errorOf(() => listen(first.port, '127.0.0.1')));
    expect(failure?.what).toBe(`Port ${first.port} on 127.0.0.1 is taken.`);
    expect(failure?.whatToDo).toContain('PORT=');
    await first.close();
  });

  it('explains an address that is not of this machine', async () => {
    const failure = explainStartupFailure(await errorOf(() => listen(0, '192.0.2.1')));
    expect(failure?.whatToDo).toContain('HOST');
  });

  it('shows all wrong settings', () => {
    let error: unknown;
    try {
      loadConfig({ PORT: 'x', SEED: 'maybe' });
    } catch (thrown) {
      error = thrown;
    }
    expect(explainStartupFailure(error)?.why).toMatch(/PORT[^]*SEED/);
  });

  it('tells an unreachable PostgreSQL from other servers by the port, without showing the password', async () => {
    const gone = await listen(0, '127.0.0.1');
    await gone.close();
    const refused = await errorOf(async () => { await once(connect(gone.port, '127.0.0.1'), 'connect'); });
    const databaseUrl = `postgresql://parley:hunter2@127.0.0.1:${gone.port}/parley`;
    expect(explainStartupFailure(new Error('wrapped', { cause: refused }), { databaseUrl })).toEqual({
      what: `PostgreSQL at 127.0.0.1:${gone.port}/parley cannot be reached.`,
      why: 'Nothing is listening there. (ECONNREFUSED)',
      whatToDo: 'start PostgreSQL, correct DATABASE_URL, or remove DATABASE_URL to use the embedded database.',
    });
    expect(explainStartupFailure(refused, { databaseUrl: 'postgresql://127.0.0.1:1/parley' })).toBeNull();
    expect(explainStartupFailure(refused, { databaseUrl: null })).toBeNull();
  });

  it('takes refusals of two addresses of one host for one refusal', () => {
    const refused = (address: string) =>
      Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect', address, port: 5432 });
    const both = Object.assign(new AggregateError([refused('::1'), refused('127.0.0.1')]), { code: 'ECONNREFUSED' });
    expect(explainStartupFailure(both, { databaseUrl: 'postgres://localhost/parley' })?.what).toMatch(/^PostgreSQL at localhost/);
  });

  it.each([
    ['28P01', /percent-encoded/], ['3D000', /createdb/], ['53300', /DATABASE_POOL_SIZE/], ['42501', /owner/],
  ])('explains PostgreSQL error %s', (code, whatToDo) => {
    const failure = explainStartupFailure(Object.assign(new Error('refused'), { code }), { databaseUrl: 'postgres://db/parley' });
    expect(failure?.what).toContain('PostgreSQL at db/parley');
    expect(failure?.whatToDo).toMatch(whatToDo);
  });

  it.each(['EACCES', 'EROFS', 'ENOSPC'])('explains a data directory that cannot be written: %s', (code) => {
    const failure = explainStartupFailure(Object.assign(new Error(code), { code, path: '/data/x' }));
    expect(failure?.what).toContain('/data/x');
    expect(failure?.whatToDo).toContain('DATA_DIR');
  });

  it('explains damaged files of the embedded database', () => {
    const failure = explainStartupFailure(new Error('PGlite failed to initialize properly'), { dataDir: '.data', databaseUrl: null });
    expect(failure?.whatToDo).toContain('mv .data .data.old');
  });

  it('keeps the stack of an error that it does not know', () => {
    expect(explainStartupFailure(new Error('novel'))).toBeNull();
    expect(explainStartupFailure('novel')).toBeNull();
    let printed = '';
    printStartupFailure(new Error('novel'), {}, (each) => (printed += each));
    expect(printed).toContain('startup.test.ts');
  });

  it('prints a known failure in three parts without a stack', () => {
    let printed = '';
    const failure = { what: 'This happened.', why: 'That is why.', whatToDo: 'do this.' };
    printStartupFailure(new Error('outer', { cause: new StartupError(failure) }), {}, (each) => (printed += each));
    expect(printed).toBe(
      '\nParley did not start.\n\n  What happened: This happened.\n  Why: That is why.\n  What to do: do this.\n\n',
    );
  });
});

describe('the first file', () => {
  const root = mkdtempSync(join(tmpdir(), 'parley-start-'));
  /** Makes the Node of these tests believe that it is an old one. */
  const pretendOld = ['--import', 'data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"20.1.0"}})'];

  beforeAll(() => {
    mkdirSync(join(root, 'src'));
    writeFileSync(join(root, 'package.json'), '{"type":"module"}');
    copyFileSync(new URL('../../src/start.js', import.meta.url), join(root, 'src/start.js'));
    writeFileSync(
      join(root, 'src/main.ts'),
      `const status: number = Number(process.argv[2]);
       process.on('SIGTERM', () => process.exit(status + 1));
       console.log('main runs');
       if (process.argv[3] === 'stay') setInterval(() => {}, 1000); else process.exit(status);`,
    );
  });
  afterAll(() => rmSync(root, { recursive: true }));

  /** A Node in node_modules that differs from the running one: it drops the pretence and runs the real one. */
  function installNode() {
    mkdirSync(join(root, 'node_modules/node/bin'), { recursive: true });
    const binary = join(root, 'node_modules/node/bin/node');
    writeFileSync(binary, `#!/bin/sh\nshift 2\nexec '${process.execPath}' "$@"\n`);
    chmodSync(binary, 0o755);
  }

  function start(nodeArguments: readonly string[], ...programArguments: string[]) {
    const child = spawn(process.execPath, [...nodeArguments, 'src/start.js', ...programArguments], { cwd: root });
    return { child, out: text(child.stdout), err: text(child.stderr), exit: once(child, 'exit') };
  }

  it('starts the server under Node 24', async () => {
    const { out, exit } = start([], '0');
    expect(await exit).toEqual([0, null]);
    expect(await out).toBe('main runs\n');
  });

  it('says in three parts what to do when only an older Node is there, without a stack', async () => {
    const { err, exit } = start(pretendOld, '0');
    expect(await exit).toEqual([1, null]);
    expect(await err).toMatch(/What happened: Node 20\.1\.0 is too old[^]*Why: [^]*What to do: run npm ci, then npm start/);
    expect(await err).not.toMatch(/^\s+at /m);
  });

  it('hands over to the Node that npm ci installed, with arguments and exit code', async () => {
    installNode();
    const { out, exit } = start(pretendOld, '7');
    expect(await exit).toEqual([7, null]);
    expect(await out).toBe('main runs\n');
  });

  it('forwards a signal to the process that it handed over to', async () => {
    installNode();
    const { child, exit } = start(pretendOld, '7', 'stay');
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    expect(await exit).toEqual([8, null]);
  });

  it('says that packages are missing', async () => {
    writeFileSync(join(root, 'src/main.ts'), "import 'a-package-that-is-not-installed';");
    const { err, exit } = start([]);
    expect(await exit).toEqual([1, null]);
    expect(await err).toMatch(/a-package-that-is-not-installed[^]*run npm ci/);
  });
});
