import { describe, expect, it } from 'vitest';
import { createLog, withoutCredentials } from '../../src/platform/log.ts';

/** A log and the lines that it has written, each read back as JSON. */
function logToMemory(logLevel: 'info' | 'debug' = 'info') {
  const written: string[] = [];
  const log = createLog(
    { environment: 'production', logLevel, instanceId: 'abcd1234' },
    { write: (line: string) => void written.push(line) },
  );
  return { log, text: () => written.join(''), lines: () => written.map((line) => JSON.parse(line)) };
}

describe('the log', () => {
  it('writes one JSON object per line with time, level, instance and message', () => {
    const { log, lines } = logToMemory();
    log.debug('not written');
    log.info({ documentId: 'd1' }, 'Document indexed');
    expect(lines()).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), instance: 'abcd1234', documentId: 'd1', msg: 'Document indexed' },
    ]);
  });

  it.each([
    'authorization', 'cookie', 'set-cookie', 'password', 'newPassword', 'currentPassword', 'apiKey', 'openaiApiKey',
    'x-api-key', 'OPENAI_API_KEY', 'refreshToken', 'access_token', 'token', 'secret', 'jwtSecret', 'Authorization',
  ])('never writes a field named %s, at any depth, in lists and in bindings of a child', (field) => {
    const { log, text, lines } = logToMemory();
    log.info({ [field]: 'hunter2 "quoted" \\' });
    log.info({ a: { b: [{ c: { d: { e: { [field]: ['hunter2', 'x]"hunter2'] } } } }] }, after: 1 });
    log.child({ request: { [field]: 'hunter2' } }).info({ [field]: 42_424_242 });
    expect(text()).not.toContain('hunter2');
    expect(text()).not.toContain('42424242');
    expect(lines()[0][field]).toBe('[redacted]');
    expect(lines()[1].after).toBe(1);
  });

  it('keeps what only looks similar', () => {
    const { log, lines } = logToMemory();
    log.info({ tokens: 12, inputTokens: 7, key: 'value', monkey: 'yes', secretary: 'Ada' }, 'Used a token. A password is "asked":"for"');
    expect(lines()[0]).toMatchObject({
      tokens: 12, inputTokens: 7, key: 'value', monkey: 'yes', secretary: 'Ada', msg: 'Used a token. A password is "asked":"for"',
    });
  });

  it.each([
    ['Authorization: Bearer abc.def-ghi', 'abc.def'],
    ['Incorrect API key provided: sk-proj-abcdefgh12345678', 'abcdefgh12345678'],
    ['token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl expired', 'eyJzdWIiOiIxIn0'],
    ['connect to postgresql://parley:hunter2@db:5432/parley failed', 'hunter2'],
  ])('scrubs credentials within texts: %s', (message, secret) => {
    const { log, text } = logToMemory();
    log.info(message);
    log.error({ err: new Error('outer', { cause: new Error(message) }) }, 'failed');
    expect(text()).not.toContain(secret);
    expect(text()).toContain('[redacted]');
  });

  it('writes an error with its chain of causes and codes, and nothing else that hangs on it', () => {
    const { log, lines } = logToMemory();
    const root = Object.assign(new TypeError('root'), { code: 'ECONNREFUSED', request: { body: 'private' } });
    log.error(new Error('outer', { cause: new AggregateError([root], 'middle') }), 'Failed');
    expect(lines()[0].err).toMatchObject({
      type: 'Error',
      message: 'outer',
      stack: expect.stringContaining('log.test.ts'),
      cause: { type: 'AggregateError', message: 'middle', errors: [{ type: 'TypeError', message: 'root', code: 'ECONNREFUSED' }] },
    });
    expect(JSON.stringify(lines()[0])).not.toContain('private');
  });

  it('survives an error that is its own cause', () => {
    const { log, lines } = logToMemory();
    const error = new Error('loop');
    error.cause = error;
    log.error(error);
    expect(lines()[0].err.message).toBe('loop');
  });

  it('scrubs a line of a megabyte in linear time', { timeout: 60_000 }, () => {
    const line = JSON.stringify({ a: '"token":'.repeat(30_000), b: '\\"'.repeat(100_000), c: 'postgres://'.repeat(30_000) });
    // Of this thread alone, whatever else the machine does: some 50 ms, and minutes when the time grows with the square.
    const before = process.threadCpuUsage();
    expect(() => JSON.parse(withoutCredentials(line))).not.toThrow();
    expect(process.threadCpuUsage(before).user / 1_000).toBeLessThan(5_000);
  });
});
