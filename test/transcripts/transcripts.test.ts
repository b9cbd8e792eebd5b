// Whole conversations as a reader of the stream sees them, kept beside this file: what was said, step by step, call by call.
// A change of the product that changes one shows it as a difference; `npm test -- -u` writes them anew, to be read before they
// are committed.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineTool, type Tool } from '../../src/agent/tools.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { attend, createSession } from '../support/chats.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { isEnd } from '../support/strict.ts';

const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on RunUpdated { runStatus error { code message } }
  ... on RunStepUpdated { step { node status } }
  ... on MessageCreated { message { role } }
  ... on MessageDelta { text }
  ... on ToolCallUpdated { toolCallStatus toolCall { id name arguments result error } }
  ... on InterruptRaised { interrupt { id kind prompt options { value label } } }
  ... on InterruptResolved { interruptId }
  ... on CitationAdded { citation { index quote documentName } }
  ... on MessageCompleted { message { role text } } } }`;

/** What is said, and how questions are answered that come of it. */
interface Turn {
  readonly say: string;
  readonly answer?: (interrupt: any) => unknown;
  readonly dryRun?: boolean;
}

/** Plays the turns in one session, one after the other, and writes down what the stream tells. */
async function transcript(title: string, user: TestUser, sessionId: string, turns: readonly Turn[], send: (user: TestUser, sessionId: string, text: string, dryRun?: boolean) => Promise<string> = sendMessage): Promise<string> {
  const lines = [`# ${title}`];
  let after: string | null = null;
  for (const { say, answer, dryRun } of turns) {
    lines.push('', `## ${say}${dryRun ? ' (dry run)' : ''}`, '');
    after = await send(user, sessionId, say, dryRun);
    const stream = user.subscribe(EVENTS, { s: sessionId, a: after });
    await stream.until((result) => isEnd(result) || result.chatEvents.runStatus === 'INTERRUPTED');
    const asked = stream.events.find(({ chatEvents }) => chatEvents.__typename === 'InterruptRaised')?.chatEvents.interrupt;
    if (asked) {
      const response = answer?.(asked);
      const { resumeRun } = await user.ask('mutation ($input: ResumeRunInput!) { resumeRun(input: $input) { userErrors { message } } }', { input: { interruptId: asked.id, response } });
      expect(resumeRun.userErrors).toEqual([]);
      await stream.until(isEnd);
    }
    stream.stop();
    lines.push(...stream.events.flatMap(({ chatEvents }) => told(chatEvents)), '', ...callsIn(stream.events.map(({ chatEvents }) => chatEvents)));
  }
  // Ids are others in every run.
  return `${lines.join('\n').replaceAll(/"VGFzazo\w+"/g, '"…"')}\n`;
}

/** The calls that were made, as they are in the end: on the way their results may be there already when an event is read. */
function callsIn(events: readonly any[]): string[] {
  const calls = new Map(events.flatMap((event) => (event.__typename === 'ToolCallUpdated' ? [[event.toolCall.id, event.toolCall]] : [])));
  return [...calls.values()].flatMap(({ name, arguments: given, result, error }) => [
    `\`${name}\` ${json(given)}`,
    ...(result === null ? [] : [`→ ${json(result)}`]),
    ...(error === null ? [] : [`→ ${error.replaceAll(/\s+/g, ' ')}`]),
    '',
  ]);
}

const json = (value: unknown): string => `\`${JSON.stringify(value)}\``;

async function sendMessage(user: TestUser, sessionId: string, text: string): Promise<string> {
  const { sendMessage: sent } = await user.ask('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { cursor userErrors { message } } }', { input: { sessionId, text, timeZone: 'Europe/Berlin', idempotencyKey: randomUUID() } });
  expect(sent.userErrors).toEqual([]);
  return sent.cursor;
}

/** The lines of an event; none for one that says how far the text has come, or who types, which depends on the moment. */
function told(event: any): string[] {
  switch (event.__typename) {
    case 'RunUpdated':
      return [`- run ${event.runStatus}${event.error ? `: ${event.error.code} ${event.error.message}` : ''}`];
    case 'RunStepUpdated':
      return event.step.status === 'RUNNING' ? [] : [`- step \`${event.step.node}\` ${event.step.status}`];
    case 'ToolCallUpdated':
      return [`- call \`${event.toolCall.name}\` ${event.toolCallStatus}`];
    case 'InterruptRaised':
      return [`- ${event.interrupt.kind}: ${event.interrupt.prompt}${event.interrupt.options.map(({ label }: { label: string }) => ` (${label})`).join('')}`];
    case 'InterruptResolved':
      return ['- it is answered'];
    case 'CitationAdded':
      return [`- citation [${event.citation.index}] of ${event.citation.documentName}: "${event.citation.quote}"`];
    case 'MessageCompleted':
      return event.message.role === 'ASSISTANT' ? ['', ...event.message.text.split('\n').map((line: string) => `> ${line}`.trimEnd()), ''] : [];
    default:
      return [];
  }
}

