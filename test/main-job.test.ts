// The main job, as a front end does it, with operations typed from schema.graphql.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, password, type TestApp } from './support/app.ts';
import { createTypedClient, type TypedClient } from './support/client.ts';
import { graphql } from './support/graphql/index.ts';

const REGISTER = graphql(`
  mutation Register($input: RegisterInput!) {
    register(input: $input) { user { id } tokens { accessToken } userErrors { message } }
  }
`);
const CREATE_PROFILE = graphql(`
  mutation CreateProfile($input: CreateProfileInput!) {
    createProfile(input: $input) { profile { id version { retrieval { mode } } } userErrors { message field } }
  }
`);
const UPLOAD = graphql(`
  mutation Upload($input: UploadDocumentsInput!) {
    uploadDocuments(input: $input) { documents { id name mediaType } jobs { id } userErrors { message } }
  }
`);
const INGESTION = graphql(`
  subscription Ingestion($jobId: ID!) {
    ingestionJobUpdated(jobId: $jobId) { status stage error { message } document { status chunkCount } }
  }
`);
const SEARCH = graphql(`
  query Search($input: SearchInput!) {
    search(input: $input) {
      edges { rank highlights { startOffset endOffset } node { text document { id version { text } } location { startOffset endOffset headingPath } } }
    }
  }
`);
const CREATE_SESSION = graphql(`
  mutation CreateSession($input: CreateChatSessionInput!) {
    createChatSession(input: $input) { session { id } userErrors { message } }
  }
`);
const SEND = graphql(`
  mutation Send($input: SendMessageInput!) {
    sendMessage(input: $input) { run { id } cursor userErrors { message } }
  }
`);
const EVENTS = graphql(`
  subscription Events($sessionId: ID!, $after: EventCursor) {
    chatEvents(sessionId: $sessionId, after: $after) {
      __typename
      ... on MessageDelta { messageId offset text }
      ... on MessageCompleted {
        message { id role text status citations { index quote answerStart answerEnd documentName document { id } location { startOffset endOffset } } }
      }
      ... on RunUpdated { runStatus error { message } }
    }
  }
`);
const QUOTE = graphql(`
  query Quote($id: ID!, $start: Int!, $end: Int!) {
    document(id: $id) { version { text(start: $start, end: $end) } }
  }
`);

const HANDBOOK = `# Lighthouse handbook

## Lamp

The lamp of the lighthouse is lit at sunset by the keeper on duty. It burns eleven litres of oil in a winter night.

## Fog horn

The fog horn sounds every forty seconds when the far buoy cannot be seen. It needs compressed air from the red tank.

## Visitors

Visitors may climb the tower on Sundays between two and four. Children must be accompanied — no exceptions.
`;

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
  let deltas = 0;
  let final;
  let answer;
  for await (const { chatEvents: event } of client.follow(EVENTS, { sessionId, after: sendMessage.cursor ?? null })) {
    if (event.__typename === 'MessageDelta') {
      const draft = drafts.get(event.messageId) ?? '';
      expect(event.offset).toBe(draft.length);
      drafts.set(event.messageId, draft + event.text);
      deltas++;
    }
    if (event.__typename === 'MessageCompleted' && event.message.role === 'ASSISTANT') answer = event.message;
    if (event.__typename === 'RunUpdated' && !['QUEUED', 'RUNNING'].includes(event.runStatus)) {
      final = event;
      break;
    }
  }
  expect(final).toMatchObject({ runStatus: 'SUCCEEDED', error: null });
  expect(answer?.text).toContain('forty seconds');
  expect(answer?.text).toBe(drafts.get(answer?.id ?? ''));
  expect(deltas).toBeGreaterThan(3);

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
