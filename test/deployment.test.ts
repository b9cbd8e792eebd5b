// The files to deploy with, held against the Compose specification, the program's settings and each other. No container engine
// is asked: what only one can show is listed in docs/deployment.md.
import { Validator, type Schema } from '@cfworker/json-schema';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentSchema } from '../src/platform/config-variables.ts';
import { loadConfig } from '../src/platform/config.ts';
import { composeText, composeVariables, readCompose, type Service } from './support/compose.ts';
import { freePort, startPostgres, type TestPostgres } from './support/postgres.ts';
import { startProgram } from './support/program.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as { version: string } & Record<'dependencies' | 'devDependencies', Record<string, string>>;

const secrets = {
  JWT_SECRET_KEY: 'q2zS0cZk3mU8r1bT5vX7yA9dF4gH6jKp',
  POSTGRES_PASSWORD: '8d5f0a3c9b7e41f2a6d0c8b4e2f19735',
  REDIS_PASSWORD: '1c4e7a90b3d6f28579ace13b5d7f9024',
};
const compose = readCompose(secrets);
const services = Object.entries(compose.services);
const service = (name: string): Service => compose.services[name] as Service;

describe('docker-compose.yml', () => {
  const specification = new Validator(JSON.parse(read('test/support/compose-spec/compose-spec.json')) as Schema, '7', false);

  it('follows the Compose specification', () => {
    expect(specification.validate(parse(composeText, { merge: true })).errors).toEqual([]);
    expect(specification.validate(JSON.parse(JSON.stringify(compose))).errors).toEqual([]);
  });

  it('would be refused by the specification with a misspelt key or a wrong kind of value', () => {
    const withWorker = (change: object): object => ({ ...compose, services: { ...compose.services, worker: { ...service('worker'), ...change } } });
    for (const change of [{ helthcheck: {} }, { healthcheck: { retries: [3] } }, { deploy: { resources: { limits: { memory: ['3G'] } } } }, { configs: [{ from: 'backup' }] }]) {
      expect(specification.validate(withWorker(change)).valid).toBe(false);
    }
    expect(specification.validate(withWorker({})).valid).toBe(true);
  });

  it.each(Object.keys(secrets))('does not start without %s, and holds none itself', (name) => {
    for (const value of [undefined, '']) expect(() => readCompose({ ...secrets, [name]: value } as typeof secrets)).toThrow(`required variable ${name} is missing a value`);
    // Wherever it is asked for, it is required.
    expect(composeText.match(new RegExp(`\\$\\{?${name}\\b(?!:\\?)`))).toBeNull();
  });

  it('asks only for variables that .env.example or the guide explains, and the guide explains no others', () => {
    const own = [...read('docs/deployment.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name as string);
    expect(own.length).toBeGreaterThan(0);
    expect(composeVariables().filter((name) => !own.includes(name) && !Object.hasOwn(environmentSchema.shape, name))).toEqual([]);
    expect(own.filter((name) => !composeVariables().includes(name))).toEqual([]);
  });

  it.each(['api', 'worker'])('gives %s only settings that the program knows and accepts', (name) => {
    const environment = environmentOf(name);
    const explained = [...read('.env.example').matchAll(/^#([A-Z_]+)=/gm)].map(([, variable]) => variable);
    expect(Object.keys(environment).filter((variable) => !explained.includes(variable) || !Object.hasOwn(environmentSchema.shape, variable))).toEqual([]);
    expect(loadConfig(environment)).toMatchObject({
      environment: 'production',
      role: name,
      host: '0.0.0.0',
      port: 4000,
      databaseUrl: `postgresql://parley:${secrets.POSTGRES_PASSWORD}@postgres:5432/parley`,
      redis: { url: `redis://default:${secrets.REDIS_PASSWORD}@redis:6379` },
      jwtSecret: secrets.JWT_SECRET_KEY,
      seed: false,
    });
  });

  it('gives api and worker the file of providers where the program reads it, so that a change needs no other image', () => {
    expect(compose.configs['installation']).toEqual({ file: './config/config.json' });
    const workdir = /^WORKDIR (.*)$/m.exec(read('Dockerfile'))?.[1];
    for (const name of ['api', 'worker']) expect(service(name).configs).toEqual([{ source: 'installation', target: `${workdir}/config/config.json` }]);
    expect(loadConfig(environmentOf('api')).configFile).toBeNull();
  });

  it('names no server that is not one of its services', () => {
    const hosts = ['DATABASE_URL', 'REDIS_URL'].map((variable) => new URL(environmentOf('api')[variable] as string).hostname);
    expect([...hosts, service('backup').environment?.['PGHOST']]).toEqual(['postgres', 'redis', 'postgres']);
    expect(services.map(([name]) => name).sort()).toEqual(['api', 'backup', 'postgres', 'redis', 'worker']);
  });

  describe.each(services)('the service %s', (name, { image, build, user, init, restart, deploy, healthcheck, logging, ports = [], ...others }) => {
    it('runs an exact version', () => {
      if (build === undefined) expect(image).toMatch(/^[a-z/]+:\d+\.\d+\.\d+-[\w.-]+$/);
      else expect(image).toBe(`parley:${manifest.version}`);
    });

    it('runs without root, capabilities, new privileges, or a file system to write to', () => {
      expect(user).toMatch(/^(node|postgres|redis)$/);
      expect(others).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    });

    it('is bounded in memory, processors, processes and logs, and comes back after an end', () => {
      const { cpus, memory = '', pids } = deploy?.resources.limits ?? {};
      for (const bound of [Number(cpus), bytes(memory), pids]) expect(bound).toBeGreaterThan(0);
      expect({ init, restart, logging: logging?.options }).toEqual({ init: true, restart: 'unless-stopped', logging: { 'max-size': '10m', 'max-file': '5' } });
    });

    it('says how it is', () => {
      expect(healthcheck).toMatchObject({ interval: expect.stringMatching(/^\d+s$/), timeout: '5s', retries: expect.any(Number) });
      expect(healthcheck?.test[0]).toMatch(/^CMD(-SHELL)?$/);
    });

    it(name === 'api' ? 'is reached from this machine only' : 'is not reached from outside', () => {
      expect(ports).toEqual(name === 'api' ? [{ target: 4000, host_ip: '127.0.0.1', published: '4000-4007' }] : []);
    });
  });

  it('lets the database, Redis and the backups reach nothing outside', () => {
    expect(compose.networks['inside']).toEqual({ internal: true });
    expect(services.filter(([, { networks }]) => networks?.some((network) => network !== 'inside')).map(([name]) => name)).toEqual(['api', 'worker']);
  });

  it('starts instances when the database is there, and does not wait for Redis', () => {
    for (const name of ['api', 'worker']) expect(service(name).depends_on).toEqual({ postgres: { condition: 'service_healthy' }, redis: { condition: 'service_started' } });
  });

  it('leaves a stopping instance 5 s beyond what it drains for, and 30 s in all', () => {
    for (const name of ['api', 'worker']) {
      expect(service(name).stop_grace_period).toBe('30s');
      expect(loadConfig(environmentOf(name)).drainMs).toBe(25_000);
    }
  });

  it('has connections of PostgreSQL for twice the instances that it starts', () => {
    const most = Number(/-cmax_connections=(\d+)/.exec(service('postgres').command?.join(' ') ?? '')?.[1]);
    const instances = Number(service('api').deploy?.replicas) + Number(service('worker').deploy?.replicas);
    const whileStarting = 1;
    expect(2 * instances * (loadConfig(environmentOf('api')).databasePoolSize + whileStarting)).toBeLessThan(most);
    expect(instances).toBeGreaterThanOrEqual(3);
  });

  it('has a port for each instance of the api, and memory for two documents at a time in a worker', () => {
    const [first = 0, last = 0] = service('api').ports?.[0]?.published.split('-').map(Number) ?? [];
    expect(last - first + 1).toBeGreaterThanOrEqual(2 * Number(service('api').deploy?.replicas));
    const { memory = '' } = service('worker').deploy?.resources.limits ?? {};
    expect(bytes(memory)).toBeGreaterThanOrEqual((2 * loadConfig(environmentOf('worker')).extraction.memoryMb + 1024) * 1024 ** 2);
  });

  it('bounds the memory of Redis below that of its container, and lets it make room', async () => {
    const port = await freePort();
    const [program = '', ...flags] = service('redis').command ?? [];
    const server = spawn(program, [...flags, '--port', String(port), '--bind', '127.0.0.1', '--dir', tmpdir()], { stdio: 'ignore' });
    const [client, stranger] = [secrets.REDIS_PASSWORD, undefined].map((password) => new Redis({ port, ...(password && { password }) }).on('error', () => undefined)) as [Redis, Redis];
    try {
      const [, memory] = (await client.config('GET', 'maxmemory')) as string[];
      expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'allkeys-lru']);
      expect(await client.config('GET', 'save')).toEqual(['save', '']);
      expect(Number(memory)).toBe(256 * 1024 ** 2);
      expect(bytes(service('redis').deploy?.resources.limits.memory ?? '')).toBeGreaterThanOrEqual(2 * Number(memory));
      await expect(stranger.ping()).rejects.toThrow('NOAUTH');
    } finally {
      client.disconnect();
      stranger.disconnect();
      server.kill('SIGKILL');
      await once(server, 'close');
    }
  });

  it.each([['serves', 200, 0], ['drains or misses its database', 503, 1], ['does not listen', null, 1]] as const)(
    'takes an instance that %s for what it is',
    async (_, status, code) => {
      const [kind, program, ...args] = service('api').healthcheck?.test ?? [];
      expect([kind, program]).toEqual(['CMD', 'node']);
      expect(await checkHealth(args, '/ready', status)).toBe(code);
      expect(service('worker').healthcheck).toEqual(service('api').healthcheck);
    },
  );
});

describe('Dockerfile', () => {
  const lines = read('Dockerfile').replaceAll(/^#.*\n/gm, '').replaceAll('\\\n', ' ').split('\n').filter((line) => line !== '');
  const all = (instruction: string): string[] => lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));
  /** What is copied from this folder, not from another stage. */
  const copied = all('COPY').filter((line) => !line.startsWith('--from=')).flatMap((line) => line.split(' ').slice(0, -1));

  it('begins with exactly the Node that the tests run with', () => {
    const [base, ...others] = all('FROM');
    expect(base).toBe(`node:${manifest.devDependencies['node']}-trixie-slim AS base`);
    expect(others.map((line) => line.split(' ')[0])).toEqual(['base', 'base']);
    expect(read('src/start.js')).toContain(`neededMajor = ${Number.parseInt(manifest.devDependencies['node'] as string, 10)};`);
  });

  it('installs what package-lock.json says, without what only developers need, and needs no script of a package for it', () => {
    expect(all('RUN')).toContain('npm ci --omit=dev --ignore-scripts');
    const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }> };
    expect(Object.entries(packages).filter(([, { dev, hasInstallScript }]) => hasInstallScript && !dev)).toEqual([]);
  });

  it('runs node itself, not a shell that keeps signals back, and not as root', () => {
    expect(all('CMD').map((line) => JSON.parse(line))).toEqual([['node', 'src/start.js']]);
    expect(all('ENTRYPOINT')).toEqual([]);
    expect(all('USER')).toEqual(['node']);
    expect(lines.findIndex((line) => line.startsWith('USER '))).toBeGreaterThan(lines.findLastIndex((line) => /^(RUN|COPY|FROM) /.test(line)));
  });

  it('copies only what there is, and sends nothing else to the builder', () => {
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(copied).toContain('config');
    expect(read('.dockerignore').split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual(['*', ...[...new Set(copied)].map((path) => `!${path}`)]);
  });

  it.each([['answers', 200, 0], ['answers that it was asked too often', 429, 0], ['does not listen', null, 1]] as const)(
    'takes an instance that %s for alive or not',
    async (_, status, code) => {
      const [program, ...args] = JSON.parse(all('HEALTHCHECK')[0]?.split(' CMD ')[1] ?? '[]') as string[];
      expect(program).toBe('node');
      expect(await checkHealth(args, '/health', status)).toBe(code);
    },
  );

  describe('what it copies', () => {
    let postgres: TestPostgres;
    let image: string;
    beforeAll(async () => {
      postgres = await startPostgres();
      image = await mkdtemp(join(tmpdir(), 'parley-image-'));
      await chmod(image, 0o755);
      for (const path of copied) await cp(join(root, path), join(image, path), { recursive: true });
      // Of the packages only those that are installed without developers' ones.
      for (const name of Object.keys(manifest.dependencies)) {
        const link = join(image, 'node_modules', name);
        await mkdir(join(link, '..'), { recursive: true });
        await symlink(join(root, 'node_modules', name), link);
      }
    });
    afterAll(async () => {
      await postgres.close();
      await rm(image, { recursive: true, force: true });
    });

    it('is all that api and worker need to serve, as a user who may not write there, and to stop', async () => {
      const databaseUrl = await postgres.createDatabase('deployed');
      const uid = userInfo().uid === 0 ? { uid: 65_534 } : {};
      for (const name of ['api', 'worker']) {
        const env = { ...environmentOf(name), DATABASE_URL: databaseUrl, REDIS_URL: '', HOST: '127.0.0.1', PORT: String(await freePort()) };
        const program = await startProgram({ cwd: image, env, entry: join(image, 'src/start.js'), ...uid });
        try {
          expect((await fetch(`${program.url}/ready`)).status).toBe(200);
        } finally {
          expect(await program.stop()).toMatchObject({ code: 0, signal: null });
        }
      }
    }, 120_000);
  });
});

/** What Compose gives a service of Parley, without what an operator adds in .env. */
function environmentOf(name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(service(name).environment ?? {}).map(([key, value]) => [key, String(value)]));
}

/** Runs a health check's program while an instance answers `path` with `status`, or listens nowhere; the exit code. */
async function checkHealth(args: readonly string[], path: string, status: number | null): Promise<number> {
  const instance = status === null ? createServer() : createHttpServer((request, response) => response.writeHead(request.url === path ? status : 404).end());
  await new Promise<void>((resolve) => instance.listen(0, '127.0.0.1', resolve));
  const { port } = instance.address() as AddressInfo;
  if (status === null) instance.close();
  const child = spawn(join(root, 'node_modules/.bin/node'), args.map((part) => part.replace(':4000/', `:${port}/`)), { env: { PORT: String(port) }, stdio: 'ignore' });
  const [code] = (await once(child, 'close')) as [number];
  instance.close();
  return code;
}

/** "512M" in bytes; NaN for anything else. */
function bytes(size: string): number {
  const [, count, unit] = /^(\d+)([MG])$/.exec(size) ?? [];
  return Number(count) * 1024 ** (unit === 'M' ? 2 : 3);
}