describe('without a model', () => {
  let parley: TestApp;
  let ada: TestUser;
  beforeAll(async () => {
    parley = await createTestApp();
    ada = await parley.signUp('Ada');
  });
  afterAll(() => parley.close());

  it('the task assistant creates, asks, changes and deletes', async () => {
    const { profiles } = await ada.ask('{ profiles(nameContains: "task") { nodes { id } } }');
    const sessionId = await createSession(ada, profiles.nodes[0].id);
    const start = async (user: TestUser, session: string, text: string, dryRun = false): Promise<string> => {
      const { runTaskAssistant } = await user.ask('mutation ($input: RunTaskAssistantInput!) { runTaskAssistant(input: $input) { cursor userErrors { message } } }', { input: { text, timeZone: 'Europe/Berlin', sessionId: session, dryRun, idempotencyKey: randomUUID() } });
      expect(runTaskAssistant.userErrors).toEqual([]);
      return runTaskAssistant.cursor;
    };
    const turns: Turn[] = [
      { say: 'Remind me to call the dentist on 24 December 2031 at 3pm' },
      { say: 'Add a meeting with Bob to my calendar for 24 December 2031 at 3pm' },
      { say: 'Schedule a meeting with Eve on 5 January 2032' },
      { say: 'What is on my calendar on 24 December 2031?' },
      { say: 'Mark call the dentist as done', dryRun: true },
      { say: 'Mark call the dentist as done' },
      { say: 'Cancel the meeting', answer: ({ options }) => options.find(({ label }: { label: string }) => label.includes('Eve')).value },
      { say: 'Delete all my meetings', answer: () => ({ approved: false }) },
      { say: 'Set a reminder for 1 February 2032', answer: () => 'Water the plants' },
      { say: 'Delete the task feed the dragon' },
      { say: 'How are you?' },
    ];
    await expect(await transcript('The task assistant', ada, sessionId, turns, start)).toMatchFileSnapshot('./tasks.md');
  });

  it('a profile with documents answers by quotation, and says so when it cannot', async () => {
    const { createProfile } = await ada.ask('mutation { createProfile(input: { name: "Shop", systemPrompt: "Help." }) { profile { id } } }');
    const text = '# Returns\n\nA parcel may be returned within 30 days. The customer pays for the way back.\n\n# Warranty\n\nThe warranty of the coffee machine lasts 24 months. Damage by limescale is not covered.';
    const { addTextDocument } = await ada.ask('mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { job { id } } }', { input: { name: 'Terms', text, profileIds: [createProfile.profile.id], mediaType: 'text/markdown' } });
    expect(await ada.subscribe('subscription ($id: ID) { ingestionJobUpdated(jobId: $id) { status } }', { id: addTextDocument.job.id }).ended).toBeNull();
    const sessionId = await createSession(ada, createProfile.profile.id);
    const turns = [{ say: 'How long does the warranty of the coffee machine last?' }, { say: 'Good morning!' }, { say: 'Which months suit planting garlic?' }];
    await expect(await transcript('Answers from documents', ada, sessionId, turns)).toMatchFileSnapshot('./answers.md');
  });
});

describe('with a model that calls tools', () => {
  let model: ModelServer;
  let parley: TestApp;
  let ada: TestUser;
  let script: ((call: ModelCall) => void)[] = [];
  const book = defineTool({
    name: 'book_table',
    description: 'Books a table.',
    parameters: z.object({ guests: z.int().min(1).max(12), at: z.iso.datetime() }),
    permission: null,
    requiresApproval: true,
    hasEffects: true,
    execute: async ({ guests, at }) => ({ booked: true, guests, at }),
  });
  beforeAll(async () => {
    model = await startModelServer();
    void attend(model, (call) => script.shift()?.(call));
    parley = await createTestApp(model.env, { tools: [book as unknown as Tool] });
    ada = await parley.signUp('Ada');
  });
  afterAll(async () => {
    await parley.close();
    await model.close();
  });

  it('an assistant asks before it acts, and mends what it got wrong', async () => {
    const input = { name: 'Waiter', systemPrompt: 'Help.', retrieval: { mode: 'OFF' }, toolNames: ['book_table'] };
    const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input });
    const sessionId = await createSession(ada, createProfile.profile.id);
    const call = (arguments_: object) => (asked: ModelCall) => asked.request({ name: 'book_table', arguments: arguments_ });
    const speak = (text: string) => (asked: ModelCall) => {
      asked.say(text);
      asked.end();
    };
    const at = '2031-12-24T18:00:00Z';
    script = [call({ guests: 40, at }), call({ guests: 12, at }), speak('A table for twelve is booked.'), call({ guests: 2, at }), speak('All right, no table then.')];
    const turns = [
      { say: 'Book a table for forty.', answer: () => ({ approved: true }) },
      { say: 'And one for two.', answer: () => ({ approved: false }) },
    ];
    await expect(await transcript('A tool that needs approval', ada, sessionId, turns)).toMatchFileSnapshot('./approval.md');
  });
});
