// Chats of people at the instances of a cluster: sending, watching, and what a session looks like in the end.
import { randomUUID } from 'node:crypto';
import type { ModelCall, ModelServer } from './model-server.ts';
import type { Subscription, TestUser } from './visitor.ts';

/** Every event of a session, with the ids of what it speaks of. */
const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on StreamEvent { sequence }
  ... on MessageCreated { message { id } }
  ... on MessageDelta { messageId text }
  ... on MessageCompleted { message { id text status } }
  ... on MessageDeleted { messageId }
  ... on RunUpdated { runStatus run { id } } } }`;
/** Of the payload of every way of sending: a SendAnswer. */
export const SENT = 'run { id } userMessage { id } cursor userErrors { code ... on ConflictError { existing { id } } }';
const SEND = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { ${SENT} } }`;
const SESSION = 'query ($s: ID!) { chatSession(id: $s) { messages(first: 100) { nodes { id role status text } } } }';

/** What sending answers. */
export interface SendAnswer {
  readonly run: { readonly id: string } | null;
  readonly userMessage: { readonly id: string } | null;
  readonly cursor: string | null;
  readonly userErrors: readonly { readonly code: string; readonly existing?: { readonly id: string } | null }[];
}

/** An event of EVENTS. */
export interface ChatEvent {
  readonly __typename: string;
  readonly sequence?: number;
  readonly message?: { readonly id: string; readonly text?: string; readonly status?: string };
  readonly messageId?: string;
  readonly text?: string;
  readonly runStatus?: string;
  readonly run?: { readonly id: string };
}

/** A new profile whose answers are the model's words and nothing else; returns its id. */
export async function createProfile(user: TestUser): Promise<string> {
  const edges = [['start', 'prompt'], ['prompt', 'output'], ['output', 'end']].map(([from, to]) => ({ from, to }));
  const graph = { name: 'plain', nodes: [{ id: 'prompt', type: 'prompt' }, { id: 'output', type: 'output' }], edges };
  const { createProfile: made } = await user.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } } }', { input: { name: 'Plain', systemPrompt: 'Answer.', graph } });
  return made.profile.id;
}

/** A new session; returns its id. */
export async function createSession(user: TestUser, profileId: string): Promise<string> {
  const { createChatSession: made } = await user.ask('mutation ($input: CreateChatSessionInput!) { createChatSession(input: $input) { session { id } } }', { input: { profileId } });
  return made.session.id;
}

/** Sends a message with a key of its own, unless `rest` has one. */
export async function send(user: TestUser, sessionId: string, text: string, rest: object = {}): Promise<SendAnswer> {
  return (await user.ask(SEND, { input: { sessionId, text, idempotencyKey: randomUUID(), ...rest } })).sendMessage;
}

/** Follows a session after a cursor, or from now. */
export function watch(user: TestUser, sessionId: string, after: string | null): Subscription {
  return user.subscribe(EVENTS, { s: sessionId, a: after });
}

/** The events of a subscription so far; throws when there is an error among them. */
export function eventsOf(stream: Subscription): ChatEvent[] {
  return stream.events.map(({ chatEvents, errors }) => {
    if (errors) throw new Error(`A stream says ${JSON.stringify(errors)}`);
    return chatEvents;
  });
}

/** Whether an event is the end of a run, of a given one or of any. */
export function isEndOf(runId: string | null, { __typename, run, runStatus = '' }: ChatEvent): boolean {
  return __typename === 'RunUpdated' && (runId === null || run?.id === runId) && ['SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(runStatus);
}

/** Resolves with the final status of a run that is watched. */
export async function endOf(stream: Subscription, runId: string): Promise<string> {
  const last = await stream.until(({ chatEvents }) => chatEvents !== undefined && isEndOf(runId, chatEvents));
  return last.chatEvents.runStatus;
}

/** The selected branch of a session, from its first message. */
export async function branchOf(user: TestUser, sessionId: string): Promise<{ id: string; role: string; status: string; text: string }[]> {
  return (await user.ask(SESSION, { s: sessionId })).chatSession.messages.nodes;
}

/** The row's id within an id of the API. */
export function rowIdOf(id: string): string {
  return Buffer.from(id, 'base64url').toString().split(':')[1] as string;
}

/** The question that a call of the model is to answer. */
export function questionOf(call: ModelCall): string {
  return call.body.messages.at(-1)?.content ?? '';
}

/** Gives every call of the model to `onCall`, for as long as the process lives. */
export async function attend(model: ModelServer, onCall: (call: ModelCall) => void): Promise<void> {
  for (;;) onCall(await model.call());
}
