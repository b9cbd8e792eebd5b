// Documents through the API: who may do what, what uploads become, and how they change and go.
import { createHash } from 'node:crypto';
import { graphql } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countStatements } from './support/statements.ts';
import { authenticate } from '../src/accounts/service.ts';
import { createContext } from '../src/context.ts';
import { schema } from '../src/schema.ts';
import { addText, createProfile, ended, holdEmbedding, read, replace, sendFiles, upload } from './documents/support.ts';
import { docx, encryptedPdf, paragraph, pdf, zip } from './documents/fixtures.ts';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';

let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  parley = await createTestApp({ UPLOAD_MAX_BYTES: '900000', UPLOAD_MAX_FILES: '5' });
  ada = await parley.signUp();
});
afterAll(() => parley.close());

const water = '# The water cycle\n\nWater evaporates from the sea.\n\n## Rain\n\nClouds bring rain to the land.';
const words = (count: number, seed = 'word'): string => Array.from({ length: count }, (_, index) => `${seed}${index % 97} sentence number ${index} ends here.`).join(' ');
const REINGEST = 'mutation ($input: ReingestDocumentInput!) { reingestDocument(input: $input) { document { id } job { id } userErrors { __typename code field } } }';
const CANCEL = 'mutation ($input: CancelIngestionInput!) { cancelIngestion(input: $input) { document { id status error { code } } job { status } userErrors { __typename code field } } }';
const DELETE = 'mutation ($input: DeleteDocumentInput!) { deleteDocument(input: $input) { deletedId userErrors { __typename code field } } }';
const ATTACH = 'mutation ($input: AttachDocumentsInput!) { attachDocuments(input: $input) { profile { id documents { totalCount nodes { id name } } } userErrors { __typename code field } } }';
const DETACH = 'mutation ($input: DetachDocumentsInput!) { detachDocuments(input: $input) { profile { documents { totalCount } } userErrors { __typename code field } } }';
const UPLOAD = 'mutation ($input: UploadDocumentsInput!) { uploadDocuments(input: $input) { documents { id } userErrors { __typename code ... on ForbiddenError { requiredPermission } } } }';

