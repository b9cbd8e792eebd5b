// Every way in which a provider fails, for each vendor, through the whole product: how often it is called, what the person
// sees, and that nothing of what the provider said gets anywhere.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createModels, type Models } from '../../src/models/catalog.ts';
import { createCircuits, circuitRules } from '../../src/models/circuits.ts';
import { createOutbound, type Outbound } from '../../src/models/outbound.ts';
import { createProviderHealth } from '../../src/models/provider-health.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createLog } from '../../src/platform/log.ts';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { createSession } from '../support/chats.ts';
import { faults, goodAnswer, half, retryAfterSeconds, startFaultyVendors, vendors, type Fault, type FaultyVendors, type VendorId } from '../support/faulty-vendors.ts';
import { applyVersions, createStrictClient, EVENTS, isEnd } from '../support/strict.ts';

const maxAttempts = 3;
const baseDelayMs = 40;
const silenceLimitMs = 1_500;

/** What is promised for a fault: the calls of the model, the code, and what had been shown by then. */
const promises: Record<Fault, { readonly calls: number; readonly code: string | null; readonly retryable?: boolean; readonly shown: string; readonly fallsBack?: boolean }> = {
  good: { calls: 1, code: null, shown: goodAnswer },
  'http-401': { calls: 1, code: 'PROVIDER_REJECTED', retryable: false, shown: '', fallsBack: false },
  'http-429': { calls: maxAttempts, code: 'RATE_LIMITED', shown: '' },
  'http-500': { calls: maxAttempts, code: 'PROVIDER_UNAVAILABLE', shown: '' },
  'http-503': { calls: maxAttempts, code: 'PROVIDER_UNAVAILABLE', shown: '' },
  refused: { calls: maxAttempts, code: 'PROVIDER_UNAVAILABLE', shown: '' },
  hang: { calls: maxAttempts, code: 'TIMEOUT', shown: '' },
  // Once something was shown, the same model is not asked again.
  stall: { calls: 1, code: 'TIMEOUT', shown: half },
  cut: { calls: 1, code: 'PROVIDER_UNAVAILABLE', shown: half },
  malformed: { calls: 1, code: 'PROVIDER_UNAVAILABLE', shown: half },
  'bad-utf8': { calls: 1, code: null, shown: `${half}\uFFFD(\uFFFD` },
  empty: { calls: maxAttempts, code: 'PROVIDER_UNAVAILABLE', shown: '' },
  html: { calls: maxAttempts, code: 'PROVIDER_UNAVAILABLE', shown: '' },
  redirect: { calls: maxAttempts, code: 'PROVIDER_UNAVAILABLE', shown: '' },
};

let server: FaultyVendors;
let outbound: Outbound;
let parley: TestApp;
let ada: TestUser;
const logged: string[] = [];
beforeAll(async () => {
  server = await startFaultyVendors();
  const env = {
    RETRY_MAX_ATTEMPTS: String(maxAttempts), RETRY_BASE_DELAY_MS: String(baseDelayMs), RETRY_MAX_DELAY_MS: '5000',
    CIRCUIT_FAILURES: '1000', LOG_LEVEL: 'debug',
  };
  const config = loadConfig({ NODE_ENV: 'test', ...env });
  parley = await createTestApp(env, { log: createLog(config, { write: (line) => void logged.push(line) }) });
  outbound = createOutbound({ ...config.outbound, rules: { allowed: [], plainHttp: true } });
  const modelsWith = (limitMs: number) => createModels({ providers: server.providers, chatModelIds: [], embeddingModelIds: [] }, {
    outbound, retry: config.retry, limits: { ...config.calls, firstTokenMs: limitMs, silenceMs: limitMs }, circuits: createCircuits({ redis: null, rules: circuitRules(config) }), health: createProviderHealth(null), metrics: parley.app.metrics,
  });
  // Only silence is waited for; whoever answers may be slow on a busy machine.
  const [patient, hasty] = [modelsWith(30_000), modelsWith(silenceLimitMs)];
  const models: Models = { ...patient, ask: (request, hooks) => (/:(?:hang|stall)$/.test(request.modelIds[0]) ? hasty : patient).ask(request, hooks) };
  Object.assign(parley.app, { models });
  // Libraries may print what they could not read.
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) vi.spyOn(console, method).mockImplementation((...args: unknown[]) => void logged.push(args.map(String).join(' ')));
  ada = await parley.signUp('Ada');
});
afterAll(async () => {
  vi.restoreAllMocks();
  await parley.close();
  await outbound.close();
  await server.close();
});

const idOf = (vendor: VendorId, fault: Fault): string => Buffer.from(`Model:${fault === 'refused' ? 'no-' : ''}${vendor}:${fault}`).toString('base64url');
const RUN = `query ($id: ID!) { run(id: $id) { status degraded error { code message retryable node requestId } attempts { attempt succeeded errorCode isFallback durationMs model { name provider { id } } }
  usage { inputTokens outputTokens estimated } outputMessage { status text blocks { __typename } } steps { node status error } } }`;

