// What is stored of documents: the file and its versions, their text and chunks, what the index knows of them, and the
// jobs that bring them there. A version is searchable from the moment the document names it as published.
import { defineEntity, p } from '@mikro-orm/core';
import { randomUUIDv7 } from 'node:crypto';
import { User, Workspace } from '../accounts/entity.ts';
import type { ErrorCode } from '../platform/errors.ts';
import { Profile } from '../profiles/entity.ts';

export const documentStatuses = ['PENDING', 'PROCESSING', 'READY', 'PARTIALLY_READY', 'FAILED', 'DELETING'] as const;
export type DocumentStatus = (typeof documentStatuses)[number];
export const ingestionStages = ['QUEUED', 'EXTRACTING', 'CHUNKING', 'EMBEDDING', 'INDEXING', 'DONE'] as const;
export type IngestionStage = (typeof ingestionStages)[number];
export const jobStatuses = ['QUEUED', 'RUNNING', 'SUCCEEDED', 'PARTIALLY_SUCCEEDED', 'FAILED', 'CANCELLED'] as const;
export type JobStatus = (typeof jobStatuses)[number];

/** Why and where an ingestion ended badly. */
export interface IngestionError {
  readonly code: ErrorCode;
  readonly stage: IngestionStage;
  readonly message: string;
  readonly retryable: boolean;
  readonly failedChunkCount: number;
}

/** What a file says about itself, and what was counted. */
export interface DocumentMetadata {
  readonly title: string | null;
  readonly author: string | null;
  readonly pageCount: number | null;
  readonly wordCount: number;
  /** ISO 639-1 or -3 code; null when the text is too short to tell. */
  readonly language: string | null;
  /** ISO 8601. */
  readonly documentCreatedAt: string | null;
  readonly extra: Readonly<Record<string, unknown>>;
}