describe('a document', () => {
  it('is made of a text: its chunks are exactly its stored text', async () => {
    const { document, job, userErrors } = await addText(ada, { name: 'Water', text: water, tags: ['nature', ' nature '] });
    expect(userErrors).toEqual([]);
    expect(await ended(ada, job.id)).toMatchObject({ status: 'SUCCEEDED', stage: 'DONE', attempt: 1, error: null, document: { status: 'READY' } });
    const made = await read(ada, document.id);
    expect(made).toMatchObject({
      name: 'Water', mediaType: 'text/markdown', status: 'READY', error: null, tags: ['nature'], viewerCanDelete: true,
      sizeBytes: water.length, checksum: createHash('sha256').update(water).digest('hex'), uploadedBy: { id: ada.id },
      metadata: { title: 'The water cycle', pageCount: null, wordCount: 15, language: 'en' },
      version: { number: 1, chunkCount: made.chunkCount, embeddingModel: { name: 'bm25-hash' } },
      latestJob: { id: job.id, status: 'SUCCEEDED' },
    });
    expect(made.chunks.totalCount).toBe(made.chunkCount);
    for (const { text, location } of made.chunks.nodes) expect(made.version.text.slice(location.startOffset, location.endOffset)).toBe(text);
    expect(made.chunks.nodes[0].location).toMatchObject({ documentVersion: 1, headingPath: ['The water cycle'] });
  });

  it('tells its type by the content of the file, and its pages and headings', async () => {
    const files = [
      { name: 'a.bin', content: pdf(['First page about whales.', 'Second page about krill.'], { info: { Title: 'Whales', Author: 'Ishmael' } }) },
      { name: 'b.pdf', content: docx(paragraph('A paragraph of a letter.')) },
      { name: 'c.md', content: '# Title\n\nSome text.' },
      { name: '../../d.html', content: '<!doctype html><title>Page</title><h1>Head</h1><p>Body of the page.</p>' },
      { name: 'e', content: 'Just words, line by line.\nNothing else.' },
    ];
    const { documents, jobs, userErrors } = await upload(parley, ada, files);
    expect(userErrors).toEqual([]);
    for (const job of jobs) await ended(ada, job.id);
    const made = await Promise.all(documents.map(({ id }: { id: string }) => read(ada, id)));
    expect(made.map(({ name, mediaType, status }) => [name, mediaType, status])).toEqual([
      ['a.bin', 'application/pdf', 'READY'],
      ['b.pdf', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'READY'],
      ['c.md', 'text/markdown', 'READY'],
      ['d.html', 'text/html', 'READY'],
      ['e', 'text/plain', 'READY'],
    ]);
    expect(made[0]).toMatchObject({ metadata: { title: 'Whales', author: 'Ishmael', pageCount: 2 } });
    expect(made[0].chunks.nodes.map((chunk: { location: { page: number } }) => chunk.location.page)).toEqual([1, 2]);
  });

  it('is read as the type that was said, when its text was given', async () => {
    const { document, job } = await addText(ada, { text: '<p>Tags are part of this text.</p>', mediaType: 'text/plain' });
    await ended(ada, job.id);
    expect((await read(ada, document.id)).version.text).toBe('<p>Tags are part of this text.</p>');
  });

  it('is cut into chunks of the size that its profile asks for', async () => {
    const profileIds = [await createProfile(ada, { retrieval: { chunkSize: 60, chunkOverlap: 0 } })];
    const small = await addText(ada, { text: words(60), profileIds });
    const large = await addText(ada, { text: words(61) });
    await ended(ada, small.job.id);
    await ended(ada, large.job.id);
    const [few, many] = [await read(ada, large.document.id), await read(ada, small.document.id)];
    expect(many.profiles.map((profile: { id: string }) => profile.id)).toEqual(profileIds);
    expect(many.chunks.nodes.every((chunk: { tokenCount: number }) => chunk.tokenCount <= 60)).toBe(true);
    expect(many.chunkCount).toBeGreaterThan(few.chunkCount * 3);
  });

  it('gives any slice of its text, up to 100,000 code units', async () => {
    const text = `${'é😀'.repeat(40_000)} ${words(3000)}`;
    const { document, job } = await addText(ada, { text, mediaType: 'text/plain' });
    await ended(ada, job.id);
    const slice = async (start: number, end?: number) =>
      await ada.request('query ($id: ID!, $start: Int, $end: Int) { document(id: $id) { version { text(start: $start, end: $end) } } }', { id: document.id, start, end });
    for (const [start, end] of [[0, 10], [32_760, 32_775], [65_000, 165_000], [text.length - 5, text.length + 50]] as const) {
      expect((await slice(start, end)).data.document.version.text).toBe(text.slice(start, end));
    }
    expect((await slice(5)).data.document.version.text).toBe(text.slice(5, 100_005));
    expect((await slice(0, 100_001)).errors).toMatchObject([{ extensions: { code: 'VALIDATION_FAILED' } }]);
    expect((await slice(-1, 3)).errors).toMatchObject([{ extensions: { code: 'VALIDATION_FAILED' } }]);
  });
});