/** Asks a model that fails so, with another vendor's good one to fall back on or none. */
async function answerOf(vendor: VendorId, fault: Fault, fallback: VendorId | null, question: string) {
  const edges = [['start', 'prompt'], ['prompt', 'end']].map(([from, to]) => ({ from, to }));
  const input = {
    name: `${vendor} ${fault}`, systemPrompt: 'Answer.', modelId: idOf(vendor, fault), fallbackModelIds: fallback ? [idOf(fallback, 'good')] : [],
    graph: { name: 'plain', nodes: [{ id: 'prompt', type: 'prompt' }], edges },
  };
  const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input });
  expect(createProfile.userErrors).toEqual([]);
  const sessionId = await createSession(ada, createProfile.profile.id);
  const { runId, cursor } = await sendTo(ada, sessionId, question);
  const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
  const failures = ada.subscribe(
    `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename ... on RunUpdated { runStatus error { code message retryable node } run { error { message } } }
      ... on RunStepUpdated { step { error } } ... on ModelFellBack { errorCode discardedChars from { name } to { name } } } }`,
    { s: sessionId, a: cursor },
  );
  // One that only stalls may be over before a slow machine has told of its beginning.
  if (fault !== 'stall' && promises[fault].shown.startsWith(half)) {
    await stream.until(({ chatEvents }) => chatEvents.text === half);
    server.proceed(question);
  }
  await Promise.all([stream.until(isEnd), failures.until(isEnd)]);
  for (const each of [stream, failures]) each.stop();
  const { run } = await ada.ask(RUN, { id: runId });
  return { run, cursor, stream, failures };
}

describe.each(vendors.map(({ id }, index) => ({ vendor: id, other: vendors[(index + 1) % vendors.length]!.id })))('$vendor', ({ vendor, other }) => {
  it.concurrent.each(faults.flatMap((fault) => [{ fault, fallback: null }, { fault, fallback: other }]))('$fault, fallback: $fallback', async ({ fault, fallback }) => {
    const { calls, code, retryable = true, shown, fallsBack = code !== null } = promises[fault];
    const question = `What of ${vendor}, ${fault}, ${fallback}?`;
    const goesOn = fallback !== null && fallsBack;
    const { run, cursor, stream, failures } = await answerOf(vendor, fault, fallback, question);

    const client = createStrictClient(cursor);
    const versions = !goesOn ? [shown] : shown === '' ? [goodAnswer] : [shown, goodAnswer];
    expect(applyVersions(client, stream.events, versions)).toBe(versions.length - 1);
    const text = versions.at(-1);
    const status = code === null || goesOn ? 'SUCCEEDED' : 'FAILED';
    expect([client.faults, client.ends, [...client.texts.values()]]).toEqual([[], [status], [text]]);
    expect(run).toMatchObject({ status, outputMessage: { status: status === 'SUCCEEDED' ? 'COMPLETE' : 'FAILED', text } });
    expect(run.error).toEqual(status === 'SUCCEEDED' ? null : { code, message: expect.stringMatching(/^[A-Z].*\.$/), retryable, node: 'prompt', requestId: expect.any(String) });

    const times = server.callsOf(vendor, fault, question);
    expect(times).toHaveLength(fault === 'refused' ? 0 : calls);
    // Timers may be a little early.
    const pauses = fault === 'http-429' ? [1000 * retryAfterSeconds, 1000 * retryAfterSeconds] : [baseDelayMs / 2, baseDelayMs];
    for (const [index, time] of times.slice(1).entries()) expect(time - times[index]!).toBeGreaterThanOrEqual(pauses[index]! - 2);
    if (fallback) expect(server.callsOf(fallback, 'good', question)).toHaveLength(goesOn ? 1 : 0);

    const names = (name: string, isFallback: boolean, errorCodes: readonly (string | null)[]) =>
      errorCodes.map((errorCode, index) => expect.objectContaining({ attempt: index + 1, succeeded: errorCode === null, errorCode, isFallback, model: expect.objectContaining({ name }) }));
    expect(run.attempts).toEqual([...names(fault, false, Array.from({ length: calls }, () => code)), ...(goesOn ? names('good', true, [null]) : [])]);
    const fellBack = failures.events.map(({ chatEvents }) => chatEvents).filter(({ __typename: type }) => type === 'ModelFellBack');
    expect(fellBack).toEqual(goesOn ? [{ __typename: 'ModelFellBack', errorCode: code, discardedChars: shown.length, from: { name: fault }, to: { name: 'good' } }] : []);

    const told = JSON.stringify([run, stream.events, failures.events]);
    for (const secret of server.secrets) expect(told).not.toContain(secret);
  });
});

it('nobody went where a redirect led', () => expect(server.followed).toBe(0));

it('nothing that a provider said, and no key, is in the log', () => {
  expect(logged.join('')).toContain('a run failed');
  for (const secret of server.secrets) expect(logged.filter((line) => line.includes(secret)).slice(0, 3)).toEqual([]);
});
