// The migrations, on the embedded database and on a server; and a server that has no pgvector.
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entities } from '../src/entities.ts';
import { loadConfig } from '../src/platform/config.ts';
import { openDatabase, type Database } from '../src/platform/database.ts';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.close());

const open = (databaseUrl: string | null): Promise<Database> =>
  openDatabase({ config: { ...loadConfig({ NODE_ENV: 'test' }), databaseUrl, databasePoolSize: 2 }, folder: null, entities, migrations: fileURLToPath(new URL('../migrations', import.meta.url)) });

describe.each([
  ['PGlite', 'pglite', async () => null],
  ['PostgreSQL', 'postgresql', () => postgres.createDatabase('migrated')],
])('on %s', (_title, kind, address) => {
  let database: Database;
  beforeAll(async () => {
    database = await open(await address());
  });
  afterAll(() => database.close());

  it('the migrations bring an empty database to exactly what the entities say, once', async () => {
    expect(database.kind).toBe(kind);
    expect(await database.migrate()).not.toEqual([]);
    expect(await database.orm.schema.getUpdateSchemaSQL({ wrap: false })).toBe('');
    expect(await database.orm.migrator.checkSchema()).toBe(false);
    expect(await database.migrate()).toEqual([]);
  });

  it('fallback models that nobody had chosen follow the catalog afterwards, and chosen ones stay', async () => {
    await database.migrate();
    await database.orm.migrator.down({ to: 'Migration20261125080931' });
    const execute = (text: string): Promise<unknown> => database.orm.em.fork().getConnection().execute(text);
    const [workspaceId, profileId] = [randomUUID(), randomUUID()];
    await execute(`insert into workspace (id, name, slug, embedding_model_id, created_at) values ('${workspaceId}', 'W', 'w', 'm', now())`);
    await execute(`insert into profile (id, workspace_id, slug, name, current_version, created_at, updated_at) values ('${profileId}', '${workspaceId}', 'p', 'P', 2, now(), now())`);
    for (const [number, fallbacks] of [[1, '{}'], [2, '{openai:gpt-4}']]) {
      await execute(`insert into profile_version (id, workspace_id, profile_id, number, system_prompt, fallback_model_ids, temperature, max_output_tokens, retrieval, tool_names, graph, cache_answers, created_at)
        values ('${randomUUID()}', '${workspaceId}', '${profileId}', ${number}, '', '${fallbacks}', 0, 1, '{}', '{}', '{}', false, now())`);
    }
    await database.migrate();
    expect(await execute('select number, fallback_model_ids::text as fallbacks from profile_version order by number')).toEqual([{ number: 1, fallbacks: null }, { number: 2, fallbacks: '{openai:gpt-4}' }]);
    await execute(`delete from workspace where id = '${workspaceId}'`);
  });

  it('what runs used before there was a ledger is booked, to the model that answered', async () => {
    await database.migrate();
    await database.orm.migrator.down({ to: 'Migration20261125081052' });
    const execute = (text: string): Promise<unknown> => database.orm.em.fork().getConnection().execute(text);
    const [id, userId, unused] = [randomUUID(), randomUUID(), randomUUID()];
    await execute(`insert into workspace (id, name, slug, embedding_model_id, created_at) values ('${id}', 'W', 'w', 'm', now())`);
    await execute(`insert into "user" (id, email, name, password_hash, created_at, updated_at) values ('${userId}', '${userId}@example.test', 'U', '', now(), now())`);
    await execute(`insert into profile (id, workspace_id, slug, name, current_version, created_at, updated_at) values ('${id}', '${id}', 'p', 'P', 1, now(), now())`);
    await execute(`insert into profile_version (id, workspace_id, profile_id, number, system_prompt, temperature, max_output_tokens, retrieval, tool_names, graph, cache_answers, created_at)
      values ('${id}', '${id}', '${id}', 1, '', 0, 1, '{}', '{}', '{}', false, now())`);
    await execute(`insert into chat_session (id, workspace_id, owner_id, profile_id, visibility, created_at, updated_at) values ('${id}', '${id}', '${userId}', '${id}', 'PRIVATE', now(), now())`);
    for (const [runId, tokens] of [[id, 7], [unused, 0]]) {
      await execute(`insert into run (id, workspace_id, session_id, user_id, profile_version_id, status, idempotency_key, request_hash, start_sequence, retrieval, time_zone, degraded, input_tokens, cost_usd, created_at, finished_at)
        values ('${runId}', '${id}', '${id}', '${userId}', '${id}', 'SUCCEEDED', '${runId}', '', 0, '{}', 'UTC', '{}', ${tokens}, 0.5, now(), '2026-01-02T03:04:05Z')`);
    }
    for (const [ordinal, modelId, succeeded] of [[0, 'openai:gpt-4o', false], [1, 'openai:gpt-4', true]]) {
      await execute(`insert into model_attempt (run_id, ordinal, workspace_id, model_id, attempt, succeeded, duration_ms, is_fallback) values ('${id}', ${ordinal}, '${id}', '${modelId}', 1, ${succeeded}, 1, false)`);
    }
    await database.migrate();
    expect(await execute(`select workspace_id = '${id}' and profile_id = '${id}' and session_id = '${id}' and run_id = '${id}' as mine, user_id = '${userId}' as by_user, model_id, provider_id, input_tokens, cost_usd, (occurred_at at time zone 'UTC')::text as at from usage_entry`))
      .toEqual([{ mine: true, by_user: true, model_id: 'openai:gpt-4', provider_id: 'openai', input_tokens: 7, cost_usd: 0.5, at: '2026-01-02 03:04:05' }]);
    await execute(`delete from workspace where id = '${id}'`);
    expect(await execute('select id from usage_entry')).toEqual([]);
  });

  it('a column that is missing would be noticed', async () => {
    await database.migrate();
    await database.orm.em.fork().getConnection().execute('alter table "profile" drop column "description"');
    expect(await database.orm.schema.getUpdateSchemaSQL({ wrap: false })).toContain('add "description" text');
    await database.orm.em.fork().getConnection().execute('alter table "profile" add column "description" text null');
  });
});

