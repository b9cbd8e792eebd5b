// The main job, as a front end does it, with operations typed from schema.graphql.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, password, type TestApp } from './support/app.ts';
import { createTypedClient, type TypedClient } from './support/client.ts';
import { CREATE_PROFILE, CREATE_SESSION, EVENTS, HANDBOOK, INGESTION, QUOTE, REGISTER, SEARCH, SEND, UPLOAD } from './support/main-job.ts';

let parley: TestApp;
let client: TypedClient;
beforeAll(async () => {
  parley = await createTestApp();
});
afterAll(async () => {
  await client.close();
  await parley.close();
});

it('signs up, uploads a document, searches it, and gets an answer whose every citation is true to the character', async () => {
  const guest = createTypedClient(parley.url, null);
  const { register } = await guest.request(REGISTER, { input: { email: `${randomUUID()}@example.test`, password, name: 'Ada' } });
  client = createTypedClient(parley.url, register.tokens?.accessToken ?? '');

  const { createProfile } = await client.request(CREATE_PROFILE, {
    input: { name: 'Lighthouse', systemPrompt: 'Answer from the documents.', retrieval: { mode: 'ALWAYS' } },
  });
  const profileId = createProfile.profile?.id ?? '';
  expect(createProfile).toMatchObject({ profile: { version: { retrieval: { mode: 'ALWAYS' } } }, userErrors: [] });

  const { uploadDocuments } = await client.request(UPLOAD, {
    input: { files: [new File([HANDBOOK], 'handbook.md', { type: 'text/markdown' })], profileIds: [profileId] },
  });
  expect(uploadDocuments.userErrors).toEqual([]);
  expect(uploadDocuments.documents).toMatchObject([{ name: 'handbook.md', mediaType: 'text/markdown' }]);

  const stages: string[] = [];
  for await (const { ingestionJobUpdated: job } of client.follow(INGESTION, { jobId: uploadDocuments.jobs[0]?.id ?? '' })) {
    expect(job.error).toBeNull();
    stages.push(job.stage);
    if (job.status !== 'QUEUED' && job.status !== 'RUNNING') break;
  }
  expect(stages.at(-1)).toBe('DONE');

  const { search } = await client.request(SEARCH, { input: { query: 'How often does the fog horn sound?', profileId } });
  const best = search.edges[0]?.node;
  expect(best?.location.headingPath).toEqual(['Lighthouse handbook']);
  const highlighted = search.edges[0]?.highlights.map(({ startOffset, endOffset }) => best?.text.slice(startOffset, endOffset));
  expect(new Set(highlighted?.map((word) => word?.toLowerCase()))).toEqual(new Set(['fog', 'horn', 'sounds']));
  expect(best?.document.version.text.slice(best.location.startOffset, best.location.endOffset)).toBe(best?.text);

  const { createChatSession } = await client.request(CREATE_SESSION, { input: { profileId } });
  const sessionId = createChatSession.session?.id ?? '';
  const { sendMessage } = await client.request(SEND, {
    input: { sessionId, text: 'How often does the fog horn sound?', idempotencyKey: randomUUID() },
  });
  expect(sendMessage.userErrors).toEqual([]);

  const drafts = new Map<string, string>();
  let final;
  let answer;
  for await (const { chatEvents: event } of client.follow(EVENTS, { sessionId, after: sendMessage.cursor ?? null })) {
    if (event.__typename === 'MessageDelta') {
      const draft = drafts.get(event.messageId) ?? '';
      expect(event.offset).toBe(draft.length);
      drafts.set(event.messageId, draft + event.text);
    }
    if (event.__typename === 'MessageCompleted' && event.message.role === 'ASSISTANT') answer = event.message;
    if (event.__typename === 'RunUpdated' && !['QUEUED', 'RUNNING'].includes(event.runStatus)) {
      final = event;
      break;
    }
  }
  expect(final).toMatchObject({ runStatus: 'SUCCEEDED', error: null });
  expect(answer?.text).toContain('forty seconds');
  // In how many pieces depends on who is faster: text that is there when a reader comes is one.
  expect(answer?.text).toBe(drafts.get(answer?.id ?? ''));

  const citations = answer?.citations ?? [];
  expect(citations.length).toBeGreaterThan(0);
  for (const citation of citations) {
    const { startOffset: start, endOffset: end } = citation.location;
    const { document } = await client.request(QUOTE, { id: citation.document?.id ?? '', start, end });
    expect(document?.version.text).toBe(citation.quote);
    expect(citation.documentName).toBe('handbook.md');
    expect(citation.answerEnd).toBeGreaterThan(citation.answerStart);
    expect(citation.answerEnd).toBeLessThanOrEqual(answer?.text.length ?? 0);
  }
});
