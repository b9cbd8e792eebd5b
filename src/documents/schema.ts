// How documents are asked: queries, the mutations that add, change and remove them, and the subscription to ingestions.
import { DeletePayload } from '../accounts/schema.ts';
import { attempt, builder, decodeId, decodeIds, forwardArgs, onlyUuids, OrderDirectionEnum, payload } from '../builder.ts';
import { permit, type Context } from '../context.ts';
import { expectedErrors } from '../platform/errors.ts';
import { ProfileNode, ProfilePayload } from '../profiles/schema.ts';
import { profilesById } from '../profiles/service.ts';
import type { Document, IngestionJob } from './entity.ts';
import { followJobs } from './follow.ts';
import { DocumentConnection, DocumentNode, DocumentStatusEnum, IngestionJobNode } from './nodes.ts';
import { documentsOfProfiles, listDocuments, type DocumentList } from './reading.ts';
import * as documents from './service.ts';

export { DocumentChunkNode, DocumentNode, JobStatusEnum, SourceLocation } from './nodes.ts';

const DocumentFilterInput = builder.inputType('DocumentFilter', {
  description: 'Which documents; each given condition narrows.',
  fields: (t) => ({
    status: t.field({ type: [DocumentStatusEnum], description: 'One of these.' }),
    mediaType: t.stringList({ description: 'One of these, e.g. "application/pdf".' }),
    tag: t.string({ description: 'Exactly this tag.' }),
    nameContains: t.string({ description: 'The name contains this text; upper and lower case are alike.' }),
    createdAfter: t.field({ type: 'DateTime', description: 'Added later than this.' }),
  }),
});
const DocumentOrderInput = builder.inputType('DocumentOrder', {
  description: 'An order of documents.',
  fields: (t) => ({
    field: t.field({
      type: builder.enumType('DocumentOrderField', {
        description: 'What documents are ordered by.',
        values: {
          NAME: { description: 'By name; upper and lower case are alike.' },
          CREATED_AT: { description: 'By when they were added.' },
          SIZE: { description: 'By their length in bytes.' },
          STATUS: { description: 'By the name of their status.' },
        },
      }),
      required: true,
      description: 'What to order by.',
    }),
    direction: t.field({ type: OrderDirectionEnum, required: true, description: 'Ascending or descending.' }),
  }),
});

builder.queryFields((t) => ({
  document: t.field({
    type: DocumentNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    description: 'One document; null when there is none. Needs DOCUMENT_READ.',
    resolve: (_root, { id }, ctx) => readable(ctx, 'Document', id),
  }),
  documents: t.field({
    type: DocumentConnection,
    args: {
      ...forwardArgs(t.arg),
      filterBy: t.arg({ type: DocumentFilterInput, description: 'All but those being deleted when absent.' }),
      orderBy: t.arg({ type: DocumentOrderInput, description: 'Newest first when absent.' }),
    },
    description: 'The documents of the workspace. Needs DOCUMENT_READ.',
    resolve: (_root, args, ctx) => listDocuments(ctx, args),
  }),
  ingestionJob: t.field({
    type: IngestionJobNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    description: 'One ingestion; null when there is none. Needs DOCUMENT_READ.',
    resolve: (_root, { id }, ctx) => readable(ctx, 'IngestionJob', id),
  }),
}));

builder.objectField(ProfileNode, 'documents', (t) =>
  t.loadable({
    type: DocumentConnection,
    byPath: true,
    args: { ...forwardArgs(t.arg), filterBy: t.arg({ type: DocumentFilterInput, description: 'All when absent.' }) },
    description: 'The documents that it may use, newest first.',
    load: (ids: string[], ctx: Context, args: DocumentList) => documentsOfProfiles(ctx, ids, args),
    resolve: (profile) => profile.id,
  }),
);

