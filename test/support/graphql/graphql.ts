/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';
/** What a message does while another run of the session is active. */
export type ConcurrencyPolicy =
  /** The run waits as QUEUED; its parent is the leaf when it starts. */
  | 'ENQUEUE'
  /** Cancels the active run and keeps its partial text. */
  | 'INTERRUPT'
  /** Refused with RUN_IN_PROGRESS. */
  | 'REJECT'
  /** Cancels the active run and deletes its messages (MessageDeleted). */
  | 'ROLLBACK';

/** A new session. */
export type CreateChatSessionInput = {
  /** The same key returns the same session. */
  idempotencyKey?: string | null | undefined;
  /** The assistant. */
  profileId: string | number;
  /** Name to show; taken from the first message when absent. */
  title?: string | null | undefined;
  /** Who sees it. */
  visibility?: SessionVisibility | null | undefined;
};

/** A new profile. */
export type CreateProfileInput = {
  /** Whether answers may come from the cache. Default: only at temperature 0. */
  cacheAnswers?: boolean | null | undefined;
  /** What it is for, at most 2000 characters. */
  description?: string | null | undefined;
  /** Documents that it may use from the start. */
  documentIds?: Array<string | number> | null | undefined;
  /** Up to 5 models that take over, in this order; [] for none. Absent: the model's own fallbacks. */
  fallbackModelIds?: Array<string | number> | null | undefined;
  /** What a run does. Default: retrieval, prompt, output. */
  graph?: GraphDefinitionInput | null | undefined;
  /** Tokens of an answer, 1–128,000. Default: 2000. */
  maxOutputTokens?: number | null | undefined;
  /** The model that answers, one that can CHAT; the default of the installation when absent. */
  modelId?: string | number | null | undefined;
  /** Name to show, 1–200 characters. */
  name: string;
  /** How passages are found. */
  retrieval?: RetrievalSettingsInput | null | undefined;
  /** Name for addresses, unique in the workspace, at most 60 characters; made from the name when absent. */
  slug?: string | null | undefined;
  /** What the model is told before the conversation, at most 32,768 characters. */
  systemPrompt: string;
  /** 0–2. Default: 0.2. */
  temperature?: number | null | undefined;
  /** What the model may call. */
  toolNames?: Array<string> | null | undefined;
};

/** How far a document is. A newer version that is on its way, or failed, leaves the published one searchable. */
export type DocumentStatus =
  /** It was deleted and its rows are being removed; only listed when asked for. */
  | 'DELETING'
  /** It cannot be searched; `error` says why. */
  | 'FAILED'
  /** It can be searched, but not all of it by meaning; `error` says why. */
  | 'PARTIALLY_READY'
  /** It waits to be ingested. */
  | 'PENDING'
  /** It is being ingested. */
  | 'PROCESSING'
  /** It can be searched. */
  | 'READY';

/** What to do with a file whose bytes the workspace has already. */
export type DuplicatePolicy =
  /** As a new version of the document that is there. */
  | 'NEW_VERSION'
  /** Refuse it with ConflictError. */
  | 'REJECT'
  /** Answer the document that is there, with these profiles and tags added. */
  | 'RETURN_EXISTING';

/** A graph. It is checked completely before it is stored: known types, right settings, every node reachable and with a way to the end, loops bounded, and everything given that a node needs. */
export type GraphDefinitionInput = {
  /** The ways between them, at most 200. */
  edges: Array<GraphEdgeInput>;
  /** Name to show, 1–100 characters. */
  name: string;
  /** Its steps, at most 50. */
  nodes: Array<GraphNodeInput>;
};

/** A way from one node to another. */
export type GraphEdgeInput = {
  /** When it is taken, e.g. "values.intent == 'create'". Every node has exactly one way out without a condition. */
  condition?: string | null | undefined;
  /** Id of the node it leaves, or "start". */
  from: string;
  /** Id of the node it leads to, or "end". */
  to: string;
};

/** A step of a graph. */
export type GraphNodeInput = {
  /** Its settings, as the type's configSchema says; what is absent has its default. */
  config?: unknown;
  /** Its name in this graph: a letter followed by up to 63 letters, digits, "_" or "-"; not "start" or "end". */
  id: string;
  /** What it does: a `type` of graphNodeTypes. */
  type: string;
};

/** What an ingestion does. */
export type IngestionStage =
  /** Stores the text and its chunks. */
  | 'CHUNKING'
  /** The version is published. */
  | 'DONE'
  /** Gives chunks their vectors. */
  | 'EMBEDDING'
  /** Reads the text out of the file. */
  | 'EXTRACTING'
  /** Indexes the words of the chunks. */
  | 'INDEXING'
  /** It waits. */
  | 'QUEUED';

