// Chats whose answers a scripted model writes: a session to talk in, questions, and answers that leave piece by piece.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelCall } from './model-server.ts';
import type { TestUser } from './visitor.ts';

/** Makes a session with a profile of its own, which answers without documents; models go on for it in this order. */
export async function openChat(user: TestUser, visibility: 'PRIVATE' | 'WORKSPACE' = 'PRIVATE', fallbacks: readonly string[] = []): Promise<string> {
  const fallbackModelIds = fallbacks.map((id) => Buffer.from(`Model:${id}`).toString('base64url'));
  const { createProfile } = await user.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input: { name: 'P', systemPrompt: 'Answer.', retrieval: { mode: 'OFF' }, fallbackModelIds } });
  const { createChatSession } = await user.ask('mutation ($input: CreateChatSessionInput!) { createChatSession(input: $input) { session { id } userErrors { message } } }', { input: { profileId: createProfile.profile.id, visibility } });
  return createChatSession.session.id;
}

/** Asks; throws when it is refused. */
export async function sendTo(user: TestUser, sessionId: string, text: string, more: object = {}): Promise<{ runId: string; cursor: string }> {
  const { sendMessage } = await user.ask('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id } cursor userErrors { message } } }', { input: { sessionId, text, idempotencyKey: randomUUID(), ...more } });
  if (sendMessage.userErrors.length > 0) throw new Error(JSON.stringify(sendMessage.userErrors));
  return { runId: sendMessage.run.id, cursor: sendMessage.cursor };
}

/** The texts of a session's answers as they are stored, by message. */
export async function storedAnswers(user: TestUser, sessionId: string): Promise<Map<string, string>> {
  const { chatSession } = await user.ask('query ($id: ID!) { chatSession(id: $id) { messages(first: 100) { nodes { id role text } } } }', { id: sessionId });
  return new Map(chatSession.messages.nodes.filter((message: { role: string }) => message.role === 'ASSISTANT').map((message: { id: string; text: string }) => [message.id, message.text]));
}

/** Says the pieces with a pause after each, until the caller has gone; `onSaid` hears of each as it leaves. */
export async function speak(call: ModelCall, pieces: readonly string[], pauseMs: number, onSaid: (index: number) => void = () => undefined): Promise<void> {
  let gone = false;
  void call.abandoned.then(() => (gone = true));
  for (const [index, piece] of pieces.entries()) {
    if (gone) return;
    onSaid(index);
    call.say(piece);
    await sleep(pauseMs);
  }
  call.end();
}

/** The value below which so many percent of the values lie. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? NaN;
}

/** "p50 3, p95 9, at most 12 ms" */
export function spread(milliseconds: readonly number[]): string {
  return `p50 ${Math.round(percentile(milliseconds, 50))}, p95 ${Math.round(percentile(milliseconds, 95))}, at most ${Math.round(Math.max(...milliseconds))} ms`;
}