describe('on a server without pgvector', () => {
  let parley: TestApp;
  let ada: TestUser;
  beforeAll(async () => {
    parley = await createTestApp({ DATABASE_URL: await postgres.createDatabase('plain') });
    ada = await parley.signUp('Ada');
  });
  afterAll(() => parley.close());

  it('the app starts, and /ready says that vectors are missing', async () => {
    const response = await fetch(`${parley.url}/ready`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      status: 'degraded',
      components: expect.arrayContaining([
        expect.objectContaining({ name: 'database', state: 'OK', message: 'PostgreSQL' }),
        expect.objectContaining({ name: 'vectors', state: 'DEGRADED', message: expect.stringContaining('keyword') }),
      ]),
    });
  });

  it('a document is read, found by keyword and quoted in an answer, and a semantic search says what it could not do', async () => {
    const { createProfile } = await ada.ask('mutation { createProfile(input: { name: "Lighthouse", systemPrompt: "Answer.", retrieval: { mode: ALWAYS } }) { profile { id } userErrors { message } } }');
    const profileId = createProfile.profile.id;
    const { addTextDocument } = await ada.ask(
      'mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } job { id } userErrors { message } } }',
      { input: { name: 'Handbook', text: '# Fog horn\n\nThe fog horn sounds every forty seconds.\n\n# Lamp\n\nThe lamp is lit at sunset.', profileIds: [profileId] } },
    );
    expect(addTextDocument.userErrors).toEqual([]);
    const job = ada.subscribe('subscription ($id: ID!) { ingestionJobUpdated(jobId: $id) { status error { message } } }', { id: addTextDocument.job.id });
    const done = await job.until((event) => !['QUEUED', 'RUNNING'].includes(event.ingestionJobUpdated.status));
    expect(done.ingestionJobUpdated).toEqual({ status: 'SUCCEEDED', error: null });

    const SEARCH = 'query ($input: SearchInput!) { search(input: $input) { degraded totalCount edges { scores { vector keyword } node { text document { name } } } } }';
    const byKeyword = await ada.ask(SEARCH, { input: { query: 'When is the lamp lit?', profileId, mode: 'KEYWORD' } });
    expect(byKeyword.search).toMatchObject({ degraded: [], edges: [{ scores: { vector: null, keyword: expect.any(Number) }, node: { text: expect.stringContaining('sunset'), document: { name: 'Handbook' } } }] });
    for (const mode of ['SEMANTIC', 'HYBRID']) {
      const { search } = await ada.ask(SEARCH, { input: { query: 'When is the lamp lit?', profileId, mode } });
      expect(search).toMatchObject({ degraded: ['VECTOR_UNAVAILABLE'], edges: [{ node: { text: expect.stringContaining('sunset') } }] });
    }

    const { createChatSession } = await ada.ask('mutation ($id: ID!) { createChatSession(input: { profileId: $id }) { session { id } } }', { id: profileId });
    const sessionId = createChatSession.session.id;
    const { sendMessage } = await ada.ask('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { cursor userErrors { message } } }', {
      input: { sessionId, text: 'When is the lamp lit?', idempotencyKey: randomUUID() },
    });
    const stream = ada.subscribe(
      'subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { ... on MessageCompleted { message { citations { quote } } } ... on RunUpdated { runStatus } } }',
      { s: sessionId, a: sendMessage.cursor },
    );
    await stream.until((event) => event.chatEvents.runStatus === 'SUCCEEDED');
    expect(stream.events.find((event) => event.chatEvents.message?.citations.length > 0).chatEvents.message.citations).toEqual([{ quote: 'The lamp is lit at sunset.' }]);
  });

  it('lists are paged, and a cursor of another list is refused as on the embedded database', async () => {
    for (const name of ['B', 'A', 'C']) await ada.ask('mutation ($name: String!) { createProfile(input: { name: $name, systemPrompt: "Answer." }) { profile { id } } }', { name });
    const PAGE = 'query ($after: String) { profiles(first: 2, after: $after, orderBy: { field: CREATED_AT, direction: DESC }) { nodes { name } pageInfo { hasNextPage endCursor } } }';
    const first = (await ada.ask(PAGE)).profiles;
    expect(first.nodes.map((profile: { name: string }) => profile.name)).toEqual(['C', 'A']);
    expect((await ada.ask(PAGE, { after: first.pageInfo.endCursor })).profiles.nodes[0].name).toBe('B');
    for (const values of [['x', 'y'], [1, 2], ['\0', '\0']]) {
      const { errors } = await ada.request(PAGE, { after: Buffer.from(JSON.stringify(values)).toString('base64url') });
      expect(errors).toMatchObject([{ extensions: { code: 'VALIDATION_FAILED' } }]);
    }
  });
});
