import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { envExample, environmentSchema, notesOf } from '../../src/platform/config-variables.ts';
import { ConfigError, loadConfig } from '../../src/platform/config.ts';
import { withEnvFiles } from '../../src/platform/env-files.ts';

const production = { NODE_ENV: 'production', JWT_SECRET_KEY: 'k'.repeat(32) };

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('settings', () => {
  it('need nothing: an empty environment gives a complete development server', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      environment: 'development', port: 4000, host: '127.0.0.1', dataDir: '.data', databaseUrl: null, redis: { url: null, poolSize: 1, commandTimeoutMs: 1000 },
      databasePoolSize: 10, jwtSecret: null, accessTokenSeconds: 900, refreshTokenSeconds: 30 * 86_400, role: 'all',
      workers: 1, seed: true, logLevel: 'info',
      uploads: { maxBytes: 26_214_400, maxFiles: 10 },
      extraction: { timeoutMs: 60_000, memoryMb: 1024 },
      retry: { maxAttempts: 3, baseDelayMs: 500, maxDelayMs: 10_000 },
    });
    expect(config.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(config.instanceId).toMatch(/^[0-9a-f]{8}$/);
    expect(config.allowedOrigins).toContain('http://localhost:3000');
  });

  it('treat an empty value like an absent one', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: '  ', HOST: '' }).port).toBe(4000);
  });

  it('name every fault at once, each with the variable, its value, what is allowed and what to do', () => {
    const faults = faultsOf({ ...production, PORT: 'x', SEED: 'maybe', UPLOAD_MAX_FILES: '0', ALLOWED_ORIGINS: '*' });
    expect(faults).toHaveLength(4);
    expect(faults[0]).toBe(
      'PORT is "x". Allowed: a whole number from 0 to 65535. Correct it, for example PORT=4000, or remove it.',
    );
    expect(() => loadConfig({ PORT: 'x', SEED: 'maybe' })).toThrow(/^2 settings are wrong:\n {2}- PORT .*\n {2}- SEED /);
  });

  it('never show a secret, even a wrong one', () => {
    const faults = faultsOf({
      NODE_ENV: 'production', DATABASE_URL: 'mysql://u:hunter2@h/d', REDIS_URL: 'hunter2', JWT_SECRET_KEY: 'hunter2',
      OPENAI_API_KEY: 'hunter2\nhunter2',
    });
    expect(faults).toHaveLength(4);
    expect(faults.join('\n')).not.toContain('hunter2');
  });

  it('mark every variable that holds a credential as secret', () => {
    for (const [name, schema] of Object.entries(environmentSchema.shape)) {
      if (/KEY|SECRET|(DATABASE|POSTGRES|REDIS)_URL/.test(name) && name !== 'LANGFUSE_PUBLIC_KEY') {
        expect(notesOf(schema).secret, name).toBe(true);
      }
    }
  });

  it('refuse the demo in production, whose password everybody knows', () => {
    const production = { NODE_ENV: 'production', JWT_SECRET_KEY: 'x'.repeat(32) };
    expect(() => loadConfig({ ...production, SEED: '1' })).toThrow('SEED is on in production');
    expect(loadConfig(production).seed).toBe(false);
  });

  it('require a signing secret of 32 characters in production and staging only', () => {
    for (const NODE_ENV of ['production', 'staging']) {
      expect(faultsOf({ NODE_ENV })).toEqual([expect.stringContaining('JWT_SECRET_KEY is absent')]);
      expect(faultsOf({ NODE_ENV, JWT_SECRET_KEY: 'short' })).toEqual([expect.stringContaining('has 5 characters')]);
    }
    expect(loadConfig({ JWT_SECRET_KEY: 'short' }).jwtSecret).toBe('short');
    expect(loadConfig(production)).toMatchObject({ host: '0.0.0.0', seed: false, allowedOrigins: [] });
  });

  it('accept POSTGRES_URL for DATABASE_URL and refuse two different ones', () => {
    const first = 'postgresql://a:b@localhost/one';
    expect(loadConfig({ POSTGRES_URL: first }).databaseUrl).toBe(first);
    expect(loadConfig({ POSTGRES_URL: first, DATABASE_URL: first }).databaseUrl).toBe(first);
    expect(faultsOf({ POSTGRES_URL: first, DATABASE_URL: `${first}2` })).toHaveLength(1);
  });

  it('refuse several processes without a shared PostgreSQL', () => {
    expect(faultsOf({ WORKERS: '2' })).toEqual([expect.stringContaining('WORKERS is 2 without DATABASE_URL')]);
    expect(faultsOf({ APP_ROLE: 'worker' })).toEqual([expect.stringContaining('APP_ROLE is "worker" without DATABASE_URL')]);
    const shared = { DATABASE_URL: 'postgres://localhost/parley' };
    expect(loadConfig({ ...shared, WORKERS: '2', APP_ROLE: 'worker' })).toMatchObject({ workers: 2, role: 'worker' });
    expect(loadConfig({ ...shared, WORKERS: 'auto' }).workers).toBe(availableParallelism());
    expect(loadConfig({ WORKERS: 'auto' }).workers).toBe(1);
  });

  it('read lifetimes with fractions', () => {
    const config = loadConfig({ JWT_ACCESS_TOKEN_EXPIRE_HOURS: '0.5', JWT_REFRESH_TOKEN_EXPIRE_DAYS: '1.5' });
    expect(config).toMatchObject({ accessTokenSeconds: 1800, refreshTokenSeconds: 129_600 });
  });

  it('take exact origins only, and any origin outside production only', () => {
    expect(loadConfig({ ...production, ALLOWED_ORIGINS: 'https://a.example, https://B.example:8443/' }).allowedOrigins)
      .toEqual(['https://a.example', 'https://b.example:8443']);
    expect(faultsOf({ ALLOWED_ORIGINS: 'a.example' })).toHaveLength(1);
    expect(faultsOf({ ALLOWED_ORIGINS: 'https://a.example/path' })).toHaveLength(1);
    expect(loadConfig({ ALLOWED_ORIGINS: '*' }).allowedOrigins).toEqual(['*']);
    expect(faultsOf({ ...production, ALLOWED_ORIGINS: '*' })).toHaveLength(1);
  });

  it('limit requests as the requirements say, adjustable by name, with "off" outside production', () => {
    expect(loadConfig(production).rateLimits).toMatchObject({
      send_message: { count: 30, seconds: 60 }, chat_events: { count: 20, seconds: 60 },
      register: { count: 10, seconds: 3600 }, login: { count: 20, seconds: 60 },
      default_day: { count: 200, seconds: 86_400 }, default_hour: { count: 50, seconds: 3600 },
    });
    expect(loadConfig({ ...production, NODE_ENV: 'staging' }).rateLimits).toMatchObject({ send_message: { count: 30 }, default_day: { count: 500 }, default_hour: { count: 100 } });
    for (const NODE_ENV of ['development', 'test']) expect(loadConfig({ NODE_ENV }).rateLimits).toMatchObject({ send_message: { count: 30_000 }, default_day: { count: 200_000 } });
    expect(loadConfig({ ...production, RATE_LIMIT_LOGIN: '5/30' }).rateLimits.login).toEqual({ count: 5, seconds: 30 });
    expect(loadConfig({ RATE_LIMIT_LOGIN: 'off' }).rateLimits.login).toBeNull();
    expect(faultsOf({ ...production, RATE_LIMIT_LOGIN: 'off' })).toHaveLength(1);
    expect(faultsOf({ RATE_LIMIT_LOGIN: '0/60', RATE_LIMIT_REGISTER: '5', RATE_LIMIT_HEALTH: '1/2073601' })).toHaveLength(3);
    expect(loadConfig({ RATE_LIMIT_HEALTH: '1/2073600' }).rateLimits.health).toEqual({ count: 1, seconds: 24 * 86_400 });
  });

  it('believe no proxy unless told how many there are', () => {
    expect(loadConfig({}).trustedProxies).toBe(0);
    expect(loadConfig({ TRUSTED_PROXIES: '2' }).trustedProxies).toBe(2);
    expect(faultsOf({ TRUSTED_PROXIES: 'all' })).toHaveLength(1);
  });

  it('notice a limit whose name is misspelt', () => {
    expect(faultsOf({ RATE_LIMIT_LOGINS: '1/1' })).toEqual([expect.stringContaining('RATE_LIMIT_LOGINS names no limit')]);
  });

  it('prefer LLM_API_KEY to OPENAI_API_KEY', () => {
    expect(loadConfig({ LLM_API_KEY: 'a', OPENAI_API_KEY: 'b' }).models.openaiApiKey).toBe('a');
    expect(loadConfig({ OPENAI_API_KEY: 'b' }).models.openaiApiKey).toBe('b');
  });

  it('are listed in .env.example exactly as the schema has them, all commented out, and every example is valid', () => {
    const file = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
    expect(file).toBe(envExample());
    expect(file.split('\n').every((line) => line === '' || line.startsWith('#'))).toBe(true);
    for (const [name, schema] of Object.entries(environmentSchema.shape)) {
      const { example } = notesOf(schema);
      if (example !== '') expect(schema.safeParse(example).success, `${name}=${example}`).toBe(true);
    }
  });
});

describe('files of settings', () => {
  it('load in the order .env.<env>.local, .env.<env>, .env.local, .env, beneath the real environment', () => {
    const directory = mkdtempSync(join(tmpdir(), 'parley-env-'));
    const write = (name: string, lines: string) => writeFileSync(join(directory, name), lines);
    write('.env', 'A=1\nB=1\nC=1\nD=1\nE=1 # a comment\nQ="two words"\n');
    write('.env.local', 'A=2\nB=2\nC=2\nD=2\n');
    write('.env.staging', 'A=3\nB=3\nC=3\n');
    write('.env.staging.local', 'A=4\nB=4\n');
    write('.env.production', 'A=never\n');
    expect(withEnvFiles({ NODE_ENV: 'staging', A: 'real', F: '' }, directory)).toEqual({
      NODE_ENV: 'staging', A: 'real', B: '4', C: '3', D: '2', E: '1', F: '', Q: 'two words',
    });
    expect(withEnvFiles({ A: '' }, directory)).toMatchObject({ A: '2' });
    rmSync(directory, { recursive: true });
  });

  it('are not needed', () => {
    expect(withEnvFiles({ PORT: '1' }, '/nonexistent')).toEqual({ PORT: '1' });
  });
});