describe('uploadDocuments', () => {
  it('tells what is wrong with each file, and adds the others', async () => {
    const { documents, jobs, userErrors } = await upload(parley, ada, [
      { name: 'empty.txt', content: '' },
      { name: 'large.txt', content: words(40_000) },
      { name: 'sheet.xlsx', content: zip({ '[Content_Types].xml': '<Override ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>' }) },
      { name: 'picture.png', content: new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1]) },
      { name: 'good.txt', content: 'This one is good.' },
    ]);
    expect(userErrors.map((error: { code: string; field: string[] }) => [error.field.join('.'), error.code])).toEqual([
      ['files.0', 'VALIDATION_FAILED'], ['files.1', 'PAYLOAD_TOO_LARGE'], ['files.2', 'UNSUPPORTED_MEDIA_TYPE'], ['files.3', 'UNSUPPORTED_MEDIA_TYPE'],
    ]);
    expect(documents.map((document: { name: string }) => document.name)).toEqual(['good.txt']);
    expect(jobs).toHaveLength(1);
    const left = await parley.app.database.pglite?.query('select id from document_file where id not in (select file_id from document_version where file_id is not null)');
    expect(left?.rows).toEqual([]);
  });

  it('fails as a document when the file cannot be read, and says whether a retry helps', async () => {
    const { documents, jobs } = await upload(parley, ada, [
      { name: 'locked.pdf', content: encryptedPdf() },
      { name: 'blank.pdf', content: pdf(['', '']) },
      { name: 'torn.pdf', content: '%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 99 0 R >>\nendobj' },
      { name: 'torn.docx', content: new Uint8Array(zip({ 'word/document.xml': '<w:document/>' }).subarray(0, 40)) },
      { name: 'locked.docx', content: new Uint8Array(Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(504), Buffer.from('EncryptedPackage', 'utf16le')])) },
    ]);
    for (const job of jobs) expect(await ended(ada, job.id)).toMatchObject({ status: 'FAILED', stage: 'EXTRACTING', attempt: 1 });
    const made = await Promise.all(documents.map(({ id }: { id: string }) => read(ada, id)));
    expect(made.map(({ status, error, chunkCount }) => [status, error.code, error.stage, error.retryable, chunkCount])).toEqual([
      ['FAILED', 'DOCUMENT_ENCRYPTED', 'EXTRACTING', false, 0],
      ['FAILED', 'DOCUMENT_HAS_NO_TEXT', 'EXTRACTING', false, 0],
      ['FAILED', 'DOCUMENT_CORRUPT', 'EXTRACTING', false, 0],
      ['FAILED', 'DOCUMENT_CORRUPT', 'EXTRACTING', false, 0],
      ['FAILED', 'DOCUMENT_ENCRYPTED', 'EXTRACTING', false, 0],
    ]);
    expect(made[1].metadata.pageCount).toBe(2);
  });

  it('answers the document that is there for bytes that are known, or makes a version of it, or refuses', async () => {
    const grace = await parley.signUp('Grace');
    const file = { name: 'same.txt', content: 'The same bytes as ever.' };
    const [profileId, first] = [await createProfile(grace), (await upload(parley, grace, [file, { ...file, name: 'twin.txt' }])).documents];
    expect(first).toHaveLength(1);
    const again = await upload(parley, grace, [{ ...file, name: 'other name.txt' }], { profileIds: [profileId], tags: ['new'] });
    expect(again).toMatchObject({ documents: [{ id: first[0].id, name: 'same.txt', tags: ['new'] }], userErrors: [] });
    expect((await read(grace, first[0].id)).profiles).toMatchObject([{ id: profileId }]);
    const refused = await upload(parley, grace, [file], { onDuplicate: 'REJECT' });
    expect(refused).toMatchObject({ documents: [], userErrors: [{ __typename: 'ConflictError', code: 'ALREADY_EXISTS', field: ['files', '0'], existing: { id: first[0].id } }] });
    const version = await upload(parley, grace, [file], { onDuplicate: 'NEW_VERSION' });
    expect(version.documents).toMatchObject([{ id: first[0].id }]);
    await ended(grace, version.jobs[0].id);
    expect(await read(grace, first[0].id)).toMatchObject({ version: { number: 2 }, versions: { totalCount: 2 }, status: 'READY' });
    const elsewhere = await upload(parley, ada, [file]);
    expect(elsewhere.documents[0].id).not.toBe(first[0].id);
  });

  it('lets one of several simultaneous uploads of the same bytes make the document', async () => {
    const grace = await parley.signUp('Grace');
    const answers = await Promise.all(Array.from({ length: 5 }, () => upload(parley, grace, [{ name: 'race.txt', content: 'Everybody sends this.' }])));
    expect(new Set(answers.map((answer) => answer.documents[0].id)).size).toBe(1);
  });

  it('takes tags and profiles that exist, and no more files than allowed', async () => {
    const file = { name: 'x.txt', content: 'Whatever.' };
    const profileId = await createProfile(await parley.signUp('Stranger'));
    expect(await upload(parley, ada, [file], { profileIds: [profileId] })).toMatchObject({ documents: [], userErrors: [{ __typename: 'NotFoundError', field: ['profileIds', '0'] }] });
    expect(await upload(parley, ada, [file], { profileIds: ['nonsense'] })).toMatchObject({ userErrors: [{ __typename: 'NotFoundError', field: ['profileIds', '0'] }] });
    expect(await upload(parley, ada, [file], { tags: ['a', ' '] })).toMatchObject({ userErrors: [{ __typename: 'ValidationError', field: ['tags', '1'] }] });
    expect(await upload(parley, ada, [], {})).toMatchObject({ userErrors: [{ code: 'VALIDATION_FAILED', field: ['files'] }] });
  });

  it('checks a text as it checks files', async () => {
    for (const [input, field] of [[{ text: ' \n' }, 'text'], [{ text: 'x', name: ' ' }, 'name'], [{ text: 'x', mediaType: 'application/pdf' }, 'mediaType'], [{ text: words(24_000) }, 'text']] as const) {
      expect((await addText(ada, input)).userErrors).toMatchObject([{ field: [field] }]);
    }
  });
});

