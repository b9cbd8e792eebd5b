// The samples of docs/extending.md do what the text beside them says.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { createSession } from '../support/chats.ts';

const sample = await vi.hoisted(async () => {
  const { mkdtempSync, readFileSync, rmSync, writeFileSync } = await import('node:fs');
  const { join } = await import('node:path');
  const text = readFileSync(join(import.meta.dirname, '../../docs/extending.md'), 'utf8');
  const section = /\n## A new provider\n(.*?)(?=\n## |$)/s.exec(text)?.[1] ?? '';
  const [adapter = '', line = ''] = [...section.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code as string);
  // Beside the tests, since others read all of src while this runs.
  const folder = mkdtempSync(join(import.meta.dirname, 'sample-'));
  const moved = (code: string): string => code.replaceAll("from './", "from '../../../src/models/");
  writeFileSync(join(folder, 'ollama.ts'), moved(adapter));
  const registered = readFileSync(join(import.meta.dirname, '../../src/models/registered.ts'), 'utf8');
  writeFileSync(join(folder, 'registered.ts'), `${moved(registered)}${line}`);
  return { adapter, line, registered: join(folder, 'registered.ts'), remove: () => rmSync(folder, { recursive: true, force: true }) };
});
vi.mock('../../src/models/registered.ts', () => import(sample.registered));

describe('a new provider', () => {
  const asked: { url: string | undefined; body: any }[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    const body = JSON.parse(text);
    asked.push({ url: request.url, body });
    if (body.model === 'broken') return void response.writeHead(503).end('{}');
    for (const content of ['Good ', 'day.']) response.write(`${JSON.stringify({ model: body.model, message: { role: 'assistant', content }, done: false })}\n`);
    response.end(`${JSON.stringify({ model: body.model, message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 11, eval_count: 4 })}\n`);
  });
  let parley: TestApp;
  let ada: TestUser;
  let models: readonly { id: string; name: string }[];
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    parley = await createTestApp({ PROVIDER_ALLOWED_NETWORKS: '127.0.0.1', RETRY_MAX_ATTEMPTS: '2', RETRY_BASE_DELAY_MS: '1' });
    ada = await parley.signUp('Ada');
    const { upsertProvider } = await ada.ask(
      `mutation ($url: String!) { upsertProvider(input: { name: "Here", kind: OLLAMA, baseUrl: $url, models: [{ name: "llama3:8b", capabilities: [CHAT, STREAMING] }, { name: "broken", capabilities: [CHAT] }] }) { provider { kind isConfigured models { id name } } userErrors { message } } }`,
      { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    );
    expect(upsertProvider).toMatchObject({ provider: { kind: 'OLLAMA', isConfigured: true }, userErrors: [] });
    ({ models } = upsertProvider.provider);
  });
  afterAll(async () => {
    sample.remove();
    await parley?.close();
    server.closeAllConnections();
    server.close();
  });

  /** Asks a model of the sample's, and waits for the end. */
  async function runOf(name: string) {
    const input = { name, systemPrompt: 'Be kind.', modelId: models.find((model) => model.name === name)?.id, fallbackModelIds: [], retrieval: { mode: 'OFF' } };
    const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input });
    expect(createProfile.userErrors).toEqual([]);
    const sessionId = await createSession(ada, createProfile.profile.id);
    const { runId, cursor } = await sendTo(ada, sessionId, 'Hello?');
    const stream = ada.subscribe('subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename ... on RunUpdated { runStatus } } }', { s: sessionId, a: cursor });
    await stream.until(({ chatEvents }) => ['SUCCEEDED', 'FAILED'].includes(chatEvents.runStatus));
    stream.stop();
    return (await ada.ask('query ($id: ID!) { run(id: $id) { status error { code } outputMessage { text } usage { inputTokens outputTokens estimated } attempts { succeeded } } }', { id: runId })).run;
  }

  it('is a file of at most 30 lines and a line that registers it', () => {
    const lines = sample.adapter.trimEnd().split('\n').length;
    console.info(`The sample has ${lines} lines.`);
    expect(lines).toBeGreaterThan(5);
    expect(lines).toBeLessThanOrEqual(30);
    expect(sample.line.trimEnd().split('\n')).toHaveLength(1);
  });

  it('is a kind of provider in the API', async () => {
    const { __type } = await ada.ask('{ __type(name: "ProviderKind") { enumValues { name description } } }');
    expect(__type.enumValues.map(({ name }: { name: string }) => name).sort()).toEqual(['ANTHROPIC', 'GEMINI', 'OFFLINE', 'OLLAMA', 'OPENAI', 'OPENAI_COMPATIBLE']);
    expect(__type.enumValues).toContainEqual({ name: 'OLLAMA', description: "Ollama's own protocol." });
  });

  it('answers, and its usage is counted', async () => {
    expect(await runOf('llama3:8b')).toEqual({ status: 'SUCCEEDED', error: null, outputMessage: { text: 'Good day.' }, usage: { inputTokens: 11, outputTokens: 4, estimated: false }, attempts: [{ succeeded: true }] });
    const messages = asked.find(({ body }) => body.model === 'llama3:8b')?.body.messages;
    expect([messages[0].role, messages.at(-1)]).toEqual(['system', { role: 'user', content: 'Hello?' }]);
    expect(asked[0]?.url).toBe('/api/chat');
  });

  it('fails as others do: it is asked again, and its failure has a code', async () => {
    expect(await runOf('broken')).toMatchObject({ status: 'FAILED', error: { code: 'PROVIDER_UNAVAILABLE' }, attempts: [{ succeeded: false }, { succeeded: false }] });
  });
});
