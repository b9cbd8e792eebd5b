/* eslint-disable */
import * as types from './graphql.ts';
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';

/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "\n  mutation Register($input: RegisterInput!) {\n    register(input: $input) { user { id } tokens { accessToken } userErrors { message } }\n  }\n": typeof types.RegisterDocument,
    "\n  mutation CreateProfile($input: CreateProfileInput!) {\n    createProfile(input: $input) { profile { id version { retrieval { mode } } } userErrors { message field } }\n  }\n": typeof types.CreateProfileDocument,
    "\n  mutation Upload($input: UploadDocumentsInput!) {\n    uploadDocuments(input: $input) { documents { id name mediaType } jobs { id } userErrors { message } }\n  }\n": typeof types.UploadDocument,
    "\n  subscription Ingestion($jobId: ID!) {\n    ingestionJobUpdated(jobId: $jobId) { status stage error { message } document { status chunkCount } }\n  }\n": typeof types.IngestionDocument,
    "\n  query Search($input: SearchInput!) {\n    search(input: $input) {\n      edges { rank highlights { startOffset endOffset } node { text document { id version { text } } location { startOffset endOffset headingPath } } }\n    }\n  }\n": typeof types.SearchDocument,
    "\n  mutation CreateSession($input: CreateChatSessionInput!) {\n    createChatSession(input: $input) { session { id } userErrors { message } }\n  }\n": typeof types.CreateSessionDocument,
    "\n  mutation Send($input: SendMessageInput!) {\n    sendMessage(input: $input) { run { id } cursor userErrors { message } }\n  }\n": typeof types.SendDocument,
    "\n  subscription Events($sessionId: ID!, $after: EventCursor) {\n    chatEvents(sessionId: $sessionId, after: $after) {\n      __typename\n      ... on StreamEvent { cursor }\n      ... on MessageDelta { messageId offset text }\n      ... on MessageCompleted {\n        message { id role text status citations { index quote answerStart answerEnd documentName document { id } location { startOffset endOffset } } }\n      }\n      ... on RunUpdated { runStatus error { message } }\n    }\n  }\n": typeof types.EventsDocument,
    "\n  query Quote($id: ID!, $start: Int!, $end: Int!) {\n    document(id: $id) { version { text(start: $start, end: $end) } }\n  }\n": typeof types.QuoteDocument,
};
const documents: Documents = {
    "\n  mutation Register($input: RegisterInput!) {\n    register(input: $input) { user { id } tokens { accessToken } userErrors { message } }\n  }\n": types.RegisterDocument,
    "\n  mutation CreateProfile($input: CreateProfileInput!) {\n    createProfile(input: $input) { profile { id version { retrieval { mode } } } userErrors { message field } }\n  }\n": types.CreateProfileDocument,
    "\n  mutation Upload($input: UploadDocumentsInput!) {\n    uploadDocuments(input: $input) { documents { id name mediaType } jobs { id } userErrors { message } }\n  }\n": types.UploadDocument,
    "\n  subscription Ingestion($jobId: ID!) {\n    ingestionJobUpdated(jobId: $jobId) { status stage error { message } document { status chunkCount } }\n  }\n": types.IngestionDocument,
    "\n  query Search($input: SearchInput!) {\n    search(input: $input) {\n      edges { rank highlights { startOffset endOffset } node { text document { id version { text } } location { startOffset endOffset headingPath } } }\n    }\n  }\n": types.SearchDocument,
    "\n  mutation CreateSession($input: CreateChatSessionInput!) {\n    createChatSession(input: $input) { session { id } userErrors { message } }\n  }\n": types.CreateSessionDocument,
    "\n  mutation Send($input: SendMessageInput!) {\n    sendMessage(input: $input) { run { id } cursor userErrors { message } }\n  }\n": types.SendDocument,
    "\n  subscription Events($sessionId: ID!, $after: EventCursor) {\n    chatEvents(sessionId: $sessionId, after: $after) {\n      __typename\n      ... on StreamEvent { cursor }\n      ... on MessageDelta { messageId offset text }\n      ... on MessageCompleted {\n        message { id role text status citations { index quote answerStart answerEnd documentName document { id } location { startOffset endOffset } } }\n      }\n      ... on RunUpdated { runStatus error { message } }\n    }\n  }\n": types.EventsDocument,
    "\n  query Quote($id: ID!, $start: Int!, $end: Int!) {\n    document(id: $id) { version { text(start: $start, end: $end) } }\n  }\n": types.QuoteDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 *
 *
 * @example
 * ```ts
 * const query = graphql(`query GetUser($id: ID!) { user(id: $id) { name } }`);
 * ```
 *
 * The query argument is unknown!
 * Please regenerate the types.
 */
export function graphql(source: string): unknown;

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation Register($input: RegisterInput!) {\n    register(input: $input) { user { id } tokens { accessToken } userErrors { message } }\n  }\n"): (typeof documents)["\n  mutation Register($input: RegisterInput!) {\n    register(input: $input) { user { id } tokens { accessToken } userErrors { message } }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation CreateProfile($input: CreateProfileInput!) {\n    createProfile(input: $input) { profile { id version { retrieval { mode } } } userErrors { message field } }\n  }\n"): (typeof documents)["\n  mutation CreateProfile($input: CreateProfileInput!) {\n    createProfile(input: $input) { profile { id version { retrieval { mode } } } userErrors { message field } }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation Upload($input: UploadDocumentsInput!) {\n    uploadDocuments(input: $input) { documents { id name mediaType } jobs { id } userErrors { message } }\n  }\n"): (typeof documents)["\n  mutation Upload($input: UploadDocumentsInput!) {\n    uploadDocuments(input: $input) { documents { id name mediaType } jobs { id } userErrors { message } }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription Ingestion($jobId: ID!) {\n    ingestionJobUpdated(jobId: $jobId) { status stage error { message } document { status chunkCount } }\n  }\n"): (typeof documents)["\n  subscription Ingestion($jobId: ID!) {\n    ingestionJobUpdated(jobId: $jobId) { status stage error { message } document { status chunkCount } }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Search($input: SearchInput!) {\n    search(input: $input) {\n      edges { rank highlights { startOffset endOffset } node { text document { id version { text } } location { startOffset endOffset headingPath } } }\n    }\n  }\n"): (typeof documents)["\n  query Search($input: SearchInput!) {\n    search(input: $input) {\n      edges { rank highlights { startOffset endOffset } node { text document { id version { text } } location { startOffset endOffset headingPath } } }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation CreateSession($input: CreateChatSessionInput!) {\n    createChatSession(input: $input) { session { id } userErrors { message } }\n  }\n"): (typeof documents)["\n  mutation CreateSession($input: CreateChatSessionInput!) {\n    createChatSession(input: $input) { session { id } userErrors { message } }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation Send($input: SendMessageInput!) {\n    sendMessage(input: $input) { run { id } cursor userErrors { message } }\n  }\n"): (typeof documents)["\n  mutation Send($input: SendMessageInput!) {\n    sendMessage(input: $input) { run { id } cursor userErrors { message } }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription Events($sessionId: ID!, $after: EventCursor) {\n    chatEvents(sessionId: $sessionId, after: $after) {\n      __typename\n      ... on StreamEvent { cursor }\n      ... on MessageDelta { messageId offset text }\n      ... on MessageCompleted {\n        message { id role text status citations { index quote answerStart answerEnd documentName document { id } location { startOffset endOffset } } }\n      }\n      ... on RunUpdated { runStatus error { message } }\n    }\n  }\n"): (typeof documents)["\n  subscription Events($sessionId: ID!, $after: EventCursor) {\n    chatEvents(sessionId: $sessionId, after: $after) {\n      __typename\n      ... on StreamEvent { cursor }\n      ... on MessageDelta { messageId offset text }\n      ... on MessageCompleted {\n        message { id role text status citations { index quote answerStart answerEnd documentName document { id } location { startOffset endOffset } } }\n      }\n      ... on RunUpdated { runStatus error { message } }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Quote($id: ID!, $start: Int!, $end: Int!) {\n    document(id: $id) { version { text(start: $start, end: $end) } }\n  }\n"): (typeof documents)["\n  query Quote($id: ID!, $start: Int!, $end: Int!) {\n    document(id: $id) { version { text(start: $start, end: $end) } }\n  }\n"];

export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}

export type DocumentType<TDocumentNode extends DocumentNode<any, any>> = TDocumentNode extends DocumentNode<  infer TType,  any>  ? TType  : never;