describe('a new version', () => {
  it('takes over when it is ready, and keeps the vectors of what did not change', async () => {
    const sections = (changed: string): string => Array.from({ length: 12 }, (_, index) => `# Part ${index}\n\n${index === 5 ? changed : words(40, `part${index}`)}`).join('\n\n');
    const first = await upload(parley, ada, [{ name: 'book.md', content: sections('As it was.') }]);
    await ended(ada, first.jobs[0].id);
    const { id } = first.documents[0];
    const before = await read(ada, id);
    const replaced = await replace(parley, ada, id, { name: 'book-2.md', content: sections('It was rewritten entirely.') });
    expect(replaced).toMatchObject({ document: { name: 'book.md' }, userErrors: [] });
    await ended(ada, replaced.job.id);
    const after = await read(ada, id);
    expect(after).toMatchObject({ status: 'READY', version: { number: 2 }, versions: { nodes: [{ number: 2 }, { number: 1 }] } });
    expect(after.version.text).toContain('rewritten');
    expect(after.version.reusedChunkCount).toBe(after.version.chunkCount - 1);
    const rows = await parley.app.database.pglite?.query<{ version_id: string }>('select distinct version_id from document_chunk where document_id = (select document_id from document_version where checksum = $1)', [before.checksum]);
    await settled();
    expect(rows?.rows).toHaveLength(1);
    const old = await ada.ask('query ($id: ID!) { node(id: $id) { ... on DocumentVersion { number text(start: 0, end: 8) } } }', { id: before.version.id });
    expect(old.node).toEqual({ number: 1, text: '# Part 0' });
    expect((await ada.ask('query ($id: ID!) { node(id: $id) { id } }', { id: before.chunks.nodes[0].id })).node).toBeNull();
    const vectors = await parley.app.database.pglite?.query<{ count: number }>('select count(*)::int as count from chunk_embedding join document_chunk on document_chunk.id = chunk_id join document_version on document_version.id = version_id where document_version.checksum = $1', [after.checksum]);
    expect(vectors?.rows[0]?.count).toBe(after.chunkCount);
  });

  it('that fails leaves the one before as it is', async () => {
    const { documents, jobs } = await upload(parley, ada, [{ name: 'stays.txt', content: 'What was good stays good.' }]);
    await ended(ada, jobs[0].id);
    const failed = await replace(parley, ada, documents[0].id, { name: 'locked.pdf', content: encryptedPdf() });
    expect(await ended(ada, failed.job.id)).toMatchObject({ status: 'FAILED', error: { code: 'DOCUMENT_ENCRYPTED' } });
    const document = await read(ada, documents[0].id);
    expect(document).toMatchObject({ status: 'READY', error: { code: 'DOCUMENT_ENCRYPTED' }, version: { number: 1 }, chunkCount: 1, versions: { totalCount: 2 } });
  });

  it('is not taken from a file that is refused', async () => {
    const { document } = await addText(ada, { text: 'Some text to replace.' });
    expect(await replace(parley, ada, document.id, { name: 'empty', content: '' })).toMatchObject({ document: null, userErrors: [{ code: 'VALIDATION_FAILED', field: ['file'] }] });
  });

  it('is made of the same bytes again by reingestDocument, unless that is going on', async () => {
    const { document, job } = await addText(ada, { text: 'To be read twice.' });
    const early = await ada.ask(REINGEST, { input: { id: document.id } });
    if (early.reingestDocument.job === null) expect(early.reingestDocument.userErrors).toMatchObject([{ __typename: 'ConflictError', field: ['id'] }]);
    await ended(ada, job.id);
    const { reingestDocument } = await ada.ask(REINGEST, { input: { id: document.id } });
    expect(await ended(ada, reingestDocument.job.id)).toMatchObject({ status: 'SUCCEEDED' });
    const again = await read(ada, document.id);
    expect(again.version.text).toBe('To be read twice.');
    expect(again.version.reusedChunkCount).toBe(1);
  });
});

