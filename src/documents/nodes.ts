// The types of documents: the document itself, its versions, the chunks that search finds, and the jobs that make them.
import { UserNode } from '../accounts/schema.ts';
import { builder, connection, ErrorCodeEnum, forwardArgs, onlyUuids } from '../builder.ts';
import { requireViewer, type Context } from '../context.ts';
import { ValidationError } from '../platform/errors.ts';
import { ProfileNode } from '../profiles/schema.ts';
import { ModelNode } from '../providers/schema.ts';
import type { Document, DocumentMetadata, DocumentVersion, IngestionError, IngestionJob } from './entity.ts';
import type { FollowedJob } from './follow.ts';
import * as reading from './reading.ts';
import type { ChunkRow } from './reading.ts';
import { readTexts } from './text.ts';

export const DocumentStatusEnum = builder.enumType('DocumentStatus', {
  description: 'How far a document is. A newer version that is on its way, or failed, leaves the published one searchable.',
  values: {
    PENDING: { description: 'It waits to be ingested.' },
    PROCESSING: { description: 'It is being ingested.' },
    READY: { description: 'It can be searched.' },
    PARTIALLY_READY: { description: 'It can be searched, but not all of it by meaning; `error` says why.' },
    FAILED: { description: 'It cannot be searched; `error` says why.' },
    DELETING: { description: 'It was deleted and its rows are being removed; only listed when asked for.' },
  },
});
const IngestionStageEnum = builder.enumType('IngestionStage', {
  description: 'What an ingestion does.',
  values: {
    QUEUED: { description: 'It waits.' },
    EXTRACTING: { description: 'Reads the text out of the file.' },
    CHUNKING: { description: 'Stores the text and its chunks.' },
    EMBEDDING: { description: 'Gives chunks their vectors.' },
    INDEXING: { description: 'Indexes the words of the chunks.' },
    DONE: { description: 'The version is published.' },
  },
});
/** How a piece of work is going. */
export const JobStatusEnum = builder.enumType('JobStatus', {
  description: 'How a piece of work is going.',
  values: {
    QUEUED: { description: 'It waits.' },
    RUNNING: { description: 'It is worked on.' },
    SUCCEEDED: { description: 'It is done.' },
    PARTIALLY_SUCCEEDED: { description: 'It is done, with something missing; the error says what.' },
    FAILED: { description: 'It failed; the error says why.' },
    CANCELLED: { description: 'Somebody stopped it, or a newer one took its place.' },
  },
});

const IngestionErrorObject = builder.objectRef<IngestionError>('IngestionError').implement({
  description: 'Why an ingestion failed, or what is missing of it.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCodeEnum, description: 'For programs, e.g. DOCUMENT_ENCRYPTED.' }),
    stage: t.expose('stage', { type: IngestionStageEnum, description: 'Where it happened.' }),
    message: t.exposeString('message', { description: 'What happened and what to do; for people.' }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether reingestDocument may help.' }),
    failedChunkCount: t.exposeInt('failedChunkCount', { description: 'Chunks without a vector.' }),
  }),
});

const DocumentMetadataObject = builder.objectRef<DocumentMetadata>('DocumentMetadata').implement({
  description: 'What a file says about itself, and what was counted.',
  fields: (t) => ({
    title: t.exposeString('title', { nullable: true, description: 'Title, as the file gives it.' }),
    author: t.exposeString('author', { nullable: true, description: 'Author, as the file gives it.' }),
    pageCount: t.exposeInt('pageCount', { nullable: true, description: 'Pages; null for formats without fixed pages.' }),
    wordCount: t.exposeInt('wordCount', { description: 'Words of the text; 0 until it was read.' }),
    language: t.exposeString('language', { nullable: true, description: 'ISO 639 code, e.g. "en"; null when the text is too short to tell.' }),
    documentCreatedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the file says it was written.',
      resolve: ({ documentCreatedAt }) => (documentCreatedAt === null ? null : new Date(documentCreatedAt)),
    }),
    extra: t.field({ type: 'JSON', description: 'What else the file says, under the names of its format.', resolve: ({ extra }) => extra }),
  }),
});

/** Where a passage is; anything with these properties is one. */
export const SourceLocation = builder
  .objectRef<{ documentVersion: number; page?: number | null | undefined; headingPath: readonly string[]; startOffset: number; endOffset: number }>('SourceLocation')
  .implement({
    description: 'Where a passage is in the stored, extracted text; offsets are UTF-16 code units, end exclusive.',
    fields: (t) => ({
      documentVersion: t.exposeInt('documentVersion', { description: 'Number of the version.' }),
      page: t.int({ nullable: true, description: 'Page, from 1; null for formats without fixed pages.', resolve: ({ page }) => page ?? null }),
      headingPath: t.stringList({ description: 'Titles of the headings above it, outermost first.', resolve: ({ headingPath }) => [...headingPath] }),
      startOffset: t.exposeInt('startOffset', { description: 'Where it begins.' }),
      endOffset: t.exposeInt('endOffset', { description: 'Where it ends, exclusive.' }),
    }),
  });

