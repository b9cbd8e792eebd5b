// The demo: a user, a profile beside those of every workspace, three documents of different types, three tasks and a finished
// chat, made once through the same services that clients use.
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { login, register, viewerOf } from './accounts/service.ts';
import { readAccessToken } from './accounts/tokens.ts';
import { User } from './accounts/entity.ts';
import { sendMessage } from './chat/sending.ts';
import { createChatSession, followSession } from './chat/service.ts';
import { createContext, type App, type Context } from './context.ts';
import { uploadDocuments } from './documents/service.ts';
import { followJobs } from './documents/follow.ts';
import { createProfile } from './profiles/service.ts';
import { createTask, updateTask } from './tasks/service.ts';

/** How to sign in to the demo. */
export interface Demo {
  readonly email: string;
  readonly password: string;
}

const demo: Demo = { email: 'demo@example.org', password: 'Harbour-Bakery-1' };
const files = ['handbook.md', 'allergens.html', 'sourdough.pdf'];

/** Makes the demo unless it is there; returns how to sign in. */
export async function seedDemo(app: App): Promise<Demo> {
  const guest = createContext(app, {});
  if (await guest.em.findOne(User, { email: demo.email })) return demo;
  const { tokens } = await register(guest, { ...demo, name: 'Demo' }, null);
  const ctx = createContext(app, { viewer: await viewerOf(app, await readAccessToken(app, tokens.accessToken)) });
  const profile = await createProfile(ctx, {
    name: 'Harbour Bakery',
    slug: 'harbour-bakery',
    description: 'Answers questions of staff from the handbook, the list of allergens and the guide to sourdough.',
    systemPrompt: 'You help the staff of a bakery. Answer briefly, from the documents.',
    retrieval: { mode: 'ALWAYS' },
  });
  await makeTasks(ctx);
  await uploadAll(ctx, profile.id);
  await chatOnce(ctx, profile.id);
  return demo;
}

/** An access token of the demo user, for GraphiQL in development; null without the demo. */
export async function demoToken(app: App): Promise<string | null> {
  const guest = createContext(app, {});
  if (!(await guest.em.findOne(User, { email: demo.email }))) return null;
  try {
    return (await login(guest, { ...demo, workspaceId: null }, 'GraphiQL')).tokens.accessToken;
  } catch {
    // The password was changed: then somebody signs in themselves.
    return null;
  }
}

/** One that is overdue, one that is due tomorrow, and one that is done. */
async function makeTasks(ctx: Context): Promise<void> {
  const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000);
  await createTask(ctx, { title: 'Send the flour order', notes: 'Rye is running low.', priority: 'URGENT', dueAt: inDays(-1), tags: ['orders'] });
  await createTask(ctx, { title: 'Write the rota for next week', priority: 'HIGH', dueAt: inDays(1), tags: ['staff'] });
  const { id } = await createTask(ctx, { title: 'Clean the proofing chamber', dueAt: inDays(-2), tags: ['cleaning'] });
  await updateTask(ctx, id, { status: 'DONE' });
}

async function uploadAll(ctx: Context, profileId: string): Promise<void> {
  const { jobs } = await uploadDocuments(ctx, {
    files: files.map((name) => Promise.resolve({ name, mediaType: 'application/octet-stream', stream: createReadStream(fileURLToPath(new URL(`demo/${name}`, import.meta.url))) })),
    profileIds: [profileId],
    tags: ['demo'],
    onDuplicate: 'RETURN_EXISTING',
  });
  for (const job of jobs) {
    for await (const state of await followJobs(ctx, { jobId: job.id, documentId: null, profileId: null })) {
      if (state.status === 'FAILED') throw new Error(`A demo document could not be read: ${state.error?.message}`);
    }
  }
}

async function chatOnce(ctx: Context, profileId: string): Promise<void> {
  const sessionId = await createChatSession(ctx, { profileId, title: 'When may I take holidays?', visibility: 'WORKSPACE', idempotencyKey: null });
  const stream = await followSession(ctx, sessionId, null);
  await sendMessage(ctx, {
    sessionId,
    text: 'How many days of paid holiday do I have, and when are none granted?',
    parentMessageId: null,
    idempotencyKey: randomUUID(),
    ifRunning: 'REJECT',
    retrieval: null,
    timeZone: null,
  });
  for await (const item of stream) {
    if (item.kind === 'event' && item.event.type === 'RunUpdated' && !['QUEUED', 'RUNNING'].includes(item.event.payload['runStatus'] as string)) break;
  }
}