describe('profiles', () => {
  it('use the documents that are attached to them, until they are detached', async () => {
    const profileId = await createProfile(ada);
    const [one, other] = [await addText(ada, { name: 'One', text: 'The first text.' }), await addText(ada, { name: 'Other', text: 'The second text.' })];
    const input = { profileId, documentIds: [one.document.id, other.document.id] };
    expect((await ada.ask(ATTACH, { input })).attachDocuments).toMatchObject({ profile: { id: profileId, documents: { totalCount: 2, nodes: [{ name: 'Other' }, { name: 'One' }] } }, userErrors: [] });
    expect((await ada.ask(ATTACH, { input })).attachDocuments.profile.documents.totalCount).toBe(2);
    const narrowed = await ada.ask('query ($id: ID!) { profile(id: $id) { documents(filterBy: { nameContains: "oth" }) { totalCount nodes { name } } } }', { id: profileId });
    expect(narrowed.profile.documents).toEqual({ totalCount: 1, nodes: [{ name: 'Other' }] });
    expect((await ada.ask(DETACH, { input: { profileId, documentIds: [one.document.id] } })).detachDocuments.profile.documents.totalCount).toBe(1);
    expect((await ada.ask(ATTACH, { input: { profileId, documentIds: [one.document.id, 'nonsense'] } })).attachDocuments.userErrors).toMatchObject([{ __typename: 'NotFoundError', field: ['documentIds', '1'] }]);
    const made = await createProfile(ada, { documentIds: [one.document.id] });
    expect((await read(ada, one.document.id)).profiles.map((profile: { id: string }) => profile.id)).toEqual([made]);
  });
});

describe('cancelIngestion', () => {
  it('stops an ingestion that has not finished; the document can be ingested again', async () => {
    const held = holdEmbedding(parley);
    const { document, job } = await addText(ada, { text: words(400) });
    await held.begun;
    const { cancelIngestion } = await ada.ask(CANCEL, { input: { jobId: job.id } });
    expect(cancelIngestion).toMatchObject({ document: { status: 'FAILED', error: { code: 'DOCUMENT_NOT_READY' } }, job: { status: 'CANCELLED' }, userErrors: [] });
    held.letGo();
    expect((await ada.ask(CANCEL, { input: { jobId: job.id } })).cancelIngestion.userErrors).toMatchObject([{ __typename: 'ConflictError', code: 'CONFLICT', field: ['jobId'] }]);
    const { reingestDocument } = await ada.ask(REINGEST, { input: { id: document.id } });
    expect(await ended(ada, reingestDocument.job.id)).toMatchObject({ status: 'SUCCEEDED' });
    expect((await read(ada, document.id)).status).toBe('READY');
  });
});