/** A document of the workspace; one that was deleted is not found. */
export const DocumentNode = builder.loadableNodeRef('Document', {
  id: { resolve: (document) => document.id },
  sort: (document: Document) => document.id,
  load: (ids: string[], ctx: Context): Promise<Document[]> => reading.documentsById(ctx, onlyUuids(ids)),
});
/** A version of a document. */
export const DocumentVersionNode = builder.loadableNodeRef('DocumentVersion', {
  id: { resolve: (version) => version.id },
  sort: (version: DocumentVersion) => version.id,
  load: (ids: string[], ctx: Context): Promise<DocumentVersion[]> => reading.versionsById(ctx, onlyUuids(ids)),
});
/** A chunk of a published version. */
export const DocumentChunkNode = builder.loadableNodeRef('DocumentChunk', {
  id: { resolve: (chunk) => chunk.id },
  sort: (chunk: ChunkRow) => chunk.id,
  load: (ids: string[], ctx: Context): Promise<ChunkRow[]> => reading.chunksById(ctx, onlyUuids(ids)),
});
/** An ingestion. */
export const IngestionJobNode = builder.loadableNodeRef('IngestionJob', {
  id: { resolve: (job) => job.id },
  sort: (job: IngestionJob) => job.id,
  load: (ids: string[], ctx: Context): Promise<IngestionJob[]> => reading.jobsById(ctx, onlyUuids(ids)),
});

const maxTextLength = 100_000;

DocumentVersionNode.implement({
  description: 'What a document was at one time: its bytes, its text and, while it is the published one, its chunks.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: '1 for the first, rising by one with each ingestion.' }),
    checksum: t.exposeString('checksum', { description: 'SHA-256 of its bytes, hexadecimal.' }),
    sizeBytes: t.exposeInt('sizeBytes', { description: 'Length of its bytes.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was uploaded or taken up again.' }),
    chunkCount: t.exposeInt('chunkCount', { description: 'Its chunks when it was published; 0 before.' }),
    reusedChunkCount: t.exposeInt('reusedChunkCount', { description: 'Of these, how many kept the vector they had in the version before.' }),
    embeddingModel: t.field({ type: ModelNode, description: 'The model of its vectors.', resolve: (version) => version.embeddingModelId }),
    text: t.loadable({
      type: 'String',
      byPath: true,
      args: {
        start: t.arg.int({ defaultValue: 0, description: 'Where to begin, 0 for the beginning.' }),
        end: t.arg.int({ description: 'Where to end, exclusive; as far as allowed when absent.' }),
      },
      description: 'The stored extracted text from `start` to `end` (UTF-16 code units, end exclusive, at most 100,000 at once): what every SourceLocation points into.',
      load: async (ids: string[], ctx: Context, args) => {
        const start = args.start ?? 0;
        const end = args.end ?? start + maxTextLength;
        if (start < 0) throw new ValidationError(`"start" is ${start}; the text begins at 0.`, ['start'], 'minimum');
        if (end < start) throw new ValidationError(`"end" is ${end}, before "start".`, ['end'], 'minimum');
        if (end - start > maxTextLength) throw new ValidationError('Ask for at most 100,000 code units at once.', ['end'], 'maximum');
        const texts = await readTexts(ctx, ids, start, end);
        return ids.map((id) => texts.get(id) ?? '');
      },
      resolve: (version) => version.id,
    }),
  }),
});

DocumentChunkNode.implement({
  description: 'A passage of a document: what is embedded, searched and cited.',
  fields: (t) => ({
    document: t.field({ type: DocumentNode, description: 'The document it is of.', resolve: (chunk) => chunk.documentId }),
    ordinal: t.exposeInt('ordinal', { description: 'Position among the chunks of its version, from 0.' }),
    text: t.exposeString('text', { description: 'Its words: exactly the stored text at its location.' }),
    tokenCount: t.exposeInt('tokenCount', { description: 'Its length in tokens, as language models count.' }),
    location: t.field({ type: SourceLocation, description: 'Where it is.', resolve: (chunk) => chunk }),
  }),
});

