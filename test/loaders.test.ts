import { graphql } from 'graphql';
import { randomUUIDv7 } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countStatements } from './support/statements.ts';
import { Member, User } from '../src/accounts/entity.ts';
import { authenticate } from '../src/accounts/service.ts';
import { ChatSession, Citation, Message, MessageBlock } from '../src/chat/entity.ts';
import { createContext, type Viewer } from '../src/context.ts';
import { Document, DocumentChunk, DocumentVersion, ProfileDocument } from '../src/documents/entity.ts';
import { createProfile } from '../src/profiles/service.ts';
import { createTask } from '../src/tasks/service.ts';
import { schema } from '../src/schema.ts';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';
import { withoutProfiles } from './support/installation.ts';

// biome-ignore lint: answers are read by the test that wrote the query.
type Data = any;

let parley: TestApp;
let ada: TestUser;
let viewer: Viewer;
beforeAll(async () => {
  parley = await createTestApp({ CONFIG_FILE: withoutProfiles() });
  ada = await parley.signUp('Ada');
  viewer = await authenticate(parley.app, ada.accessToken);
  await makeProfiles();
});
afterAll(() => parley.close());

/** A hundred profiles, each with a document of two chunks. */
async function makeProfiles(): Promise<void> {
  const ctx = createContext(parley.app, { viewer });
  const { workspaceId } = viewer;
  const common = { workspaceId, mediaType: 'text/plain', sizeBytes: 3, checksum: 'x', status: 'READY' as const, tags: [], latestVersion: 1 };
  const metadata = { title: null, author: null, pageCount: null, wordCount: 1, language: null, documentCreatedAt: null, extra: {} };
  for (let index = 0; index < 100; index++) {
    const profile = await createProfile(ctx, { name: `Profile ${index}`, systemPrompt: 'Answer.' });
    const [documentId, versionId] = [randomUUIDv7(), randomUUIDv7()];
    const em = parley.app.database.fork();
    em.create(Document, { ...common, id: documentId, name: `Document ${index}`, metadata, publishedVersionId: versionId });
    await em.flush();
    em.create(DocumentVersion, { id: versionId, workspaceId, documentId, number: 1, checksum: 'x', sizeBytes: 3, embeddingModelId: 'offline:bm25-hash', chunkCount: 2 });
    em.create(ProfileDocument, { profileId: profile.id, documentId, workspaceId });
    await em.flush();
    for (const ordinal of [0, 1]) {
      em.create(DocumentChunk, { workspaceId, documentId, versionId, ordinal, text: 'abc', tokenCount: 1, termCount: 1, headingPath: [], startOffset: 0, endOffset: 3, checksum: 'x' });
    }
    await em.flush();
  }
}

/** Statements that the query takes, and its data. */
async function cost(source: string, first: number): Promise<{ statements: number; data: Data }> {
  let data: Data;
  const statements = await countStatements(async () => {
    const answer = await graphql({ schema, source, variableValues: { first }, contextValue: createContext(parley.app, { viewer }) });
    expect(answer.errors).toBeUndefined();
    data = answer.data;
  });
  return { statements, data };
}

