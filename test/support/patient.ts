// A client as the documentation asks for one: it knows several addresses, tries the next one when one stops or is gone, sends
// a message again with the same key, goes on reading after its cursor, and takes the stream at its word.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { EVENTS, SEND, isEnd, type Sent, type TalkEvent } from './talk.ts';

/** After so long an operation has failed, however often it was tried. */
const patienceMs = 20_000;

export interface PatientClient {
  /** Sends a message and reads until its run has ended; the text as it was read. Rejects when it had to give up. */
  converse(text: string): Promise<string>;
  /** What was not as the protocol promises. */
  readonly faults: readonly string[];
  /** How often it tried again, by reason. */
  readonly retries: ReadonlyMap<string, number>;
  /** Answers that another instance took over. */
  readonly takeovers: number;
}

/** A client of one session. `urls` are the addresses as they are now. */
export function createPatientClient(urls: readonly string[], token: string, sessionId: string): PatientClient {
  const faults: string[] = [];
  const retries = new Map<string, number>();
  let at = 0;
  let cursor: string | null = null;
  let sequence = 0;
  let takeovers = 0;

  /** Tries until it works; what `attempt` throws as a Retry is tried at the next address. */
  async function patiently<T>(attempt: (url: string) => Promise<T>): Promise<T> {
    for (const until = performance.now() + patienceMs; ; ) {
      try {
        return await attempt(urls[at] as string);
      } catch (error) {
        if (!(error instanceof Retry) || performance.now() > until) throw error;
        retries.set(error.message, (retries.get(error.message) ?? 0) + 1);
        at = (at + 1) % urls.length;
        await sleep(50);
      }
    }
  }

  async function send(url: string, text: string, idempotencyKey: string): Promise<Sent> {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: SEND, variables: { input: { sessionId, text, idempotencyKey } } }),
    }).catch(() => {
      throw new Retry('no connection');
    });
    if (response.status === 503) throw new Retry('503');
    const { data, errors } = (await response.json().catch(() => {
      throw new Retry('a connection cut');
    })) as { data?: { sendMessage: Sent }; errors?: unknown };
    if (errors || !data) throw new Error(JSON.stringify(errors));
    const { sendMessage } = data;
    if (sendMessage.userErrors.some(({ code }) => code === 'SHUTTING_DOWN')) throw new Retry('SHUTTING_DOWN');
    if (sendMessage.userErrors.length > 0) throw new Error(JSON.stringify(sendMessage.userErrors));
    return sendMessage;
  }

  /** Reads on after the cursor until the run has ended. */
  async function read(url: string, runId: string, answer: Answer): Promise<void> {
    const client = createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, connectionParams: { authorization: `Bearer ${token}` }, retryAttempts: 0 });
    try {
      for await (const { data, errors } of client.iterate<{ chatEvents: TalkEvent }>({ query: EVENTS, variables: { s: sessionId, a: cursor } })) {
        if (errors || !data) throw new Error(JSON.stringify(errors));
        const event = data.chatEvents;
        apply(event, answer);
        if (isEnd(event) && event.run?.id === runId) return;
      }
      throw new Retry('a stream that ended');
    } catch (error) {
      const { code } = error as { code?: number };
      if (error instanceof Retry || (Array.isArray(error) && JSON.stringify(error).includes('SHUTTING_DOWN'))) throw new Retry('SHUTTING_DOWN');
      // Without a code there was no connection; 1006 is one that was cut or refused.
      if (code === 1012 || code === 1006) throw new Retry(String(code));
      if ((error as { type?: string }).type === 'error') throw new Retry('no connection');
      throw error;
    } finally {
      await client.dispose();
    }
  }

  function apply(event: TalkEvent, answer: Answer): void {
    const { __typename: type, offset = 0 } = event;
    if (type === 'TypingChanged') return;
    if (type === 'StreamReset') faults.push('the stream was reset');
    if (event.cursor !== undefined) cursor = event.cursor;
    if (type === 'MessageDelta') {
      if (offset !== answer.text.length) faults.push(`text at ${offset} after ${answer.text.length} units`);
      answer.text += event.text;
    } else if (type === 'MessageTruncated') {
      answer.text = answer.text.slice(0, offset);
      if (event.cause === 'RUN_TAKEN_OVER') takeovers++;
    } else if (type === 'MessageCompleted') {
      answer.completed++;
      if (event.message?.text !== answer.text) faults.push(`the message is ${JSON.stringify(event.message?.text)}, and its text was ${JSON.stringify(answer.text)}`);
    } else if (isEnd(event)) answer.ends.push(event.runStatus as string);
    if (type === 'MessageDelta' || type === 'StreamCaughtUp') return;
    if (sequence !== 0 && event.sequence !== sequence + 1) faults.push(`${type} is number ${event.sequence} after ${sequence}`);
    sequence = event.sequence as number;
  }

  return {
    async converse(text) {
      const key = randomUUID();
      const { run, cursor: before } = await patiently((url) => send(url, text, key));
      cursor ??= before;
      const answer: Answer = { text: '', completed: 0, ends: [] };
      await patiently((url) => read(url, run?.id as string, answer));
      if (answer.completed !== 1) faults.push(`${answer.completed} messages were completed`);
      if (answer.ends.join() !== 'SUCCEEDED') faults.push(`the run ended as ${answer.ends.join()}`);
      return answer.text;
    },
    faults,
    retries,
    get takeovers() {
      return takeovers;
    },
  };
}

/** A failure after which a client tries again. */
class Retry extends Error {}

interface Answer {
  text: string;
  completed: number;
  readonly ends: string[];
}