IngestionJobNode.implement({
  description: 'The work that makes a version of a document searchable.',
  fields: (t) => ({
    document: t.loadable({
      type: DocumentNode,
      description: 'The document that is ingested.',
      resolve: (job) => job as FollowedJob,
      loaderOptions: { cacheKeyFn: (job: FollowedJob) => job.id as never },
      load: async (jobs: FollowedJob[], ctx: Context) => {
        // Also one that is being deleted: the end of its job is still to be told.
        const wanted = jobs.filter((job) => !job.owner).map((job) => job.documentId);
        const found = new Map((await reading.documentsById(ctx, wanted, { deleting: true })).map((document) => [document.id, document]));
        return jobs.map((job) => job.owner ?? found.get(job.documentId) ?? new Error(`The document ${job.documentId} was removed.`));
      },
    }),
    status: t.expose('status', { type: JobStatusEnum, description: 'How it is going.' }),
    stage: t.expose('stage', { type: IngestionStageEnum, description: 'What it does, or where it ended.' }),
    completedUnits: t.exposeInt('completedUnits', { description: 'Chunks that the stage is through with.' }),
    totalUnits: t.exposeInt('totalUnits', { nullable: true, description: 'Chunks in all; null while that is not known.' }),
    attempt: t.exposeInt('attempt', { description: 'Tries so far; unexpected failures are tried three times.' }),
    error: t.field({ type: IngestionErrorObject, nullable: true, description: 'Why it failed, or what is missing.', resolve: (job) => job.error ?? null }),
    queuedAt: t.expose('queuedAt', { type: 'DateTime', description: 'When it was asked for.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When its first try began.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended.' }),
  }),
});

export const DocumentConnection = connection('Document', DocumentNode as never, 'documents');
const DocumentVersionConnection = connection('DocumentVersion', DocumentVersionNode as never, 'versions');
const DocumentChunkConnection = connection('DocumentChunk', DocumentChunkNode as never, 'chunks');

DocumentNode.implement({
  description: 'A file or text that can be searched and cited.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'File name or given name.' }),
    mediaType: t.exposeString('mediaType', { description: 'What it is by its content, e.g. "application/pdf".' }),
    sizeBytes: t.exposeInt('sizeBytes', { description: 'Length of the newest bytes.' }),
    checksum: t.exposeString('checksum', { description: 'SHA-256 of the newest bytes, hexadecimal.' }),
    status: t.expose('status', { type: DocumentStatusEnum, description: 'How far it is.' }),
    error: t.field({
      type: IngestionErrorObject,
      nullable: true,
      description: 'Why the newest ingestion failed, or what is missing of it.',
      resolve: (document) => document.error ?? null,
    }),
    metadata: t.expose('metadata', { type: DocumentMetadataObject, description: 'What the file says about itself, and what was counted.' }),
    tags: t.exposeStringList('tags', { description: 'Labels to filter by.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was added.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
    uploadedBy: t.field({ type: UserNode, nullable: true, description: 'Who added it; null when they have left.', resolve: (document) => document.uploadedById ?? null }),
    version: t.loadable({
      type: DocumentVersionNode,
      description: 'The version that is searched; the newest one while none is published.',
      resolve: versionKey,
      load: async (keys: string[], ctx: Context) => {
        const found = await reading.currentVersions(ctx, keys.map((key) => key.slice(0, 36)));
        return keys.map((key) => found.get(key.slice(0, 36)) ?? new Error(`The document ${key} was removed.`));
      },
    }),
    versions: t.loadable({
      type: DocumentVersionConnection,
      byPath: true,
      args: forwardArgs(t.arg),
      description: 'All its versions, newest first.',
      load: (ids: string[], ctx: Context, args) => reading.versionsOfDocuments(ctx, ids, args),
      resolve: (document) => document.id,
    }),
    chunks: t.loadable({
      type: DocumentChunkConnection as never,
      byPath: true,
      args: forwardArgs(t.arg),
      description: 'The chunks of the published version, in the order of the text.',
      load: (ids: string[], ctx: Context, args) => reading.chunksOfDocuments(ctx, ids, args) as Promise<never[]>,
      resolve: (document) => document.id,
    }),
    chunkCount: t.loadable({
      type: 'Int',
      description: 'Chunks of the published version; 0 without one.',
      resolve: versionKey,
      load: async (keys: string[], ctx: Context) => {
        const found = await reading.currentVersions(ctx, keys.map((key) => key.slice(0, 36)));
        return keys.map((key) => (key.includes('::') ? 0 : (found.get(key.slice(0, 36))?.chunkCount ?? 0)));
      },
    }),
    latestJob: t.loadable({
      type: IngestionJobNode,
      nullable: true,
      description: 'Its newest ingestion.',
      resolve: (document) => document.id,
      load: async (ids: string[], ctx: Context) => {
        const found = await reading.latestJobs(ctx, ids);
        return ids.map((id) => found.get(id) ?? null);
      },
    }),
    profiles: t.loadableList({
      type: ProfileNode,
      description: 'The profiles that may use it, by name.',
      resolve: (document) => document.id,
      load: async (ids: string[], ctx: Context) => {
        const found = await reading.profilesOfDocuments(ctx, ids);
        return ids.map((id) => found.get(id) ?? []);
      },
    }),
    viewerCanDelete: t.boolean({
      description: 'Whether the viewer may delete it.',
      resolve: (_document, _args, ctx) => requireViewer(ctx).permissions.has('DOCUMENT_WRITE'),
    }),
  }),
});

/** Within one request a document may get a new version after it was read: the key is also that of its state. */
function versionKey(document: Document): string {
  return `${document.id}:${document.publishedVersionId ?? ''}:${document.latestVersion}`;
}
