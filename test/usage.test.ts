// What calls to models cost: that every call is booked once, whatever becomes of what it was for, and who may see it how.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createContext } from '../src/context.ts';
import { countTokens } from '../src/text/counts.ts';
import { book, noUsage, type Spent, type SpentFor } from '../src/usage/ledger.ts';
import { usageDimensions } from '../src/usage/service.ts';
import { addText, createProfile, ended } from './documents/support.ts';
import { startEmbeddingServer, type EmbeddingServer } from './search/embedding-server.ts';
import { openChat, sendTo } from './support/answers.ts';
import { createTestApp, type Subscription, type TestApp, type TestUser } from './support/app.ts';
import { createSession, rowIdOf } from './support/chats.ts';
import { startModelServer, type ModelServer } from './support/model-server.ts';
import { createVoice, createVoiceProfile } from './support/voice.ts';

const FIGURES = '{ inputTokens outputTokens embeddingTokens cachedTokens costUsd estimated }';
const WORKSPACE = `query ($from: DateTime!, $to: DateTime!, $by: UsageDimension!) { viewer { workspace { usage(from: $from, to: $to, groupBy: $by) { key runCount usage ${FIGURES} } } } }`;
const OWN = `query ($from: DateTime!, $to: DateTime!) { viewer { usage(from: $from, to: $to) ${FIGURES} } }`;
const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on MessageDelta { text } ... on UsageReported { runId usage ${FIGURES} } ... on RunUpdated { runStatus } } }`;
const soon = { timeout: 20_000 };
const endings = ['SUCCEEDED', 'FAILED', 'CANCELLED'];

interface Figures {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly embeddingTokens: number;
  readonly cachedTokens: number;
  readonly costUsd: number;
  readonly estimated: boolean;
}
interface Bucket {
  readonly key: string;
  readonly runCount: number;
  readonly usage: Figures;
}

/** Around now. */
const lately = () => ({ from: new Date(Date.now() - 3_600_000), to: new Date(Date.now() + 3_600_000) });
const usedBy = async (user: TestUser, by: string, period: { from: Date | string; to: Date | string } = lately()): Promise<Bucket[]> =>
  (await user.ask(WORKSPACE, { ...period, by })).viewer.workspace.usage;
const ownUse = async (user: TestUser, period: { from: Date | string; to: Date | string } = lately()): Promise<Figures> => (await user.ask(OWN, period)).viewer.usage;
const modelKey = (id: string): string => Buffer.from(`Model:${id}`).toString('base64url');
const nothing = { ...noUsage };

const total = (buckets: readonly Bucket[]): Figures =>
  buckets.reduce<Figures>((sum, { usage }) => ({
    inputTokens: sum.inputTokens + usage.inputTokens,
    outputTokens: sum.outputTokens + usage.outputTokens,
    embeddingTokens: sum.embeddingTokens + usage.embeddingTokens,
    cachedTokens: sum.cachedTokens + usage.cachedTokens,
    costUsd: sum.costUsd + usage.costUsd,
    estimated: sum.estimated || usage.estimated,
  }), nothing);
const closeTo = ({ costUsd, ...rest }: Figures) => ({ ...rest, costUsd: expect.closeTo(costUsd, 9) });

/** What the run, its answer, its session and its stream say that it used; all the same. */
async function usageOfRun(user: TestUser, sessionId: string, { runId, cursor }: { runId: string; cursor: string }): Promise<Figures & { status: string }> {
  const stream = user.subscribe(EVENTS, { s: sessionId, a: cursor });
  await stream.until(({ chatEvents: { runStatus = '' } }) => endings.includes(runStatus));
  const reported = stream.events.map(({ chatEvents }) => chatEvents).filter(({ __typename: type, runId: id }) => type === 'UsageReported' && id === runId);
  stream.stop();
  const { run, chatSession } = await user.ask(`query ($r: ID!, $s: ID!) { run(id: $r) { status usage ${FIGURES} outputMessage { usage ${FIGURES} } } chatSession(id: $s) { usage ${FIGURES} } }`, { r: runId, s: sessionId });
  expect(reported.map(({ usage }) => usage)).toEqual([run.usage]);
  expect(run.outputMessage.usage).toEqual(run.usage);
  expect(chatSession.usage).toEqual(closeTo(run.usage));
  return { status: run.status, ...run.usage };
}

const shows = (text: string) => ({ chatEvents }: { chatEvents: { text?: string } }): boolean => chatEvents.text?.includes(text) ?? false;
const deleteSession = (user: TestUser, id: string) => user.ask('mutation ($id: ID!) { deleteChatSession(input: { id: $id }) { deletedId userErrors { message } } }', { id });

describe('what a run used', () => {
  let model: ModelServer;
  let parley: TestApp;
  const voice = createVoice();
  beforeAll(async () => {
    model = await startModelServer();
    parley = await createTestApp(model.env, { nodeTypes: [voice.nodeType] });
  });
  afterAll(async () => {
    await parley.close();
    await model.close();
  });

  /** A question of somebody new. */
  async function begin(fallbacks: readonly string[] = []): Promise<{ ada: TestUser; sessionId: string; sent: { runId: string; cursor: string }; stream: Subscription }> {
    const ada = await parley.signUp('Ada');
    const sessionId = await openChat(ada, 'PRIVATE', fallbacks);
    const sent = await sendTo(ada, sessionId, 'Hello');
    return { ada, sessionId, sent, stream: ada.subscribe(EVENTS, { s: sessionId, a: sent.cursor }) };
  }

  it('is booked to each model when another went on, and the run is counted once', async () => {
    const { ada, sessionId, sent, stream } = await begin(['openai:gpt-4o']);
    const first = await model.call();
    first.say('Half of an');
    await stream.until(shows('Half'));
    first.cut();
    const second = await model.call();
    expect(second.body.model).toBe('gpt-4o');
    second.say('A whole answer');
    second.end({ prompt_tokens: 100, completion_tokens: 20 });
    const { status, ...usage } = await usageOfRun(ada, sessionId, sent);
    expect(status).toBe('SUCCEEDED');
    const models = await usedBy(ada, 'MODEL');
    expect(models.map(({ key, runCount }) => ({ key, runCount })).sort((a, b) => a.key.localeCompare(b.key))).toEqual(
      ['openai:gpt-4o', 'openai:gpt-4o-mini'].map((id) => ({ key: modelKey(id), runCount: 1 })).sort((a, b) => a.key.localeCompare(b.key)));
    expect(models.find(({ key }) => key === modelKey('openai:gpt-4o'))?.usage).toEqual(closeTo({ ...nothing, inputTokens: 100, outputTokens: 20, costUsd: (100 * 2.5 + 20 * 10) / 1e6 }));
    const broken = models.find(({ key }) => key === modelKey('openai:gpt-4o-mini'))?.usage;
    expect(broken).toMatchObject({ outputTokens: countTokens('Half of an'), estimated: true });
    expect(broken?.costUsd).toBeCloseTo(((broken?.inputTokens ?? 0) * 0.15 + countTokens('Half of an') * 0.6) / 1e6, 12);
    expect(total(models)).toEqual(closeTo(usage));
    expect(await usedBy(ada, 'PROVIDER')).toEqual([{ key: Buffer.from('Provider:openai').toString('base64url'), runCount: 1, usage: closeTo(usage) }]);
    expect(await ownUse(ada)).toEqual(closeTo(usage));
  });

  it('counts when it failed after text, as estimated', async () => {
    const { ada, sessionId, sent, stream } = await begin();
    const call = await model.call();
    call.say('No end of');
    await stream.until(shows('No'));
    call.cut();
    const { status, ...usage } = await usageOfRun(ada, sessionId, sent);
    expect(status).toBe('FAILED');
    expect(usage).toMatchObject({ outputTokens: countTokens('No end of'), estimated: true });
    expect(total(await usedBy(ada, 'USER'))).toEqual(closeTo(usage));
  });

  it('counts when it was cancelled', async () => {
    const { ada, sessionId, sent, stream } = await begin();
    const call = await model.call();
    call.say('Not wanted');
    await stream.until(shows('Not'));
    await ada.ask('mutation ($id: ID!) { cancelRun(input: { runId: $id }) { userErrors { message } } }', { id: sent.runId });
    const { status, ...usage } = await usageOfRun(ada, sessionId, sent);
    expect(status).toBe('CANCELLED');
    expect(usage).toMatchObject({ outputTokens: countTokens('Not wanted'), estimated: true });
    expect(usage.inputTokens).toBeGreaterThan(0);
    expect(total(await usedBy(ada, 'MODEL'))).toEqual(closeTo(usage));
  });

  it('stays when the chat is deleted or cleared, and is the profile\'s also after that is deleted', async () => {
    const { ada, sessionId, sent } = await begin();
    (await model.call()).end({ prompt_tokens: 50, completion_tokens: 5 });
    await usageOfRun(ada, sessionId, sent);
    const before = await usedBy(ada, 'PROFILE');
    expect(before).toMatchObject([{ usage: { inputTokens: 50, outputTokens: 5, estimated: false }, runCount: 1 }]);
    await ada.ask('mutation ($id: ID!) { clearChatSession(input: { id: $id }) { userErrors { message } } }', { id: sessionId });
    await deleteSession(ada, sessionId);
    expect(await usedBy(ada, 'PROFILE')).toEqual(before);
    const { deleteProfile } = await ada.ask('mutation ($id: ID!) { deleteProfile(input: { id: $id }) { deletedId userErrors { message } } }', { id: before[0]!.key });
    expect(deleteProfile).toEqual({ deletedId: before[0]!.key, userErrors: [] });
    expect(await usedBy(ada, 'PROFILE')).toEqual(before);
  });

  it('is booked for an answer whose chat is deleted meanwhile', async () => {
    const { ada, sessionId, stream } = await begin();
    const call = await model.call();
    call.say('Somebody reads this');
    await stream.until(shows('Somebody'));
    await deleteSession(ada, sessionId);
    await call.abandoned;
    await vi.waitFor(async () => expect(await ownUse(ada)).toMatchObject({ outputTokens: countTokens('Somebody reads this'), estimated: true }), soon);
    expect(await usedBy(ada, 'MODEL')).toMatchObject([{ key: modelKey('openai:gpt-4o-mini'), runCount: 1 }]);
  });

  it('is nothing for an answer that was kept', async () => {
    const ada = await parley.signUp('Ada');
    const profileId = await createProfile(ada, { temperature: 0, cacheAnswers: true, retrieval: { mode: 'OFF' } });
    const ask = async () => {
      const sessionId = await createSession(ada, profileId);
      return [sessionId, await sendTo(ada, sessionId, 'Hello')] as const;
    };
    const first = await ask();
    const call = await model.call();
    call.say('Hello!');
    call.end({ prompt_tokens: 50, completion_tokens: 5 });
    expect(await usageOfRun(ada, ...first)).toMatchObject({ inputTokens: 50 });
    const before = await usedBy(ada, 'MODEL');
    expect(await usageOfRun(ada, ...(await ask()))).toEqual({ status: 'SUCCEEDED', ...nothing });
    expect(await usedBy(ada, 'MODEL')).toEqual(before);
  });

  it('is booked once by an attempt that was overtaken, which leaves the run\'s own figures alone', async () => {
    const ada = await parley.signUp('Ada');
    const sessionId = await createSession(ada, await createVoiceProfile(ada));
    const { runId, cursor } = await sendTo(ada, sessionId, 'Hello');
    const visit = await voice.visit();
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    const spend = (inputTokens: number) => visit.run.emit({ type: 'spent', spent: { ...noUsage, kind: 'CHAT', modelId: 'openai:gpt-4o', inputTokens, costUsd: inputTokens / 1e6 } });
    const inRun = async () => (await ada.ask(`query ($id: ID!) { run(id: $id) { usage ${FIGURES} } }`, { id: runId })).run.usage.inputTokens;
    spend(100);
    visit.say('So far');
    await vi.waitFor(async () => expect(await inRun()).toBe(100), soon);
    // Saved again and again, it is the same.
    visit.say(' so good');
    await stream.until(shows('good'));
    await parley.app.database.pglite!.query("update run set attempt = 2, lease_owner = 'another', lease_until = now() + interval '1 hour' where id = $1", [rowIdOf(runId)]);
    spend(30);
    visit.say('!');
    await vi.waitFor(async () => expect((await ownUse(ada)).inputTokens).toBe(130), soon);
    expect(await inRun()).toBe(100);
    expect(await usedBy(ada, 'MODEL')).toMatchObject([{ key: modelKey('openai:gpt-4o'), runCount: 1, usage: { inputTokens: 130, costUsd: expect.closeTo(130 / 1e6, 12) } }]);
  });
});

it('a run that is handed over has cost what all its attempts did, none of them twice', async () => {
  const model = await startModelServer();
  const folder = await mkdtemp(join(tmpdir(), 'parley-usage-'));
  const env = { ...model.env, DATA_DIR: folder };
  const before = await createTestApp(env, { onDisk: true });
  const ada = await before.signUp();
  const sessionId = await openChat(ada);
  const sent = await sendTo(ada, sessionId, 'Hello');
  const stream = ada.subscribe(EVENTS, { s: sessionId, a: sent.cursor });
  (await model.call()).say('The text of the first attempt');
  await stream.until(shows('attempt'));
  await before.close(0);
  const after = await createTestApp(env, { onDisk: true });
  try {
    const again = after.userOf(ada.accessToken, ada);
    const second = await model.call();
    second.say('The second says it all.');
    second.end({ prompt_tokens: 100, completion_tokens: 20 });
    const { status, ...usage } = await usageOfRun(again, sessionId, sent);
    expect(status).toBe('SUCCEEDED');
    expect(usage).toMatchObject({ outputTokens: 20 + countTokens('The text of the first attempt'), estimated: true });
    expect(usage.inputTokens).toBeGreaterThan(100);
    expect(await usedBy(again, 'MODEL')).toEqual([{ key: modelKey('openai:gpt-4o-mini'), runCount: 1, usage: closeTo(usage) }]);
  } finally {
    await after.close();
    await model.close();
    await rm(folder, { recursive: true, force: true });
  }
});

describe('what embedding used', () => {
  let embedder: EmbeddingServer;
  let parley: TestApp;
  let ada: TestUser;
  let eve: TestUser;
  let profileId: string;
  const text = 'An automobile needs oil.';
  const price = 0.02 / 1e6;
  const embedding = modelKey('openai:text-embedding-3-small');
  beforeAll(async () => {
    embedder = await startEmbeddingServer([['car', 'automobile', 'vehicle'], ['rose', 'flower']]);
    parley = await createTestApp(embedder.env);
    ada = await parley.signUp('Ada');
    eve = await parley.signUpInto(ada, 'EDITOR');
    profileId = await createProfile(ada, { retrieval: { mode: 'ALWAYS' } });
  });
  afterAll(async () => {
    await parley.close();
    await embedder.close();
  });

  it('is booked for documents to whoever uploaded them, without a profile or a run', async () => {
    const { job } = await addText(eve, { text, mediaType: 'text/plain', profileIds: [profileId] });
    expect((await ended(eve, job.id)).status).toBe('SUCCEEDED');
    const embeddingTokens = countTokens(text);
    const usage = closeTo({ ...nothing, embeddingTokens, costUsd: embeddingTokens * price, estimated: true });
    expect(await usedBy(ada, 'USER')).toEqual([{ key: eve.id, runCount: 0, usage }]);
    expect(await usedBy(ada, 'PROFILE')).toEqual([{ key: 'none', runCount: 0, usage }]);
    expect(await usedBy(ada, 'MODEL')).toEqual([{ key: embedding, runCount: 0, usage }]);
    expect(await ownUse(eve)).toEqual(usage);
    expect(await ownUse(ada)).toEqual(nothing);
  });

  it('is booked for a search once, and not for one that was answered before', async () => {
    const query = 'which vehicle';
    const search = () => ada.ask('query ($input: SearchInput!) { search(input: $input) { degraded totalCount } }', { input: { query, profileId, mode: 'SEMANTIC' } });
    const before = await ownUse(ada);
    expect((await search()).search).toEqual({ degraded: [], totalCount: 1 });
    await search();
    expect((await ownUse(ada)).embeddingTokens - before.embeddingTokens).toBe(countTokens(query));
    expect((await usedBy(ada, 'PROFILE')).find(({ key }) => key === profileId)).toMatchObject({ runCount: 0, usage: { embeddingTokens: countTokens(query), inputTokens: 0 } });
  });

  it('is the run\'s that asked, beside what its answer used', async () => {
    const sessionId = await createSession(ada, profileId);
    const question = 'What does the automobile need?';
    const { status, ...usage } = await usageOfRun(ada, sessionId, await sendTo(ada, sessionId, question));
    expect(status).toBe('SUCCEEDED');
    expect(usage).toMatchObject({ embeddingTokens: countTokens(question), costUsd: expect.closeTo(countTokens(question) * price, 12), estimated: true });
    expect(usage.inputTokens).toBeGreaterThan(0);
    const models = await usedBy(ada, 'MODEL');
    expect(models.find(({ key }) => key === embedding)?.runCount).toBe(1);
    expect(models.find(({ key }) => key === modelKey('offline:extractive'))).toMatchObject({ runCount: 1, usage: { inputTokens: usage.inputTokens, embeddingTokens: 0, costUsd: 0, estimated: false } });
    // Its vector is known by now.
    const again = await createSession(ada, profileId);
    expect(await usageOfRun(ada, again, await sendTo(ada, again, question))).toMatchObject({ embeddingTokens: 0, costUsd: 0, estimated: false });
  });

  it('is nothing of the built-in embedder', async () => {
    const plain = await createTestApp();
    try {
      const bob = await plain.signUp('Bob');
      const profile = await createProfile(bob, { retrieval: { mode: 'ALWAYS' } });
      const { job } = await addText(bob, { text, mediaType: 'text/plain', profileIds: [profile] });
      await ended(bob, job.id);
      expect(await usedBy(bob, 'MODEL')).toEqual([]);
      const sessionId = await createSession(bob, profile);
      expect(await usageOfRun(bob, sessionId, await sendTo(bob, sessionId, 'What does the automobile need?'))).toMatchObject({ embeddingTokens: 0, costUsd: 0 });
      expect(await usedBy(bob, 'PROVIDER')).toMatchObject([{ key: Buffer.from('Provider:offline').toString('base64url') }]);
    } finally {
      await plain.close();
    }
  });
});

describe('usage of a workspace', () => {
  let parley: TestApp;
  beforeAll(async () => {
    parley = await createTestApp();
  });
  afterAll(() => parley.close());

  /** Books as the rooms do. */
  const spend = (user: TestUser, at: string | Date, spent: Partial<Spent> = {}, more: Partial<SpentFor> = {}): Promise<void> =>
    book(createContext(parley.app, { workspaceId: rowIdOf(user.workspaceId) }), { userId: rowIdOf(user.id), at: new Date(at), ...more }, [{ ...noUsage, kind: 'CHAT', modelId: 'openai:gpt-4o', inputTokens: 1, ...spent }]);
  const counts = (buckets: readonly Bucket[]) => buckets.map(({ key, usage }) => [key, usage.inputTokens]);

  it('is cut into hours, days and months of UTC, in their order, from the first moment until before the last', async () => {
    const ada = await parley.signUp();
    const times = ['2027-12-31T22:59:59.999Z', '2027-12-31T23:00:00.000Z', '2027-12-31T23:59:59.999Z', '2028-01-01T00:00:00.000Z', '2028-02-29T12:00:00.000Z', '2028-02-29T23:59:59.999Z', '2028-03-01T00:00:00.000Z'];
    for (const at of [...times].reverse()) await spend(ada, at);
    const all = { from: '2027-01-01T00:00:00Z', to: '2028-03-01T00:00:00.001Z' };
    expect(counts(await usedBy(ada, 'HOUR', { ...all, from: '2027-12-01T00:00:00Z' }))).toEqual([
      ['2027-12-31T22:00:00Z', 1], ['2027-12-31T23:00:00Z', 2], ['2028-01-01T00:00:00Z', 1], ['2028-02-29T12:00:00Z', 1], ['2028-02-29T23:00:00Z', 1], ['2028-03-01T00:00:00Z', 1]]);
    expect(counts(await usedBy(ada, 'DAY', all))).toEqual([['2027-12-31', 3], ['2028-01-01', 1], ['2028-02-29', 2], ['2028-03-01', 1]]);
    expect(counts(await usedBy(ada, 'MONTH', all))).toEqual([['2027-12', 3], ['2028-01', 1], ['2028-02', 2], ['2028-03', 1]]);
    const half = { from: '2027-12-31T23:00:00Z', to: '2028-01-01T00:00:00Z' };
    expect(counts(await usedBy(ada, 'DAY', half))).toEqual([['2027-12-31', 2]]);
    expect((await ownUse(ada, half)).inputTokens).toBe(2);
    // The same moments, said in another time zone.
    expect(counts(await usedBy(ada, 'DAY', { from: '2028-01-01T04:30:00+05:30', to: '2028-01-01T05:30:00+05:30' }))).toEqual([['2027-12-31', 2]]);
    const { viewer } = await ada.ask(`query ($from: DateTime!, $to: DateTime!) { viewer { workspace { usage(from: $from, to: $to) { key } } } }`, half);
    expect(viewer.workspace.usage).toEqual([{ key: '2027-12-31' }]);
  });

  it('adds up to the same by whatever it is grouped', async () => {
    const period = { from: '2027-01-01T00:00:00Z', to: '2028-01-01T00:00:00Z' };
    const entry = fc.record({
      at: fc.date({ min: new Date(period.from), max: new Date('2027-12-31T23:59:59.999Z'), noInvalidDate: true }),
      who: fc.constantFrom(0, 1, null),
      profileId: fc.constantFrom(randomUUID(), randomUUID(), null),
      run: fc.option(fc.nat(4)),
      spent: fc.record({
        kind: fc.constantFrom('CHAT' as const, 'EMBEDDING' as const),
        modelId: fc.constantFrom('openai:gpt-4o', 'openai:a:b', 'anthropic:claude'),
        inputTokens: fc.nat(1e6), outputTokens: fc.nat(1e6), cachedTokens: fc.nat(1e6), embeddingTokens: fc.nat(1e6),
        costUsd: fc.double({ min: 0, max: 10, noNaN: true }),
        estimated: fc.boolean(),
      }),
    });
    const ada = await parley.signUp('Ada');
    const eve = await parley.signUpInto(ada, 'MEMBER');
    await fc.assert(fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 30 }), async (entries) => {
      await parley.app.database.pglite!.query('delete from usage_entry where workspace_id = $1', [rowIdOf(ada.workspaceId)]);
      const runs = Array.from({ length: 5 }, () => randomUUID());
      const expected = entries.reduce((sum, { spent }) => total([{ key: '', runCount: 0, usage: sum }, { key: '', runCount: 0, usage: spent }]), nothing as Figures);
      // Each with an attempt of its own, so that none replaces another.
      for (const [attempt, { at, who, profileId, run, spent }] of entries.entries()) {
        await spend(ada, at, spent, { userId: who === null ? null : rowIdOf([ada, eve][who]!.id), profileId, ...(run !== null && { run: { id: runs[run]!, sessionId: runs[run]!, attempt } }) });
      }
      for (const by of usageDimensions) {
        const buckets = await usedBy(ada, by, period);
        const keys = buckets.map(({ key }) => key);
        expect(keys, by).toEqual([...new Set(keys)].sort());
        expect(total(buckets), by).toEqual({ ...expected, costUsd: expect.closeTo(expected.costUsd, 6) });
        expect(Math.max(...buckets.map(({ runCount }) => runCount)), by).toBeLessThanOrEqual(new Set(entries.map(({ run }) => run).filter((run) => run !== null)).size);
      }
      const users = await usedBy(ada, 'USER', period);
      for (const user of [ada, eve]) expect(await ownUse(user, period)).toEqual(closeTo(users.find(({ key }) => key === user.id)?.usage ?? nothing));
    }), { numRuns: 20 });
  });

  it('is shown to those who may see the configuration, and one\'s own to everybody', async () => {
    const ada = await parley.signUp('Ada');
    const [admin, editor, viewer] = [await parley.signUpInto(ada, 'ADMIN'), await parley.signUpInto(ada, 'EDITOR'), await parley.signUpInto(ada, 'VIEWER')];
    await spend(editor, new Date(), { inputTokens: 7 });
    for (const user of [ada, admin]) expect(await usedBy(user, 'USER')).toMatchObject([{ key: editor.id, usage: { inputTokens: 7 } }]);
    for (const user of [editor, viewer]) {
      const answer = await user.request(WORKSPACE, { ...lately(), by: 'USER' });
      expect(answer.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
      expect(answer.data.viewer).toBeNull();
    }
    expect(await ownUse(editor)).toMatchObject({ inputTokens: 7 });
    expect(await ownUse(viewer)).toEqual(nothing);
    expect((await parley.request(WORKSPACE, { ...lately(), by: 'USER' })).data).toEqual({ viewer: null });
  });

  it('is nobody\'s in another workspace, also of the same people', async () => {
    const ada = await parley.signUp('Ada');
    const eve = await parley.signUpInto(ada, 'ADMIN');
    const stranger = await parley.signUp('Bob');
    await spend(eve, new Date(), { inputTokens: 7 });
    expect(await usedBy(stranger, 'USER')).toEqual([]);
    expect(await ownUse(stranger)).toEqual(nothing);
    const OTHER = 'query ($id: ID!, $from: DateTime!, $to: DateTime!) { node(id: $id) { ... on Workspace { usage(from: $from, to: $to) { key } } } }';
    expect(await stranger.ask(OTHER, { id: ada.workspaceId, ...lately() })).toEqual({ node: null });
    // The same person signed in to the workspace of their own.
    const { login } = (await parley.request('mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } userErrors { message } } }', { input: { email: eve.email, password: eve.password } })).data;
    const { viewer } = (await parley.request('{ viewer { workspace { id } workspaces { id } } }', {}, login.tokens.accessToken)).data;
    const own = viewer.workspaces.find(({ id }: { id: string }) => id !== ada.workspaceId).id;
    const { refreshTokens } = (await parley.request('mutation ($input: LoginInput!) { refreshTokens: login(input: $input) { tokens { accessToken refreshToken } } }', { input: { email: eve.email, password: eve.password, workspaceId: own } })).data;
    const home = parley.userOf(refreshTokens.tokens.accessToken, { ...eve, workspaceId: own });
    expect(await ownUse(home)).toEqual(nothing);
    expect(await usedBy(home, 'USER')).toEqual([]);
    expect(await home.ask(OTHER, { id: ada.workspaceId, ...lately() })).toEqual({ node: { usage: [] } });
  });

  it('is refused for a period that is none or has too many buckets', async () => {
    const ada = await parley.signUp('Ada');
    const refused = async (query: string, variables: object): Promise<string> => {
      const { errors } = await ada.request(query, variables);
      expect(errors).toMatchObject([{ extensions: { code: 'VALIDATION_FAILED' } }]);
      return errors![0]!.message;
    };
    const moment = '2027-01-01T00:00:00.000Z';
    for (const to of [moment, '2026-12-31T00:00:00Z']) {
      expect(await refused(WORKSPACE, { from: moment, to, by: 'MODEL' })).toContain(moment);
      await refused(OWN, { from: moment, to });
    }
    expect(await refused(WORKSPACE, { from: '2017-01-01T00:00:00Z', to: moment, by: 'HOUR' })).toContain('10000 buckets by HOUR');
    expect(await usedBy(ada, 'DAY', { from: '2017-01-01T00:00:00Z', to: moment })).toEqual([]);
    expect(await usedBy(ada, 'MODEL', { from: '0001-01-01T00:00:00Z', to: '9999-01-01T00:00:00Z' })).toEqual([]);
  });

  it('of more tokens than GraphQL can count is still an answer', async () => {
    const ada = await parley.signUp('Ada');
    const inputTokens = 2 ** 31 - 1;
    for (let index = 0; index < 3; index++) await spend(ada, new Date(), { inputTokens, costUsd: 1 });
    expect(await usedBy(ada, 'MODEL')).toMatchObject([{ usage: { inputTokens, costUsd: 3 } }]);
    expect(await ownUse(ada)).toMatchObject({ inputTokens, costUsd: 3 });
  });
});