const DuplicatePolicyEnum = builder.enumType('DuplicatePolicy', {
  description: 'What to do with a file whose bytes the workspace has already.',
  values: {
    RETURN_EXISTING: { description: 'Answer the document that is there, with these profiles and tags added.' },
    NEW_VERSION: { description: 'As a new version of the document that is there.' },
    REJECT: { description: 'Refuse it with ConflictError.' },
  },
});
const placement = {
  profileIds: 'Profiles that may use them from the start.',
  tags: 'Labels, at most 20 of at most 50 characters each.',
};
const UploadDocumentsInput = builder.inputType('UploadDocumentsInput', {
  description: 'Files to add: PDF, Word (DOCX), Markdown, HTML or plain text; what a file is, is told by its content.',
  fields: (t) => ({
    files: t.field({ type: ['Upload'], required: true, description: 'The files, by the GraphQL multipart request specification, in the order in which they are sent.' }),
    profileIds: t.idList({ description: placement.profileIds }),
    tags: t.stringList({ description: placement.tags }),
    onDuplicate: t.field({ type: DuplicatePolicyEnum, defaultValue: 'RETURN_EXISTING', description: 'What to do with a file whose bytes are there already.' }),
  }),
});
const AddTextDocumentInput = builder.inputType('AddTextDocumentInput', {
  description: 'A text to add.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Name to show, at most 200 characters.' }),
    text: t.string({ required: true, description: 'The text. One that is too long for a request can be uploaded as a file.' }),
    mediaType: t.string({ defaultValue: 'text/markdown', description: 'How to read it: text/plain, text/markdown or text/html.' }),
    profileIds: t.idList({ description: placement.profileIds }),
    tags: t.stringList({ description: placement.tags }),
  }),
});
const ReplaceDocumentInput = builder.inputType('ReplaceDocumentInput', {
  description: 'A new file for a document.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which document.' }),
    file: t.field({ type: 'Upload', required: true, description: 'The file.' }),
  }),
});
const ReingestDocumentInput = builder.inputType('ReingestDocumentInput', {
  description: 'A document to ingest again.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Which document.' }) }),
});
const CancelIngestionInput = builder.inputType('CancelIngestionInput', {
  description: 'An ingestion to stop.',
  fields: (t) => ({ jobId: t.id({ required: true, description: 'Which one.' }) }),
});
const AttachDocumentsInput = builder.inputType('AttachDocumentsInput', {
  description: 'Documents that a profile may use from now on.',
  fields: (t) => ({
    profileId: t.id({ required: true, description: 'Which profile.' }),
    documentIds: t.idList({ required: true, description: 'Which documents.' }),
  }),
});
const DetachDocumentsInput = builder.inputType('DetachDocumentsInput', {
  description: 'Documents that a profile may no longer use.',
  fields: (t) => ({
    profileId: t.id({ required: true, description: 'Which profile.' }),
    documentIds: t.idList({ required: true, description: 'Which documents.' }),
  }),
});
const DeleteDocumentInput = builder.inputType('DeleteDocumentInput', {
  description: 'A document to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Which document.' }) }),
});

const UploadDocumentsPayload = payload<{ documents: readonly Document[]; jobs: readonly IngestionJob[] }>(
  'UploadDocumentsPayload',
  'Answer of uploadDocuments. A file that fails has an error at ["files", its index]; the others are added all the same.',
  (t) => ({
    documents: t.field({ type: [DocumentNode], description: 'The documents, in the order of the files.', resolve: (answer) => [...(answer.documents ?? [])] as never }),
    jobs: t.field({ type: [IngestionJobNode], description: 'The ingestions that were started, or go on.', resolve: (answer) => [...(answer.jobs ?? [])] as never }),
  }),
);
const DocumentPayload = payload<documents.Added>('DocumentPayload', 'Answer of the mutations of one document.', (t) => ({
  document: t.field({ type: DocumentNode, nullable: true, description: 'The document as it is now.', resolve: (answer) => answer.document as never }),
  job: t.field({ type: IngestionJobNode, nullable: true, description: 'The ingestion.', resolve: (answer) => answer.job as never }),
}));

