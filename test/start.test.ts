// The first minutes with the program: starting it, stopping it, and what it says when it cannot start.
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { openAsBlob } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { password } from './support/app.ts';
import { freePort } from './support/postgres.ts';
import { runProgram, startProgram, type Ending, type Program } from './support/program.ts';

// biome-ignore lint: answers are read by the test that wrote the query.
type Data = any;

let folder: string;
const running = new Set<Program>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-start-'));
  // For the start by another user.
  await chmod(folder, 0o755);
});
afterAll(async () => {
  for (const program of running) await program.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function start(env: Record<string, string>): Promise<Program> {
  const program = await startProgram({ cwd: folder, env: { PORT: String(await freePort()), SEED: '0', ...env } });
  running.add(program);
  return program;
}

async function stop(program: Program, signal?: NodeJS.Signals): Promise<Ending & { seconds: number }> {
  running.delete(program);
  const began = performance.now();
  const ending = await program.stop(signal);
  return { ...ending, seconds: (performance.now() - began) / 1000 };
}

async function ask(program: Program, query: string, variables: object = {}, token?: string): Promise<Data> {
  const response = await fetch(`${program.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

const REGISTER = 'mutation ($input: RegisterInput!) { register(input: $input) { tokens { accessToken } userErrors { code } } }';
const LOGIN = 'mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } userErrors { code } } }';

describe('a first start', () => {
  let program: Program;
  let env: Record<string, string>;
  let firstSeconds: number;
  beforeAll(async () => {
    env = { DATA_DIR: join(folder, 'data'), PORT: String(await freePort()), SEED: '1' };
    program = await start(env);
    firstSeconds = secondsOf(program);
  });

  it('prints where everything is, and it is there', async () => {
    const { url, output } = program;
    expect(url).toBe(`http://127.0.0.1:${env['PORT']}`);
    for (const line of [`GraphiQL    ${url}/graphql`, `HTTP        ${url}/graphql`, `WebSocket   ws${url.slice(4)}/graphql`, `Readiness   ${url}/ready`, `Embedded: PGlite in ${env['DATA_DIR']}`]) {
      expect(output()).toContain(line);
    }
    expect(await (await fetch(`${url}/health`)).text()).toBe('{"status":"ok"}');
    expect((await fetch(`${url}/ready`)).status).toBe(200);
  });

  it('shows a demo: three profiles, three documents, three tasks, and a finished chat with citations', async () => {
    const { email, token } = await signInToDemo(program);
    const data = await ask(program, DEMO, {}, token);
    expect(data.profiles.totalCount).toBe(3);
    expect(data.documents.nodes.map((document: Data) => document.status)).toEqual(['READY', 'READY', 'READY']);
    expect(new Set(data.documents.nodes.map((document: Data) => document.mediaType)).size).toBe(3);
    expect(data.tasks.nodes.map((task: Data) => [task.status, Date.parse(task.dueAt) > Date.now()])).toEqual([['DONE', false], ['OPEN', false], ['OPEN', true]]);
    expect(data.chatSessions.totalCount).toBe(1);
    const [session] = data.chatSessions.nodes;
    expect(session).toMatchObject({ activeRun: null, runs: { nodes: [{ status: 'SUCCEEDED' }] } });
    const [question, answer] = session.messages.nodes;
    expect([question.role, answer.role, answer.status]).toEqual(['USER', 'ASSISTANT', 'COMPLETE']);
    expect(answer.citations.length).toBeGreaterThan(0);
    for (const { quote, location, document } of answer.citations) {
      expect(document.version.text.slice(location.startOffset, location.endOffset)).toBe(quote);
    }
    const page = await (await fetch(`${program.url}/graphql`, { headers: { accept: 'text/html' } })).text();
    const [, ofGraphiql = ''] = /Bearer ([\w.-]+)/.exec(page) ?? [];
    expect((await ask(program, '{ viewer { user { email } } }', {}, ofGraphiql)).viewer.user.email).toBe(email);
  });

  it('holds the directory: a second start there is refused', async () => {
    const second = await runProgram({ cwd: folder, env: { ...env, SEED: '0', PORT: String(await freePort()) } });
    expectExplained(second, `The data directory ${env['DATA_DIR']} is in use by process`, 'set DATA_DIR');
    expect((await fetch(`${program.url}/health`)).status).toBe(200);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('is ended by %s, and what was stored is there at the next start', async (signal) => {
    const email = `${signal.toLowerCase()}@example.test`;
    expect((await ask(program, REGISTER, { input: { email, password, name: 'Ada' } })).register.userErrors).toEqual([]);
    const { tokens } = (await ask(program, LOGIN, { input: { email, password } })).login;
    const ending = await stop(program, signal);
    expect([ending.code, ending.signal]).toEqual(signal === 'SIGKILL' ? [null, 'SIGKILL'] : [0, null]);
    expect(ending.seconds).toBeLessThan(5);
    expect(program.isRunning()).toBe(false);
    program = await start(env);
    expect((await ask(program, LOGIN, { input: { email, password } })).login.userErrors).toEqual([]);
    // Tokens outlive a restart, as their secret is kept in the directory.
    expect((await ask(program, '{ viewer { user { email } } }', {}, tokens.accessToken)).viewer.user.email).toBe(email);
    const demo = await signInToDemo(program);
    expect(await ask(program, DEMO, {}, demo.token)).toMatchObject({ documents: { totalCount: 3 }, tasks: { totalCount: 3 } });
    expect(secondsOf(program)).toBeLessThan(firstSeconds);
  });
});

describe.concurrent('a start that cannot be says what happened, why, and what to do', () => {
  it('when the port is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const DATA_DIR = await makeDataDirectory('port');
    const ending = await runProgram({ cwd: folder, env: { DATA_DIR, PORT: String(port), SEED: '0' } });
    taken.close();
    expectExplained(ending, `Port ${port} on 127.0.0.1 is taken.`, `PORT=${port + 1}`);
  });

  it('when the data directory is a file', async () => {
    const DATA_DIR = join(folder, 'file');
    await writeFile(DATA_DIR, '');
    expectExplained(await runProgram({ cwd: folder, env: { DATA_DIR } }), `The data directory ${DATA_DIR} cannot be made.`, 'set DATA_DIR to a directory');
  });

  it('when the data directory may not be written', async () => {
    const DATA_DIR = join(folder, 'forbidden');
    await mkdir(DATA_DIR, { mode: 0o555 });
    // The administrator may write everywhere: somebody else tries.
    const ending = await runProgram({ cwd: folder, env: { DATA_DIR }, ...(userInfo().uid === 0 && { uid: 65_534 }) });
    expectExplained(ending, `${DATA_DIR}`, 'give the directory to that user');
    expect(ending.output).toContain('EACCES');
  });

  it('when settings are wrong, all of them at once', async () => {
    const ending = await runProgram({
      cwd: folder,
      env: { PORT: 'http', WORKERS: '4', NODE_ENV: 'production', JWT_SECRET_KEY: 'too-short-to-be-shown', DATA_DIR: join(folder, 'never') },
    });
    expectExplained(ending, 'The settings cannot be used.', '.env.example');
    for (const part of ['PORT is "http"', 'WORKERS is 4 without DATABASE_URL', 'JWT_SECRET_KEY has 21 characters']) expect(ending.output).toContain(part);
    expect(ending.output).not.toContain('too-short-to-be-shown');
  });

  it('when the database does not answer', async () => {
    const port = await freePort();
    const ending = await runProgram({ cwd: folder, env: { DATABASE_URL: `postgres://parley:secret@127.0.0.1:${port}/parley` } });
    expectExplained(ending, `PostgreSQL at 127.0.0.1:${port}/parley cannot be reached.`, 'remove DATABASE_URL to use the embedded database');
    expect(ending.output).not.toContain('secret');
  });
});

describe('a start in production', () => {
  it('has no GraphiQL and seeds nothing', async () => {
    const program = await start({ NODE_ENV: 'production', HOST: '127.0.0.1', SEED: '', JWT_SECRET_KEY: 'a-secret-of-at-least-32-characters', DATA_DIR: await makeDataDirectory('production') });
    expect(program.output()).not.toMatch(/GraphiQL|Demo login/);
    expect((await fetch(`${program.url}/graphiql/`)).status).toBe(404);
    const page = await fetch(`${program.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(await page.text()).not.toMatch(/<html|Bearer/);
    expect((await stop(program)).code).toBe(0);
  });
});

const DEMO = `{
  profiles { totalCount }
  documents { totalCount nodes { status mediaType } }
  tasks(orderBy: { field: DUE_AT, direction: ASC }) { totalCount nodes { status dueAt } }
  chatSessions { totalCount nodes { activeRun { id } runs { nodes { status } } messages { nodes {
    role status citations { quote location { startOffset endOffset } document { version { text } } }
  } } } }
}`;

/** Signs in as the first screen says. */
async function signInToDemo(program: Program): Promise<{ email: string; token: string }> {
  const [, email = '', demoPassword = ''] = /Demo login: (\S+) \/ (\S+)/.exec(program.output()) ?? [];
  const { login } = await ask(program, LOGIN, { input: { email, password: demoPassword } });
  return { email, token: login.tokens.accessToken };
}

/** Three parts for a person, exit code 1, and no stack. */
function expectExplained({ code, output }: Ending, what: string, whatToDo: string): void {
  expect(output).toContain('Parley did not start.');
  expect(/What happened: (.*)/.exec(output)?.[1]).toContain(what);
  expect(output).toMatch(/Why: ./);
  expect(/What to do: (.*)/.exec(output)?.[1]).toContain(whatToDo);
  expect(output).not.toMatch(/^ {4}at /m);
  expect(code).toBe(1);
}

/** A data directory whose database is there already, so that a start takes a second. */
async function makeDataDirectory(name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  const database = await PGlite.create({ dataDir: join(path, 'database'), loadDataDir: await openAsBlob(inject('databaseTemplate')), extensions: { vector } });
  await database.close();
  return path;
}

function secondsOf(program: Program): number {
  return Number(/is ready \(([\d.]+) s\)/.exec(program.output())?.[1]);
}