describe('the number of statements is the same for 1 and for 100 parents', () => {
  it('from profiles to their documents to their chunks', async () => {
    const query = `query ($first: Int) { profiles(first: $first) { nodes { name documents(first: 5) { totalCount nodes { name chunks(first: 5) { totalCount nodes { text document { name } location { startOffset } } } } } } } }`;
    const one = await cost(query, 1);
    const many = await cost(query, 100);
    expect(many.data.profiles.nodes).toHaveLength(100);
    for (const profile of many.data.profiles.nodes) expect(profile.documents.nodes[0].chunks).toMatchObject({ totalCount: 2, nodes: [{ text: 'abc' }, { text: 'abc' }] });
    expect(one.statements).toBeGreaterThan(3);
    expect(many.statements).toBe(one.statements);
  });

  it('from documents to their versions, jobs, uploaders and profiles', async () => {
    const query = `query ($first: Int) { documents(first: $first) { totalCount nodes { name chunkCount viewerCanDelete uploadedBy { name } latestJob { id status }
      version { number embeddingModel { name } } versions(first: 2) { totalCount nodes { number } } profiles { name version { number createdBy { name } } } } } }`;
    const one = await cost(query, 1);
    const many = await cost(query, 100);
    expect(many.data.documents.nodes).toHaveLength(100);
    for (const document of many.data.documents.nodes) expect(document).toMatchObject({ version: { number: 1 }, versions: { totalCount: 1 }, profiles: [{ version: { createdBy: { name: 'Ada' } } }] });
    expect(many.statements).toBe(one.statements);
  });

  it('from members to their users', async () => {
    const em = parley.app.database.fork();
    for (let index = 0; index < 99; index++) {
      const user = em.create(User, { id: randomUUIDv7(), email: `member-${index}@example.test`, name: `Member ${index}`, passwordHash: '' });
      em.create(Member, { workspaceId: viewer.workspaceId, userId: user.id, role: 'MEMBER' });
    }
    await em.flush();
    const query = 'query ($first: Int) { viewer { workspace { members(first: $first) { totalCount nodes { role joinedAt user { name email } } } } } }';
    const one = await cost(query, 1);
    const many = await cost(query, 100);
    expect(new Set(many.data.viewer.workspace.members.nodes.map((member: Data) => member.user.email)).size).toBe(100);
    expect(many.statements).toBe(one.statements);
  });

  it('from tasks to their owners, and from ids to tasks', async () => {
    const ctx = createContext(parley.app, { viewer });
    for (let index = 0; index < 100; index++) await createTask(ctx, { title: `Task ${index}` });
    const query = 'query ($first: Int) { tasks(first: $first) { totalCount nodes { id title owner { name } } } }';
    const one = await cost(query, 1);
    const many = await cost(query, 100);
    expect(new Set(many.data.tasks.nodes.map((task: Data) => `${task.title} of ${task.owner.name}`)).size).toBe(100);
    expect(many.statements).toBe(one.statements);
    const byId = (ids: string[]) => cost(`{ nodes(ids: ${JSON.stringify(ids)}) { ... on Task { title owner { name } } } }`, 1);
    const ids: string[] = many.data.tasks.nodes.map((task: Data) => task.id);
    const all = await byId(ids);
    expect(all.data.nodes.map((task: Data) => task.title)).toEqual(many.data.tasks.nodes.map((task: Data) => task.title));
    expect(all.statements).toBe((await byId(ids.slice(0, 1))).statements);
  });

  it('from chat sessions to their messages to their citations', async () => {
    const { id: profileId } = await createProfile(createContext(parley.app, { viewer }), { name: 'For chats', systemPrompt: 'Answer.' });
    const { workspaceId, userId } = viewer;
    for (let index = 0; index < 100; index++) {
      const [sessionId, question, answer] = [randomUUIDv7(), randomUUIDv7(), randomUUIDv7()];
      const em = parley.app.database.fork();
      em.create(ChatSession, { id: sessionId, workspaceId, ownerId: userId, profileId, title: `Chat ${index}`, visibility: 'PRIVATE', selectedLeafId: answer });
      await em.flush();
      em.create(Message, { id: question, workspaceId, sessionId, role: 'USER', status: 'COMPLETE', authorId: userId });
      await em.flush();
      em.create(Message, { id: answer, workspaceId, sessionId, parentId: question, role: 'ASSISTANT', status: 'COMPLETE' });
      em.create(MessageBlock, { messageId: answer, index: 0, workspaceId, kind: 'TEXT', text: `Answer ${index} [1]` });
      em.create(Citation, { messageId: answer, ordinal: 0, workspaceId, index: 1, documentName: 'D', documentVersion: 1, headingPath: [], startOffset: 0, endOffset: 5, quote: 'quote', answerStart: 0, answerEnd: 6 });
      await em.flush();
    }
    const query = `query ($first: Int) { chatSessions(first: $first) { nodes { title owner { name } profile { name } usage { inputTokens } activeRun { id } leaves { id }
      messages(first: 10) { totalCount nodes { role text siblings { id } siblingIndex run { id } usage { costUsd } blocks { __typename } citations { quote document { name } chunk { text } } } } runs(first: 2) { totalCount } } } }`;
    const one = await cost(query, 1);
    const many = await cost(query, 100);
    expect(many.data.chatSessions.nodes).toHaveLength(100);
    for (const session of many.data.chatSessions.nodes) {
      expect(session.messages).toMatchObject({ totalCount: 2, nodes: [{ role: 'USER', siblingIndex: 0 }, { role: 'ASSISTANT', citations: [{ quote: 'quote' }] }] });
      expect(session.messages.nodes[1].text).toBe(`Answer ${session.title.slice(5)} [1]`);
    }
    expect(one.statements).toBeGreaterThan(3);
    expect(many.statements).toBe(one.statements);
  });
});

describe('a loader', () => {
  it('serves one operation only: what changed since is seen by the next', async () => {
    const NAME = '{ viewer { user { name } } }';
    expect((await ada.ask(NAME)).viewer.user.name).toBe('Ada');
    await ada.ask('mutation { updateViewer(input: { name: "Ada Lovelace" }) { user { name } } }');
    expect((await ada.ask(NAME)).viewer.user.name).toBe('Ada Lovelace');
  });

  it('serves one viewer only', async () => {
    const eve = await parley.signUp('Eve');
    const { profiles } = await ada.ask('{ profiles(first: 1) { nodes { id } } }');
    const [mine, theirs] = await Promise.all([ada, eve].map((user) => user.ask('query ($id: ID!) { node(id: $id) { id } }', { id: profiles.nodes[0].id })));
    expect([mine.node, theirs.node]).toEqual([{ id: profiles.nodes[0].id }, null]);
  });

  it('does not outlive an event of a subscription', async () => {
    const { profiles } = await ada.ask('{ profiles(first: 1) { nodes { id } } }');
    const { createChatSession } = await ada.ask('mutation ($id: ID!) { createChatSession(input: { profileId: $id, title: "One" }) { session { id } } }', { id: profiles.nodes[0].id });
    const { id } = createChatSession.session;
    const stream = ada.subscribe('subscription ($id: ID!) { chatEvents(sessionId: $id) { __typename ... on SessionUpdated { session { title } } } }', { id });
    await stream.until((event) => event.chatEvents.__typename === 'StreamCaughtUp');
    for (const title of ['Two', 'Three']) {
      await ada.ask('mutation ($id: ID!, $title: String!) { updateChatSession(input: { id: $id, title: $title }) { session { id } } }', { id, title });
      await stream.until((event) => event.chatEvents.session?.title === title);
    }
  });
});