const DocumentSchema = defineEntity({
  name: 'Document',
  indexes: [{ properties: ['workspaceId', 'checksum'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: () => p.manyToOne(Workspace).mapToPk().joinColumn('workspace_id').deleteRule('cascade'),
    name: p.text(),
    mediaType: p.text(),
    sizeBytes: p.integer(),
    /** SHA-256 of the newest version's bytes, hex. */
    checksum: p.text(),
    status: p.text().$type<DocumentStatus>(),
    error: p.json<IngestionError>().nullable(),
    metadata: p.json<DocumentMetadata>(),
    tags: p.array(),
    uploadedById: () => p.manyToOne(User).mapToPk().joinColumn('uploaded_by_id').nullable().deleteRule('set null'),
    /** Number of the newest version. */
    latestVersion: p.integer(),
    /** The version that search sees; null before the first was published. */
    publishedVersionId: p.uuid().nullable().index(),
    createdAt: p.datetime().onCreate(() => new Date()),
    updatedAt: p.datetime().onCreate(() => new Date()),
  },
});
export class Document extends DocumentSchema.class {}
DocumentSchema.setClass(Document);

/** Uploaded bytes: written before anything names them, and kept for as long as a version may be made from them again. */
const DocumentFileSchema = defineEntity({
  name: 'DocumentFile',
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: () => p.manyToOne(Workspace).mapToPk().joinColumn('workspace_id').deleteRule('cascade').index(),
    createdAt: p.datetime().onCreate(() => new Date()),
  },
});
export class DocumentFile extends DocumentFileSchema.class {}
DocumentFileSchema.setClass(DocumentFile);

const DocumentVersionSchema = defineEntity({
  name: 'DocumentVersion',
  uniques: [{ properties: ['documentId', 'number'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: p.uuid().index(),
    documentId: () => p.manyToOne(Document).mapToPk().joinColumn('document_id').deleteRule('cascade'),
    number: p.integer(),
    /** Null once a newer version was published: nothing can ask for these bytes again. */
    fileId: () => p.manyToOne(DocumentFile).mapToPk().joinColumn('file_id').nullable().deleteRule('set null').index(),
    checksum: p.text(),
    sizeBytes: p.integer(),
    /** UTF-16 length of the stored text. */
    textLength: p.integer().default(0),
    chunkCount: p.integer().default(0),
    /** Sum of the chunks' lengths in index terms: what BM25's average needs. */
    termCount: p.integer().default(0),
    reusedChunkCount: p.integer().default(0),
    /** The model of the vectors by which it is searched. */
    embeddingModelId: p.text(),
    /** Goes up with each change of that model and each try of one; whoever holds an older number has been overtaken. */
    embeddingRevision: p.integer().default(0),
    /** Since when there may be vectors of other models, too; null when there are none. */
    otherVectorsSince: p.datetime().nullable(),
    createdAt: p.datetime().onCreate(() => new Date()),
  },
});
export class DocumentVersion extends DocumentVersionSchema.class {}
DocumentVersionSchema.setClass(DocumentVersion);

/** A file's bytes, in parts of at most 256 KiB. */
const DocumentPartSchema = defineEntity({
  name: 'DocumentPart',
  properties: {
    fileId: () => p.manyToOne(DocumentFile).mapToPk().joinColumn('file_id').primary().deleteRule('cascade'),
    part: p.integer().primary(),
    workspaceId: p.uuid(),
    bytes: p.blob(),
  },
});
export class DocumentPart extends DocumentPartSchema.class {}
DocumentPartSchema.setClass(DocumentPart);

/** The extracted text, in pieces, so that a slice reads only what it covers. Offsets are UTF-16 code units. */
const DocumentTextSchema = defineEntity({
  name: 'DocumentText',
  properties: {
    versionId: () => p.manyToOne(DocumentVersion).mapToPk().joinColumn('version_id').primary().deleteRule('cascade'),
    startOffset: p.integer().primary(),
    workspaceId: p.uuid(),
    endOffset: p.integer(),
    text: p.text(),
  },
});
export class DocumentText extends DocumentTextSchema.class {}
DocumentTextSchema.setClass(DocumentText);

const DocumentChunkSchema = defineEntity({
  name: 'DocumentChunk',
  uniques: [{ properties: ['versionId', 'ordinal'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: p.uuid().index(),
    documentId: () => p.manyToOne(Document).mapToPk().joinColumn('document_id').deleteRule('cascade').index(),
    versionId: () => p.manyToOne(DocumentVersion).mapToPk().joinColumn('version_id').deleteRule('cascade'),
    /** Position among the version's chunks, from 0. */
    ordinal: p.integer(),
    /** Exactly the stored text from startOffset to endOffset. */
    text: p.text(),
    /** Tokens of the text as language models count. */
    tokenCount: p.integer(),
    /** Length in index terms. */
    termCount: p.integer(),
    page: p.integer().nullable(),
    headingPath: p.array(),
    startOffset: p.integer(),
    endOffset: p.integer(),
    /** SHA-256 of text and heading path, hex: an unchanged chunk keeps its embedding in the next version. */
    checksum: p.text(),
  },
});
export class DocumentChunk extends DocumentChunkSchema.class {}
DocumentChunkSchema.setClass(DocumentChunk);

/** One index term of a chunk and how often it stands there. */
const PostingSchema = defineEntity({
  name: 'Posting',
  indexes: [{ properties: ['workspaceId', 'term'] }],
  properties: {
    chunkId: () => p.manyToOne(DocumentChunk).mapToPk().joinColumn('chunk_id').primary().deleteRule('cascade'),
    term: p.text().primary(),
    workspaceId: p.uuid(),
    frequency: p.integer(),
  },
});
export class Posting extends PostingSchema.class {}
PostingSchema.setClass(Posting);

const IngestionJobSchema = defineEntity({
  name: 'IngestionJob',
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: p.uuid().index(),
    documentId: () => p.manyToOne(Document).mapToPk().joinColumn('document_id').deleteRule('cascade').index(),
    versionId: () => p.manyToOne(DocumentVersion).mapToPk().joinColumn('version_id').deleteRule('cascade'),
    status: p.text().$type<JobStatus>(),
    stage: p.text().$type<IngestionStage>(),
    completedUnits: p.integer().default(0),
    totalUnits: p.integer().nullable(),
    attempt: p.integer().default(0),
    error: p.json<IngestionError>().nullable(),
    queuedAt: p.datetime().onCreate(() => new Date()),
    startedAt: p.datetime().nullable(),
    finishedAt: p.datetime().nullable(),
  },
});
export class IngestionJob extends IngestionJobSchema.class {}
IngestionJobSchema.setClass(IngestionJob);

/** A document that a profile may use. */
const ProfileDocumentSchema = defineEntity({
  name: 'ProfileDocument',
  properties: {
    profileId: () => p.manyToOne(Profile).mapToPk().joinColumn('profile_id').primary().deleteRule('cascade'),
    documentId: () => p.manyToOne(Document).mapToPk().joinColumn('document_id').primary().deleteRule('cascade').index(),
    workspaceId: p.uuid(),
    attachedAt: p.datetime().onCreate(() => new Date()),
  },
});
export class ProfileDocument extends ProfileDocumentSchema.class {}
ProfileDocumentSchema.setClass(ProfileDocument);