/** How a piece of work is going. */
export type JobStatus =
  /** Somebody stopped it, or a newer one took its place. */
  | 'CANCELLED'
  /** It failed; the error says why. */
  | 'FAILED'
  /** It is done, with something missing; the error says what. */
  | 'PARTIALLY_SUCCEEDED'
  /** It waits. */
  | 'QUEUED'
  /** It is worked on. */
  | 'RUNNING'
  /** It is done. */
  | 'SUCCEEDED';

/** Who speaks. */
export type MessageRole =
  /** The assistant. */
  | 'ASSISTANT'
  /** Parley itself. */
  | 'SYSTEM'
  /** A tool that the assistant called. */
  | 'TOOL'
  /** A person. */
  | 'USER';

/** How far a message is. */
export type MessageStatus =
  /** Somebody ended it; what was written stays. */
  | 'CANCELLED'
  /** It will not change any more. */
  | 'COMPLETE'
  /** Its run failed; what was written stays. */
  | 'FAILED'
  /** Its run waits for an answer of a person. */
  | 'INTERRUPTED'
  /** It is being written. */
  | 'STREAMING';

/** A new user. */
export type RegisterInput = {
  /** E-mail address; case does not matter. */
  email: string;
  /** Name to show, at most 200 characters. */
  name: string;
  /** At least 8 characters with upper case, lower case, digit and special character. */
  password: string;
};

/** What a run does when retrieval fails. */
export type RetrievalFailurePolicy =
  /** It answers without passages and says so in `degraded`. */
  | 'ANSWER_WITHOUT_CONTEXT'
  /** It fails. */
  | 'FAIL_RUN';

/** When passages are looked for before an answer. */
export type RetrievalMode =
  /** Before every answer. */
  | 'ALWAYS'
  /** When the profile has documents and the message is more than small talk. */
  | 'AUTO'
  /** Never. */
  | 'OFF';

/** How passages are found for an answer. What is absent or null stays as it is; sizes are in tokens. */
export type RetrievalSettingsInput = {
  /** Tokens that a passage shares with the next, less than half of chunkSize. Default: 40. */
  chunkOverlap?: number | null | undefined;
  /** Tokens of a passage, 50–2000. Default: 512. */
  chunkSize?: number | null | undefined;
  /** Tokens of all passages together, 100–200,000. Default: 3000. */
  maxContextTokens?: number | null | undefined;
  /** Least fused score, 0–1. Default: 0. */
  minScore?: number | null | undefined;
  /** When passages are looked for. Default of a new profile: AUTO. */
  mode?: RetrievalMode | null | undefined;
  /** What to do when retrieval fails. Default: ANSWER_WITHOUT_CONTEXT. */
  onFailure?: RetrievalFailurePolicy | null | undefined;
  /** Whether passages are ranked again. Default: false. */
  rerank?: boolean | null | undefined;
  /** The model that ranks again; null for the built-in one. */
  rerankModelId?: string | number | null | undefined;
  /** How they are found. Default: HYBRID. */
  searchMode?: SearchMode | null | undefined;
  /** Passages of one answer at most, 1–50. Default: 6. */
  topK?: number | null | undefined;
};

/** How far a run is. */
export type RunStatus =
  /** Somebody ended it; what was written stays. Final. */
  | 'CANCELLED'
  /** `error` says why. Final. */
  | 'FAILED'
  /** It waits for an answer of a person. */
  | 'INTERRUPTED'
  /** It waits for an instance, or behind another run. */
  | 'QUEUED'
  /** An instance works on it. */
  | 'RUNNING'
  /** The answer is complete. Final. */
  | 'SUCCEEDED'
  /** It took longer than a run may. Final. */
  | 'TIMED_OUT';

/** What to look for, and where. */
export type SearchInput = {
  /** Only in these documents, at most 1,000. */
  documentIds?: Array<string | number> | null | undefined;
  /** Leave out passages whose fused score is less, 0..1; null leaves none out. */
  minScore?: number | null | undefined;
  /** By words, by vectors, or by both. */
  mode?: SearchMode | null | undefined;
  /** Only in this profile's documents. */
  profileId?: string | number | null | undefined;
  /** A question or words, at most 2,000 characters, e.g. "how long is the warranty". */
  query: string;
  /** Whether the best 50 are ranked again: by the re-ranking model of the profile, if profileId names one that has it, else so that near-copies of better passages go behind others. Default: false. */
  rerank?: boolean | null | undefined;
  /** Only in documents with at least one of these tags. */
  tags?: Array<string> | null | undefined;
};

/** How passages are found. */
export type SearchMode =
  /** By both, fused. */
  | 'HYBRID'
  /** By their words (BM25). */
  | 'KEYWORD'
  /** By their vectors. */
  | 'SEMANTIC';

