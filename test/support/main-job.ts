// The operations of the main job, typed from schema.graphql, and a document for it.
import { graphql } from './graphql/index.ts';

/** Signs somebody up. */
export const REGISTER = graphql(`
  mutation Register($input: RegisterInput!) {
    register(input: $input) { user { id } tokens { accessToken } userErrors { message } }
  }
`);
/** Makes a profile. */
export const CREATE_PROFILE = graphql(`
  mutation CreateProfile($input: CreateProfileInput!) {
    createProfile(input: $input) { profile { id version { retrieval { mode } } } userErrors { message field } }
  }
`);
/** Uploads files into profiles. */
export const UPLOAD = graphql(`
  mutation Upload($input: UploadDocumentsInput!) {
    uploadDocuments(input: $input) { documents { id name mediaType } jobs { id } userErrors { message } }
  }
`);
/** Follows a job until its end. */
export const INGESTION = graphql(`
  subscription Ingestion($jobId: ID!) {
    ingestionJobUpdated(jobId: $jobId) { status stage error { message } document { status chunkCount } }
  }
`);
/** Searches a profile's documents. */
export const SEARCH = graphql(`
  query Search($input: SearchInput!) {
    search(input: $input) {
      edges { rank highlights { startOffset endOffset } node { text document { id version { text } } location { startOffset endOffset headingPath } } }
    }
  }
`);
/** Begins a chat. */
export const CREATE_SESSION = graphql(`
  mutation CreateSession($input: CreateChatSessionInput!) {
    createChatSession(input: $input) { session { id } userErrors { message } }
  }
`);
/** Sends a message. */
export const SEND = graphql(`
  mutation Send($input: SendMessageInput!) {
    sendMessage(input: $input) { run { id } cursor userErrors { message } }
  }
`);
/** Follows a chat. */
export const EVENTS = graphql(`
  subscription Events($sessionId: ID!, $after: EventCursor) {
    chatEvents(sessionId: $sessionId, after: $after) {
      __typename
      ... on StreamEvent { cursor }
      ... on MessageDelta { messageId offset text }
      ... on MessageCompleted {
        message { id role text status citations { index quote answerStart answerEnd documentName document { id } location { startOffset endOffset } } }
      }
      ... on RunUpdated { runStatus error { message } }
    }
  }
`);
/** Reads a piece of a document. */
export const QUOTE = graphql(`
  query Quote($id: ID!, $start: Int!, $end: Int!) {
    document(id: $id) { version { text(start: $start, end: $end) } }
  }
`);

/** A document with something to ask about. */
export const HANDBOOK = `# Lighthouse handbook

## Lamp

The lamp of the lighthouse is lit at sunset by the keeper on duty. It burns eleven litres of oil in a winter night.

## Fog horn

The fog horn sounds every forty seconds when the far buoy cannot be seen. It needs compressed air from the red tank.

## Visitors

Visitors may climb the tower on Sundays between two and four. Children must be accompanied — no exceptions.
`;
