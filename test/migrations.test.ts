import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entities } from '../src/entities.ts';
import { openDatabase } from '../src/platform/database.ts';
import { createTestApp, type TestApp } from './support/app.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';

const migrations = fileURLToPath(new URL('../migrations', import.meta.url));

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.close());

describe.each(['PGlite', 'PostgreSQL'])('on %s', (kind) => {
  it('the migrations bring an empty database to exactly what the entities say, once', async () => {
    const databaseUrl = kind === 'PGlite' ? null : await postgres.createDatabase('drift');
    const database = await openDatabase({ config: { databaseUrl, databasePoolSize: 2 }, folder: null, entities, migrations });
    try {
      expect((await database.migrate()).length).toBeGreaterThan(0);
      expect(await database.migrate()).toEqual([]);
      expect(await database.orm.schema.getUpdateSchemaSQL({ wrap: false })).toBe('');
    } finally {
      await database.close();
    }
  });
});

describe('a PostgreSQL without pgvector', () => {
  let parley: TestApp;
  beforeAll(async () => {
    parley = await createTestApp({ DATABASE_URL: await postgres.createDatabase('parley') });
  });
  afterAll(() => parley.close());

  it('is served with keyword search only, and says so', async () => {
    const ready = await fetch(`${parley.url}/ready`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: 'degraded', components: expect.arrayContaining([expect.objectContaining({ name: 'vectors', state: 'DEGRADED' })]) });
  });

  it('does the main job: sign up, add a document, search it, and answer with a citation', async () => {
    const ada = await parley.signUp('Ada');
    const { createProfile } = await ada.ask('mutation { createProfile(input: { name: "Harbour", systemPrompt: "Answer.", retrieval: { mode: ALWAYS } }) { profile { id } userErrors { message } } }');
    const profileId = createProfile.profile.id;
    const jobs = ada.subscribe('subscription ($id: ID!) { ingestionJobUpdated(profileId: $id) { status error { message } } }', { id: profileId });
    const { addTextDocument } = await ada.ask('mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } userErrors { message } } }', {
      input: { name: 'harbour.md', text: '# Harbour\n\nThe harbour was built in 1902. Ferries leave every hour.', profileIds: [profileId] },
    });
    expect(addTextDocument.userErrors).toEqual([]);
    const job = await jobs.until((event) => ['SUCCEEDED', 'FAILED', 'PARTIALLY_SUCCEEDED'].includes(event.ingestionJobUpdated.status));
    expect(job.ingestionJobUpdated).toEqual({ status: 'SUCCEEDED', error: null });
    const { search } = await ada.ask('{ search(input: { query: "When was the harbour built?", mode: SEMANTIC }) { degraded nodes { text } } }');
    expect(search.degraded).toEqual(['VECTOR_UNAVAILABLE']);
    expect(search.nodes[0].text).toContain('The harbour was built in 1902.');
    const { createChatSession } = await ada.ask('mutation ($id: ID!) { createChatSession(input: { profileId: $id }) { session { id } } }', { id: profileId });
    const sessionId = createChatSession.session.id;
    const { sendMessage } = await ada.ask('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { cursor userErrors { message } } }', {
      input: { sessionId, text: 'When was the harbour built?', idempotencyKey: randomUUID() },
    });
    const stream = ada.subscribe('subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { ... on MessageCompleted { message { text citations { quote } } } ... on RunUpdated { runStatus } } }', { s: sessionId, a: sendMessage.cursor });
    await stream.until((event) => event.chatEvents.runStatus === 'SUCCEEDED');
    const { message } = stream.events.find((event) => event.chatEvents.message).chatEvents;
    expect(message.citations[0].quote).toBe('The harbour was built in 1902.');
  });
});