/** A message to the assistant. */
export type SendMessageInput = {
  /** Same key + same viewer => same run is returned, nothing is sent twice. */
  idempotencyKey: string;
  /** What to do while another answer is being written. */
  ifRunning?: ConcurrencyPolicy | null | undefined;
  /** Below which message; the end of the selected branch when absent. */
  parentMessageId?: string | number | null | undefined;
  /** Overrides of the profile's retrieval settings, for this run. */
  retrieval?: RetrievalSettingsInput | null | undefined;
  /** Where. */
  sessionId: string | number;
  /** What, at most configuration.limits.maxMessageChars. */
  text: string;
  /** IANA name; for dates in answers and tasks. Default: UTC. */
  timeZone?: string | null | undefined;
};

/** Who sees a session. */
export type SessionVisibility =
  /** Its owner only. */
  | 'PRIVATE'
  /** Members with CHAT may read, write and be seen typing. */
  | 'WORKSPACE';

/** Files to add: PDF, Word (DOCX), Markdown, HTML or plain text; what a file is, is told by its content. */
export type UploadDocumentsInput = {
  /** The files, by the GraphQL multipart request specification, in the order in which they are sent. */
  files: Array<File>;
  /** What to do with a file whose bytes are there already. */
  onDuplicate?: DuplicatePolicy | null | undefined;
  /** Profiles that may use them from the start. */
  profileIds?: Array<string | number> | null | undefined;
  /** Labels, at most 20 of at most 50 characters each. */
  tags?: Array<string> | null | undefined;
};

export type RegisterMutationVariables = Exact<{
  input: RegisterInput;
}>;


export type RegisterMutation = { register: { user: { id: string } | null, tokens: { accessToken: string } | null, userErrors: Array<
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
    > } };

export type CreateProfileMutationVariables = Exact<{
  input: CreateProfileInput;
}>;


export type CreateProfileMutation = { createProfile: { profile: { id: string, version: { retrieval: { mode: RetrievalMode } } } | null, userErrors: Array<
      | { message: string, field: Array<string> | null }
      | { message: string, field: Array<string> | null }
      | { message: string, field: Array<string> | null }
      | { message: string, field: Array<string> | null }
      | { message: string, field: Array<string> | null }
      | { message: string, field: Array<string> | null }
      | { message: string, field: Array<string> | null }
    > } };

export type UploadMutationVariables = Exact<{
  input: UploadDocumentsInput;
}>;


export type UploadMutation = { uploadDocuments: { documents: Array<{ id: string, name: string, mediaType: string }>, jobs: Array<{ id: string }>, userErrors: Array<
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
    > } };

export type IngestionSubscriptionVariables = Exact<{
  jobId: string | number;
}>;


export type IngestionSubscription = { ingestionJobUpdated: { status: JobStatus, stage: IngestionStage, error: { message: string } | null, document: { status: DocumentStatus, chunkCount: number } } };

export type SearchQueryVariables = Exact<{
  input: SearchInput;
}>;


export type SearchQuery = { search: { edges: Array<{ rank: number, highlights: Array<{ startOffset: number, endOffset: number }>, node: { text: string, document: { id: string, version: { text: string } }, location: { startOffset: number, endOffset: number, headingPath: Array<string> } } }> } };

export type CreateSessionMutationVariables = Exact<{
  input: CreateChatSessionInput;
}>;


export type CreateSessionMutation = { createChatSession: { session: { id: string } | null, userErrors: Array<
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
    > } };

export type SendMutationVariables = Exact<{
  input: SendMessageInput;
}>;


export type SendMutation = { sendMessage: { cursor: string | null, run: { id: string } | null, userErrors: Array<
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
      | { message: string }
    > } };

export type EventsSubscriptionVariables = Exact<{
  sessionId: string | number;
  after?: string | null | undefined;
}>;


export type EventsSubscription = { chatEvents:
    | { __typename: 'CitationAdded', cursor: string }
    | { __typename: 'InterruptRaised', cursor: string }
    | { __typename: 'InterruptResolved', cursor: string }
    | { __typename: 'MessageCompleted', cursor: string, message: { id: string, role: MessageRole, text: string, status: MessageStatus, citations: Array<{ index: number, quote: string, answerStart: number, answerEnd: number, documentName: string, document: { id: string } | null, location: { startOffset: number, endOffset: number } }> } }
    | { __typename: 'MessageCreated', cursor: string }
    | { __typename: 'MessageDeleted', cursor: string }
    | { __typename: 'MessageDelta', cursor: string, messageId: string, offset: number, text: string }
    | { __typename: 'MessageTruncated', cursor: string }
    | { __typename: 'ModelFellBack', cursor: string }
    | { __typename: 'ReasoningDelta', cursor: string }
    | { __typename: 'RunStepUpdated', cursor: string }
    | { __typename: 'RunUpdated', cursor: string, runStatus: RunStatus, error: { message: string } | null }
    | { __typename: 'SessionUpdated', cursor: string }
    | { __typename: 'StreamCaughtUp' }
    | { __typename: 'StreamReset' }
    | { __typename: 'ToolCallUpdated', cursor: string }
    | { __typename: 'TypingChanged' }
    | { __typename: 'UsageReported', cursor: string }
   };

