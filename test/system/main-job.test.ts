// The main job over two instances: what one has begun the other goes on with, and a stranger sees none of it at either.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTypedClient, type TypedClient } from '../support/client.ts';
import { startCluster, type Cluster } from '../support/cluster.ts';
import { CREATE_PROFILE, CREATE_SESSION, EVENTS, HANDBOOK, INGESTION, QUOTE, REGISTER, SEARCH, SEND, UPLOAD } from '../support/main-job.ts';
import { password } from '../support/visitor.ts';

let cluster: Cluster;
let urls: [string, string];
const clients: TypedClient[] = [];
beforeAll(async () => {
  cluster = await startCluster();
  urls = [(await cluster.start()).url, (await cluster.start()).url];
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await cluster?.close();
});

/** Somebody new, at both instances. */
async function signUp(): Promise<[TypedClient, TypedClient]> {
  const { register } = await createTypedClient(urls[0], null).request(REGISTER, { input: { email: `${randomUUID()}@example.test`, password, name: 'Ada' } });
  const own = urls.map((url) => createTypedClient(url, register.tokens?.accessToken ?? '')) as [TypedClient, TypedClient];
  clients.push(...own);
  return own;
}

it('uploads at one instance, follows at the other, and asks, streams and resumes across both, unseen by a stranger', { timeout: 60_000 }, async () => {
  const [here, there] = await signUp();
  const profileId = (await here.request(CREATE_PROFILE, { input: { name: 'Lighthouse', systemPrompt: 'Answer from the documents.', retrieval: { mode: 'ALWAYS' } } })).createProfile.profile?.id ?? '';
  const { uploadDocuments } = await here.request(UPLOAD, { input: { files: [new File([HANDBOOK], 'handbook.md', { type: 'text/markdown' })], profileIds: [profileId] } });
  const documentId = uploadDocuments.documents[0]?.id ?? '';
  let stage;
  for await (const { ingestionJobUpdated: job } of there.follow(INGESTION, { jobId: uploadDocuments.jobs[0]?.id ?? '' })) {
    stage = job.stage;
    if (job.status !== 'QUEUED' && job.status !== 'RUNNING') break;
  }
  expect(stage).toBe('DONE');

  const query = 'How often does the fog horn sound?';
  expect((await there.request(SEARCH, { input: { query, profileId } })).search.edges.length).toBeGreaterThan(0);
  const sessionId = (await there.request(CREATE_SESSION, { input: { profileId } })).createChatSession.session?.id ?? '';
  const { sendMessage } = await here.request(SEND, { input: { sessionId, text: query, idempotencyKey: randomUUID() } });
  const streamed: { text: string; cursor: string }[] = [];
  let answer;
  for await (const { chatEvents: event } of there.follow(EVENTS, { sessionId, after: sendMessage.cursor ?? null })) {
    if (event.__typename === 'MessageDelta') streamed.push(event);
    if (event.__typename === 'MessageCompleted' && event.message.role === 'ASSISTANT') answer = event.message;
    if (event.__typename === 'RunUpdated' && !['QUEUED', 'RUNNING'].includes(event.runStatus)) break;
  }
  expect(answer?.text).toContain('forty seconds');
  expect(streamed.map(({ text }) => text).join('')).toBe(answer?.text);
  for (const { quote, document, location } of answer?.citations ?? []) {
    const { document: read } = await here.request(QUOTE, { id: document?.id ?? '', start: location.startOffset, end: location.endOffset });
    expect(read?.version.text).toBe(quote);
  }
  expect(answer?.citations.length).toBeGreaterThan(0);

  for (const [index, { cursor }] of streamed.entries()) {
    const rest: string[] = [];
    for await (const { chatEvents: event } of here.follow(EVENTS, { sessionId, after: cursor })) {
      if (event.__typename === 'MessageDelta') rest.push(event.text);
      if (event.__typename === 'StreamCaughtUp') break;
    }
    expect(rest.join('')).toBe(streamed.slice(index + 1).map(({ text }) => text).join(''));
  }

  for (const stranger of await signUp()) {
    expect((await stranger.request(QUOTE, { id: documentId, start: 0, end: 10 })).document).toBeNull();
    expect((await stranger.request(SEARCH, { input: { query } })).search.edges).toEqual([]);
    await expect(stranger.follow(EVENTS, { sessionId, after: null }).next()).rejects.toThrow(/NOT_FOUND/);
    await expect(stranger.follow(INGESTION, { jobId: uploadDocuments.jobs[0]?.id ?? '' }).next()).rejects.toThrow(/NOT_FOUND/);
    expect((await stranger.request(SEND, { input: { sessionId, text: query, idempotencyKey: randomUUID() } })).sendMessage.run).toBeNull();
  }
});