describe('deleteDocument', () => {
  it('takes a document away at once and its rows in the background, also while it is ingested', async () => {
    const grace = await parley.signUp('Grace');
    const profileId = await createProfile(grace);
    const done = await addText(grace, { text: 'Short and ready.', profileIds: [profileId] });
    await ended(grace, done.job.id);
    const held = holdEmbedding(parley);
    const busy = await addText(grace, { text: words(400), profileIds: [profileId] });
    await held.begun;
    for (const { document } of [done, busy]) {
      expect((await grace.ask(DELETE, { input: { id: document.id } })).deleteDocument).toEqual({ deletedId: document.id, userErrors: [] });
      expect((await grace.ask('query ($id: ID!) { document(id: $id) { id } node(id: $id) { id } }', { id: document.id }))).toEqual({ document: null, node: null });
      expect((await grace.ask(DELETE, { input: { id: document.id } })).deleteDocument.userErrors).toMatchObject([{ __typename: 'NotFoundError', field: ['id'] }]);
    }
    expect((await grace.ask('query ($id: ID!) { documents { totalCount } profile(id: $id) { documents { totalCount } } }', { id: profileId }))).toEqual({ documents: { totalCount: 0 }, profile: { documents: { totalCount: 0 } } });
    held.letGo();
    await settled();
    const workspace = Buffer.from(grace.workspaceId, 'base64url').toString().split(':')[1];
    for (const table of ['document', 'document_version', 'document_file', 'document_part', 'document_text', 'document_chunk', 'posting', 'chunk_embedding', 'ingestion_job']) {
      const rows = await parley.app.database.pglite?.query(`select from ${table} where workspace_id = $1`, [workspace]);
      expect([table, rows?.rows.length]).toEqual([table, 0]);
    }
  });
});

describe('documents', () => {
  it('are listed by filter, order and page', async () => {
    const grace = await parley.signUp('Grace');
    for (const [name, text, tags] of [['Beta', 'bb', ['x']], ['alpha', 'a', ['x', 'y']], ['Gamma %', 'gggg', []]] as const) {
      await ended(grace, (await addText(grace, { name, text: `${text} words`, tags })).job.id);
    }
    const list = async (args: string): Promise<string[]> => (await grace.ask(`{ documents(${args}) { nodes { name } } }`)).documents.nodes.map((node: { name: string }) => node.name);
    expect(await list('first: 10')).toEqual(['Gamma %', 'alpha', 'Beta']);
    expect(await list('orderBy: { field: NAME, direction: ASC }')).toEqual(['alpha', 'Beta', 'Gamma %']);
    expect(await list('orderBy: { field: SIZE, direction: DESC }')).toEqual(['Gamma %', 'Beta', 'alpha']);
    expect(await list('filterBy: { tag: "x" }, orderBy: { field: CREATED_AT, direction: ASC }')).toEqual(['Beta', 'alpha']);
    expect(await list('filterBy: { nameContains: "A %" }')).toEqual(['Gamma %']);
    expect(await list('filterBy: { status: [FAILED] }')).toEqual([]);
    expect(await list('filterBy: { mediaType: ["text/markdown"], createdAfter: "2020-01-01T00:00:00Z" }, orderBy: { field: STATUS, direction: ASC }')).toHaveLength(3);
    const page = await grace.ask('{ documents(first: 2, orderBy: { field: NAME, direction: ASC }) { totalCount pageInfo { hasNextPage endCursor } } }');
    expect(page.documents).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
    expect(await list(`first: 2, after: "${page.documents.pageInfo.endCursor}", orderBy: { field: NAME, direction: ASC }`)).toEqual(['Gamma %']);
  });

  it('cost the same number of statements for one and for many, with all that hangs on them', async () => {
    const query = `query ($first: Int) { documents(first: $first) { totalCount nodes {
      id version { id text } chunkCount latestJob { id document { id } } profiles { id documents(first: 2) { nodes { id } } } uploadedBy { id }
      versions(first: 2) { totalCount nodes { id } } chunks(first: 3) { totalCount nodes { id location { page } document { id } } } } } }`;
    const grace = await parley.signUp('Grace');
    const profileIds = [await createProfile(grace)];
    await Promise.all(Array.from({ length: 12 }, async (_, index) => ended(grace, (await addText(grace, { text: `Text number ${index} of many.`, profileIds })).job.id)));
    await settled();
    const viewer = await authenticate(parley.app, grace.accessToken);
    const cost = (first: number) =>
      countStatements(async () => expect((await graphql({ schema, source: query, variableValues: { first }, contextValue: createContext(parley.app, { viewer }) })).errors).toBeUndefined());
    const one = await cost(1);
    expect(one).toBeGreaterThan(3);
    expect(await cost(12)).toBe(one);
  });
});

