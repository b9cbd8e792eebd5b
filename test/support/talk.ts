// A person's chat at the instances of a cluster: questions, and the stream.
import { randomUUID } from 'node:crypto';
import type { Subscription, TestUser } from './visitor.ts';

/** The stream of a session. */
export const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on StreamEvent { sequence cursor }
  ... on MessageDelta { messageId offset text cursor }
  ... on MessageTruncated { messageId offset cause }
  ... on MessageCompleted { message { id text } }
  ... on StreamCaughtUp { cursor }
  ... on RunUpdated { runStatus attempt run { id } } } }`;
/** Sending a message. */
export const SEND = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id } cursor userErrors { code } } }';

/** An event of the stream as the subscription above asks for it. */
export interface TalkEvent {
  readonly __typename: string;
  readonly sequence?: number;
  readonly cursor?: string;
  readonly messageId?: string;
  readonly offset?: number;
  readonly text?: string;
  readonly cause?: string;
  readonly message?: { readonly id: string; readonly text: string };
  readonly runStatus?: string;
  readonly attempt?: number;
  readonly run?: { readonly id: string };
}

/** What sending answers. */
export interface Sent {
  readonly run: { readonly id: string } | null;
  readonly cursor: string | null;
  readonly userErrors: readonly { readonly code: string }[];
}

/** Sends a message. */
export async function say(user: TestUser, sessionId: string, text = 'Hello', idempotencyKey: string = randomUUID()): Promise<Sent> {
  return (await user.ask(SEND, { input: { sessionId, text, idempotencyKey } })).sendMessage;
}

/** Follows a session after a cursor, or from now on. */
export function hear(user: TestUser, sessionId: string, after: string | null): Subscription {
  return user.subscribe(EVENTS, { s: sessionId, a: after });
}

/** What a stream has brought so far. */
export function heard({ events }: Subscription): TalkEvent[] {
  return events.map(({ chatEvents }) => chatEvents);
}

/** Whether an event ends a run. */
export function isEnd({ __typename: type, runStatus = '' }: TalkEvent): boolean {
  return type === 'RunUpdated' && ['SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(runStatus);
}

/** The text that a client has which applies these events in their order. */
export function textOf(events: readonly TalkEvent[]): string {
  let text = '';
  for (const event of events) {
    if (event.__typename === 'MessageDelta') text = text.slice(0, event.offset) + event.text;
    else if (event.__typename === 'MessageTruncated') text = text.slice(0, event.offset);
  }
  return text;
}