builder.mutationFields((t) => ({
  uploadDocuments: t.field({
    type: UploadDocumentsPayload,
    args: { input: t.arg({ type: UploadDocumentsInput, required: true, description: 'The files.' }) },
    description: 'Stores files and starts to ingest them; ingestionJobUpdated tells how that goes. Needs DOCUMENT_WRITE.',
    resolve: async (_root, { input }, ctx) => {
      try {
        permit(ctx, 'DOCUMENT_WRITE');
        return await documents.uploadDocuments(ctx, {
          files: input.files,
          profileIds: decodeIds('Profile', input.profileIds ?? [], ['profileIds']),
          tags: input.tags ?? [],
          onDuplicate: input.onDuplicate ?? 'RETURN_EXISTING',
        });
      } catch (thrown) {
        const userErrors = expectedErrors(thrown);
        if (!userErrors) throw thrown;
        return { userErrors };
      }
    },
  }),
  addTextDocument: t.field({
    type: DocumentPayload,
    args: { input: t.arg({ type: AddTextDocumentInput, required: true, description: 'The text.' }) },
    description: 'Stores a text as a document and starts to ingest it. Needs DOCUMENT_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'DOCUMENT_WRITE');
        const profileIds = decodeIds('Profile', input.profileIds ?? [], ['profileIds']);
        return await documents.addTextDocument(ctx, { ...input, mediaType: input.mediaType ?? 'text/markdown', profileIds, tags: input.tags ?? [] });
      }),
  }),
  replaceDocument: t.field({
    type: DocumentPayload,
    args: { input: t.arg({ type: ReplaceDocumentInput, required: true, description: 'The new file.' }) },
    description: 'Gives a document a new version; the published one is searched until the new one is ready. Needs DOCUMENT_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'DOCUMENT_WRITE');
        return await documents.replaceDocument(ctx, { id: decodeId('Document', input.id), file: input.file });
      }),
  }),
  reingestDocument: t.field({
    type: DocumentPayload,
    args: { input: t.arg({ type: ReingestDocumentInput, required: true, description: 'Which document.' }) },
    description: 'Ingests the newest bytes again as a new version, e.g. after a failure or when a profile wants other chunks. Needs DOCUMENT_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'DOCUMENT_WRITE');
        return await documents.reingestDocument(ctx, { id: decodeId('Document', input.id) });
      }),
  }),
  cancelIngestion: t.field({
    type: DocumentPayload,
    args: { input: t.arg({ type: CancelIngestionInput, required: true, description: 'Which ingestion.' }) },
    description: 'Stops an ingestion; a version that was published before stays. Needs DOCUMENT_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'DOCUMENT_WRITE');
        return await documents.cancelIngestion(ctx, { jobId: decodeId('IngestionJob', input.jobId, ['jobId']) });
      }),
  }),
  attachDocuments: t.field({
    type: ProfilePayload,
    args: { input: t.arg({ type: AttachDocumentsInput, required: true, description: 'Profile and documents.' }) },
    description: 'Lets a profile use documents. Needs DOCUMENT_WRITE.',
    resolve: (_root, { input }, ctx) => attempt(() => changeAttachment(ctx, input, documents.attachDocuments)),
  }),
  detachDocuments: t.field({
    type: ProfilePayload,
    args: { input: t.arg({ type: DetachDocumentsInput, required: true, description: 'Profile and documents.' }) },
    description: 'Takes documents from a profile; they stay in the workspace. Needs DOCUMENT_WRITE.',
    resolve: (_root, { input }, ctx) => attempt(() => changeAttachment(ctx, input, documents.detachDocuments)),
  }),
  deleteDocument: t.field({
    type: DeletePayload,
    args: { input: t.arg({ type: DeleteDocumentInput, required: true, description: 'Which document.' }) },
    description: 'Deletes a document with all its versions; quotes in chats stay. Needs DOCUMENT_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'DOCUMENT_WRITE');
        await documents.deleteDocument(ctx, { id: decodeId('Document', input.id) });
        return { deletedId: input.id };
      }),
  }),
}));

builder.subscriptionField('ingestionJobUpdated', (t) =>
  t.field({
    type: IngestionJobNode,
    args: {
      jobId: t.arg.id({ description: 'Only this ingestion; the stream completes when it has ended.' }),
      documentId: t.arg.id({ description: 'Only those of this document.' }),
      profileId: t.arg.id({ description: 'Only those of documents that this profile may use.' }),
    },
    description:
      'The current state of matching unfinished jobs at once (of the one with `jobId` in any case), then every change; without arguments all jobs of the workspace. A slow reader gets the newest state of each. Needs DOCUMENT_READ.',
    subscribe: (_root, { jobId, documentId, profileId }, ctx) => {
      permit(ctx, 'DOCUMENT_READ');
      return followJobs(ctx, {
        jobId: jobId == null ? null : decodeId('IngestionJob', jobId, ['jobId']),
        documentId: documentId == null ? null : decodeId('Document', documentId, ['documentId']),
        profileId: profileId == null ? null : decodeId('Profile', profileId, ['profileId']),
      });
    },
    resolve: (job: IngestionJob) => job as never,
  }),
);

/** A row's id when the text is an id of this type, for its loader to find; else null. */
function readable(ctx: Context, typename: 'Document' | 'IngestionJob', globalId: string): string | null {
  permit(ctx, 'DOCUMENT_READ');
  try {
    return onlyUuids([decodeId(typename, globalId)])[0] ?? null;
  } catch (thrown) {
    if (expectedErrors(thrown)) return null;
    throw thrown;
  }
}

async function changeAttachment(
  ctx: Context,
  input: { profileId: string; documentIds: readonly string[] },
  change: (ctx: Context, input: { profileId: string; documentIds: readonly string[] }) => Promise<void>,
) {
  permit(ctx, 'DOCUMENT_WRITE');
  const profileId = decodeId('Profile', input.profileId, ['profileId']);
  await change(ctx, { profileId, documentIds: decodeIds('Document', input.documentIds, ['documentIds']) });
  const [profile] = await profilesById(ctx, [profileId]);
  return { ...(profile && { profile }) };
}