export type QuoteQueryVariables = Exact<{
  id: string | number;
  start: number;
  end: number;
}>;


export type QuoteQuery = { document: { version: { text: string } } | null };


export const RegisterDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"Register"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"RegisterInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"register"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"user"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}},{"kind":"Field","name":{"kind":"Name","value":"tokens"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"accessToken"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]} as unknown as DocumentNode<RegisterMutation, RegisterMutationVariables>;
export const CreateProfileDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"CreateProfile"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"CreateProfileInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"createProfile"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"profile"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"retrieval"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"mode"}}]}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"field"}}]}}]}}]}}]} as unknown as DocumentNode<CreateProfileMutation, CreateProfileMutationVariables>;
export const UploadDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"Upload"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"UploadDocumentsInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"uploadDocuments"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"documents"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"mediaType"}}]}},{"kind":"Field","name":{"kind":"Name","value":"jobs"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]} as unknown as DocumentNode<UploadMutation, UploadMutationVariables>;
export const IngestionDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"Ingestion"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"jobId"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"ingestionJobUpdated"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"jobId"},"value":{"kind":"Variable","name":{"kind":"Name","value":"jobId"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"stage"}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"message"}}]}},{"kind":"Field","name":{"kind":"Name","value":"document"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"chunkCount"}}]}}]}}]}}]} as unknown as DocumentNode<IngestionSubscription, IngestionSubscriptionVariables>;
export const SearchDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Search"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"SearchInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"search"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"edges"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"rank"}},{"kind":"Field","name":{"kind":"Name","value":"highlights"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"startOffset"}},{"kind":"Field","name":{"kind":"Name","value":"endOffset"}}]}},{"kind":"Field","name":{"kind":"Name","value":"node"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"text"}},{"kind":"Field","name":{"kind":"Name","value":"document"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"text"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"location"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"startOffset"}},{"kind":"Field","name":{"kind":"Name","value":"endOffset"}},{"kind":"Field","name":{"kind":"Name","value":"headingPath"}}]}}]}}]}}]}}]}}]} as unknown as DocumentNode<SearchQuery, SearchQueryVariables>;
export const CreateSessionDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"CreateSession"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"CreateChatSessionInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"createChatSession"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"session"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]} as unknown as DocumentNode<CreateSessionMutation, CreateSessionMutationVariables>;
export const SendDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"Send"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"SendMessageInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"sendMessage"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}},{"kind":"Field","name":{"kind":"Name","value":"cursor"}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]} as unknown as DocumentNode<SendMutation, SendMutationVariables>;
export const EventsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"Events"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"sessionId"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"EventCursor"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"chatEvents"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"sessionId"},"value":{"kind":"Variable","name":{"kind":"Name","value":"sessionId"}}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"StreamEvent"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"cursor"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"MessageDelta"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"messageId"}},{"kind":"Field","name":{"kind":"Name","value":"offset"}},{"kind":"Field","name":{"kind":"Name","value":"text"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"MessageCompleted"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"message"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"role"}},{"kind":"Field","name":{"kind":"Name","value":"text"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"citations"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"index"}},{"kind":"Field","name":{"kind":"Name","value":"quote"}},{"kind":"Field","name":{"kind":"Name","value":"answerStart"}},{"kind":"Field","name":{"kind":"Name","value":"answerEnd"}},{"kind":"Field","name":{"kind":"Name","value":"documentName"}},{"kind":"Field","name":{"kind":"Name","value":"document"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}},{"kind":"Field","name":{"kind":"Name","value":"location"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"startOffset"}},{"kind":"Field","name":{"kind":"Name","value":"endOffset"}}]}}]}}]}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"RunUpdated"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runStatus"}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]}}]} as unknown as DocumentNode<EventsSubscription, EventsSubscriptionVariables>;
export const QuoteDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Quote"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"start"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"end"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"document"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"text"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"start"},"value":{"kind":"Variable","name":{"kind":"Name","value":"start"}}},{"kind":"Argument","name":{"kind":"Name","value":"end"},"value":{"kind":"Variable","name":{"kind":"Name","value":"end"}}}]}]}}]}}]}}]} as unknown as DocumentNode<QuoteQuery, QuoteQueryVariables>;