describe('permissions', () => {
  it('let guests do nothing, readers read, editors write, and strangers find nothing', async () => {
    const viewer = await parley.signUpInto(ada, 'VIEWER');
    const member = await parley.signUpInto(ada, 'MEMBER');
    const editor = await parley.signUpInto(ada, 'EDITOR');
    const stranger = await parley.signUp('Stranger');
    const { document, job } = await addText(ada, { text: 'For readers.' });
    await ended(ada, job.id);
    const profileId = await createProfile(ada);
    const chunk = (await read(ada, document.id)).chunks.nodes[0].id;
    const LOOK = 'query ($id: ID!, $job: ID!, $chunk: ID!) { document(id: $id) { viewerCanDelete } ingestionJob(id: $job) { id } chunk: node(id: $chunk) { id } }';
    const ids = { id: document.id, job: job.id, chunk };

    expect((await parley.request(LOOK, ids)).errors?.every((error) => error.extensions?.code === 'UNAUTHENTICATED')).toBe(true);
    for (const reader of [viewer, member]) expect(await reader.ask(LOOK, ids)).toMatchObject({ document: { viewerCanDelete: false }, ingestionJob: { id: job.id }, chunk: { id: chunk } });
    expect(await editor.ask(LOOK, ids)).toMatchObject({ document: { viewerCanDelete: true } });
    expect(await stranger.ask(LOOK, ids)).toEqual({ document: null, ingestionJob: null, chunk: null });

    const writes = [
      [DELETE, { id: document.id }], [REINGEST, { id: document.id }], [CANCEL, { jobId: job.id }],
      [ATTACH, { profileId, documentIds: [document.id] }], [DETACH, { profileId, documentIds: [document.id] }],
    ] as const;
    for (const [mutation, input] of writes) {
      const codeFor = async (user: TestUser | null): Promise<string> => {
        const { data } = await (user ? user.request(mutation, { input }) : parley.request(mutation, { input }));
        return (Object.values(data)[0] as { userErrors: { code: string }[] }).userErrors[0]?.code ?? 'OK';
      };
      expect(await codeFor(null)).toBe('UNAUTHENTICATED');
      expect(await codeFor(member)).toBe('FORBIDDEN');
      expect(await codeFor(stranger)).toBe('NOT_FOUND');
    }
    const file = { 'variables.input.files.0': { name: 'x.txt', content: 'x' } };
    for (const [token, code] of [[null, 'UNAUTHENTICATED'], [viewer.accessToken, 'FORBIDDEN']] as const) {
      const { data } = await sendFiles(parley, token, UPLOAD, { input: { files: [null] } }, file);
      expect(data.uploadDocuments).toMatchObject({ documents: [], userErrors: [{ code }] });
    }
    const added = await sendFiles(parley, editor.accessToken, UPLOAD, { input: { files: [null] } }, file);
    expect(added.data.uploadDocuments.userErrors).toEqual([]);
  });
});

/** Resolves when no background job is left. */
async function settled(): Promise<void> {
  while ((await parley.app.jobs.pending()) > 0) await new Promise((resolve) => setImmediate(resolve));
}
