// Reading in a process of its own: what it answers, what stops it, and what is left of it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { chunkElsewhere, close, extract } from '../../src/documents/extract.ts';
import { chunk } from '../../src/documents/chunk.ts';
import { bytes, docx, encryptedPdf, paragraph, pdf } from './fixtures.ts';

afterAll(close);

const readers = (): number[] => readersOf(process.pid);

/** The children of a process that read documents, zombies included. */
function readersOf(parentPid: number): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const [, state, parent] = /^\d+ \(.*\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return Number(parent) === parentPid && (state === 'Z' || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('extract/child.ts'));
    } catch {
      return false;
    }
  });
}

const prose = `Reading a document is the work of a process that may be stopped at any time. When it has taken too long, or when it wants
more memory than it was given, its parent ends it and says so. What it has read is sent back as one message, together with the words
that were counted and the language that was recognised, so that nothing else has to look at the file again.`;

const onLinux = process.platform === 'linux';
/** Reading this takes minutes and gigabytes: a million empty paragraphs. */
const endless = docx('<w:p/>'.repeat(1_000_000));

describe('a document is read', () => {
  test('with its type, its words, its language and, if asked, its chunks', async () => {
    const source = `# Title\n\n${prose}\n\n${prose}`;
    const document = await extract(bytes(source), { name: 'a.md', chunking: { chunkSize: 100, chunkOverlap: 20 } });
    expect(document).toMatchObject({ mediaType: 'text/markdown', text: source, wordCount: 147, language: 'en', metadata: { title: 'Title' } });
    expect(document.chunks).toEqual(chunk(document, { chunkSize: 100, chunkOverlap: 20 }));
    expect(await chunkElsewhere(document, { chunkSize: 50, chunkOverlap: 0 })).toEqual(chunk(document, { chunkSize: 50, chunkOverlap: 0 }));
  });

  test('dates and pages arrive as they are', async () => {
    const { pages, metadata } = await extract(pdf(['One.', 'Two.'], { info: { CreationDate: 'D:20240229120000Z' } }));
    expect(pages).toEqual([{ page: 1, start: 0 }, { page: 2, start: 6 }]);
    expect(metadata.documentCreatedAt).toEqual(new Date('2024-02-29T12:00:00Z'));
  });

  test('several at a time', async () => {
    const texts = await Promise.all(['one', 'two', 'three'].map((word) => extract(bytes(`Text ${word}.`))));
    expect(texts.map(({ text }) => text)).toEqual(['Text one.', 'Text two.', 'Text three.']);
  });
});

describe('a failure says what happened and what to do', () => {
  test.each([
    ['encrypted', encryptedPdf(), 'DOCUMENT_ENCRYPTED', /without one/],
    ['textless', pdf(['']), 'DOCUMENT_HAS_NO_TEXT', /OCR/],
    ['an empty file', new Uint8Array(), 'DOCUMENT_HAS_NO_TEXT', /no letter/],
    ['cut off', docx(paragraph('x')).subarray(0, 500), 'DOCUMENT_CORRUPT', /Save it again/],
    ['unsupported', new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]), 'UNSUPPORTED_MEDIA_TYPE', /gzip/],
  ])('%s', async (_, content, code, message) => {
    await expect(extract(content)).rejects.toMatchObject({ code, message: expect.stringMatching(message), retryable: false });
  });

  test('more text than a document may have is too complex', async () => {
    await expect(extract(new Uint8Array(21_000_000).fill(0x61))).rejects.toMatchObject({ code: 'DOCUMENT_TOO_COMPLEX' });
  });
});

describe('a reader that does not come to an end is killed', () => {
  test('when its time is up, and another try may help', async () => {
    await expect(extract(endless, { timeoutMs: 1000 })).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true, message: expect.stringMatching(/longer than 1 s/) });
    if (onLinux) expect(readers()).toEqual([]);
  });

  test('when it takes too much memory', { timeout: 150_000 }, async () => {
    await expect(extract(endless, { memoryMb: 200, timeoutMs: 120_000 })).rejects.toMatchObject({ code: 'DOCUMENT_TOO_COMPLEX', message: expect.stringMatching(/200 MB/) });
  });

  test('when its caller gives up', async () => {
    const caller = new AbortController();
    const reading = extract(endless, { signal: caller.signal });
    setTimeout(() => caller.abort(new Error('changed my mind')), 200);
    await expect(reading).rejects.toThrow('changed my mind');
    if (onLinux) expect(readers()).toEqual([]);
    await expect(extract(bytes('x'), { signal: caller.signal })).rejects.toThrow('changed my mind');
  });

  test('when the service closes, and later documents are read all the same', async () => {
    const reading = extract(endless);
    const outcome = expect(reading).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true });
    await close();
    await outcome;
    if (onLinux) expect(readers()).toEqual([]);
    expect((await extract(bytes('Still here.'))).text).toBe('Still here.');
  });
});

test.runIf(onLinux)('a reader is used again after a success and never after a failure', async () => {
  await close();
  await extract(bytes('one'));
  const [first] = readers();
  await extract(bytes('two'));
  expect(readers()).toEqual([first]);
  await expect(extract(new Uint8Array())).rejects.toThrow();
  await extract(bytes('three'));
  expect(readers()).not.toContain(first);
  await close();
  expect(readers()).toEqual([]);
});

test.runIf(onLinux)('a reader knows nothing of the environment', async () => {
  process.env['PARLEY_TEST_SECRET'] = 'secret';
  await close();
  await extract(bytes('x'));
  const environment = readFileSync(`/proc/${readers()[0]}/environ`, 'utf8');
  delete process.env['PARLEY_TEST_SECRET'];
  expect(environment).not.toContain('secret');
});

test.runIf(onLinux)('a reader ends with its parent', async () => {
  const script = `
    const { extract } = await import(${JSON.stringify(new URL('../../src/documents/extract.ts', import.meta.url).href)});
    await extract(new TextEncoder().encode('ready'));
    process.stdout.write('ready');
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(parent.stdout, 'data');
  const [reader] = readersOf(parent.pid!);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await expect.poll(() => existsSync(`/proc/${reader}`)).toBe(false);
});
