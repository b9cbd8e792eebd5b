// What the tests of documents share: uploads as clients send them, and waiting for ingestions as clients do.
import type { Models } from '../../src/models/catalog.ts';
import type { TestApp } from '../support/app.ts';
import type { Door, TestUser } from '../support/visitor.ts';

/** A file to upload. */
export interface UploadFile {
  readonly name: string;
  readonly content: string | Uint8Array;
}

const PROGRESS = `subscription ($jobId: ID, $documentId: ID, $profileId: ID) {
  ingestionJobUpdated(jobId: $jobId, documentId: $documentId, profileId: $profileId) {
    id status stage completedUnits totalUnits attempt startedAt finishedAt
    error { code stage message retryable failedChunkCount } document { id name status error { code } }
  }
}`;

/** Sends a mutation with files by the GraphQL multipart request specification; `paths` say where each file goes. */
export async function sendFiles(parley: Pick<Door, 'url'>, token: string | null, query: string, variables: object, files: Readonly<Record<string, UploadFile>>) {
  const form = new FormData();
  form.set('operations', JSON.stringify({ query, variables }));
  form.set('map', JSON.stringify(Object.fromEntries(Object.keys(files).map((path, index) => [index, [path]]))));
  for (const [index, { name, content }] of Object.values(files).entries()) form.set(String(index), new Blob([content as string]), name);
  const response = await fetch(`${parley.url}/graphql`, {
    method: 'POST',
    headers: { 'graphql-require-preflight': '1', ...(token && { authorization: `Bearer ${token}` }) },
    body: form,
  });
  return (await response.json()) as { data: any; errors?: any[] }; // eslint-disable-line -- read by the test that wrote the query
}

const UPLOAD = `mutation ($input: UploadDocumentsInput!) { uploadDocuments(input: $input) {
  documents { id name mediaType sizeBytes status tags } jobs { id document { id } }
  userErrors { __typename code field message ... on ConflictError { existing { id } } }
} }`;

/** Uploads files with one request. */
export async function upload(parley: Pick<Door, 'url'>, user: TestUser, files: readonly UploadFile[], input: object = {}) {
  const slots = Object.fromEntries(files.map((file, index) => [`variables.input.files.${index}`, file]));
  const { data, errors } = await sendFiles(parley, user.accessToken, UPLOAD, { input: { ...input, files: files.map(() => null) } }, slots);
  if (errors) throw new Error(JSON.stringify(errors));
  return data.uploadDocuments;
}

const REPLACE = `mutation ($input: ReplaceDocumentInput!) { replaceDocument(input: $input) {
  document { id name status version { number } } job { id } userErrors { __typename code field message }
} }`;

/** Gives a document a new file. */
export async function replace(parley: Pick<Door, 'url'>, user: TestUser, id: string, file: UploadFile) {
  const { data, errors } = await sendFiles(parley, user.accessToken, REPLACE, { input: { id, file: null } }, { 'variables.input.file': file });
  if (errors) throw new Error(JSON.stringify(errors));
  return data.replaceDocument;
}

const ADD = `mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) {
  document { id name status mediaType } job { id status } userErrors { __typename code field message }
} }`;

/** Adds a text. */
export async function addText(user: TestUser, input: { name?: string; text: string; mediaType?: string; profileIds?: readonly string[]; tags?: readonly string[] }) {
  const { addTextDocument } = await user.ask(ADD, { input: { name: 'Text', ...input } });
  return addTextDocument;
}

/** Follows ingestions. */
export function followJobs(user: TestUser, filter: { jobId?: string; documentId?: string; profileId?: string } = {}) {
  return user.subscribe(PROGRESS, filter);
}

/** The job as it ended. */
export async function ended(user: TestUser, jobId: string) {
  const jobs = followJobs(user, { jobId });
  await jobs.ended;
  return jobs.events.at(-1).ingestionJobUpdated;
}

const READ = `query ($id: ID!) { document(id: $id) {
  id name mediaType sizeBytes checksum status error { code stage message retryable failedChunkCount } tags chunkCount
  metadata { title author pageCount wordCount language documentCreatedAt extra }
  version { id number checksum sizeBytes chunkCount reusedChunkCount embeddingModel { name } text }
  versions { totalCount nodes { id number } }
  chunks(first: 100) { totalCount nodes { id ordinal text tokenCount location { documentVersion page headingPath startOffset endOffset } } }
  latestJob { id status stage attempt error { code } } profiles { id name } uploadedBy { id } viewerCanDelete
} }`;

/** The document as its reader sees it. */
export async function read(user: TestUser, id: string) {
  return (await user.ask(READ, { id })).document;
}

/** A new profile of the user's. */
export async function createProfile(user: TestUser, input: object = {}): Promise<string> {
  const { createProfile: made } = await user.ask(
    'mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }',
    { input: { name: 'Teacher', systemPrompt: 'Teach.', ...input } },
  );
  return made.profile.id;
}

export interface HeldEmbedding {
  /** Resolves when an ingestion is held. */
  readonly begun: Promise<void>;
  letGo(): void;
  /** For who is not to be held. */
  readonly embed: Models['embed'];
}

/** Holds an app's ingestions where they are about to embed, until they are let go. */
export function holdEmbedding({ app }: TestApp): HeldEmbedding {
  const models = app.models as { embed: Models['embed'] };
  const { embed } = models;
  const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  models.embed = async (request) => {
    begun.resolve();
    const stopped = new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason as Error)));
    await Promise.race([go.promise, stopped]);
    return await embed(request);
  };
  return {
    begun: begun.promise,
    embed,
    letGo() {
      models.embed = embed;
      go.resolve();
    },
  };
}
