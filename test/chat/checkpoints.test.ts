// What a turn writes to the tables of checkpoints, which are written again with every step.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkpointSchema } from '../../src/platform/checkpoints.ts';
import { addText, ended } from '../documents/support.ts';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { createSession, endOf, rowIdOf, watch } from '../support/chats.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';

/** Bytes that a turn with 8 KB of text may write. */
const bound = 40 * 1024;
const sentence = 'The warranty of the coffee machine lasts three years and covers the grinder. ';
const text = sentence.repeat(Math.ceil(8192 / sentence.length)).slice(0, 8192);

let model: ModelServer;
let parley: TestApp;
let ada: TestUser;
let profileId: string;
beforeAll(async () => {
  model = await startModelServer();
  parley = await createTestApp(model.env);
  ada = await parley.signUp('Ada');
  // Everything that is written counts, also what is written over or removed at the end of the run.
  await parley.app.database.pglite!.exec(`
    create table written (thread_id text, source text, bytes int);
    -- As text, in which a byte of a blob takes two.
    create function note_written() returns trigger language plpgsql as $$ begin
      insert into written values (new.thread_id, tg_table_name, octet_length(new::text) - coalesce(octet_length(to_jsonb(new) ->> 'blob') / 2, 0));
      return new; end $$;
    ${['checkpoints', 'checkpoint_blobs', 'checkpoint_writes'].map((table) => `create trigger noted after insert or update on ${checkpointSchema}.${table} for each row execute function note_written();`).join('\n')}`);
  const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input: { name: 'P', systemPrompt: 'Answer.', retrieval: { mode: 'ALWAYS' } } });
  profileId = createProfile.profile.id;
  const { job } = await addText(ada, { name: 'Manual', text: `${sentence}\n\n`.repeat(400), mediaType: 'text/plain', profileIds: [profileId] });
  expect((await ended(ada, job.id)).status).toBe('SUCCEEDED');
});
afterAll(async () => {
  await parley.close();
  await model.close();
});

/** Waits for the end of the run and its checkpoints, and says how many bytes it wrote of them. */
async function writtenBy(sessionId: string, { runId, cursor }: { runId: string; cursor: string }): Promise<number> {
  const stream = watch(ada, sessionId, cursor);
  expect(await endOf(stream, runId)).toBe('SUCCEEDED');
  stream.stop();
  await expect.poll(() => parley.app.activity.runs).toBe(0);
  const { rows } = await parley.app.database.pglite!.query<{ source: string; writes: number; bytes: number }>('select source, count(*)::int as writes, sum(bytes)::int as bytes from written where thread_id = $1 group by source order by source', [rowIdOf(runId)]);
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  console.info(`${bytes} bytes: ${rows.map((row) => `${row.source} ${row.bytes} in ${row.writes}`).join(', ')}`);
  expect(rows.map(({ source }) => source)).toEqual(['checkpoint_blobs', 'checkpoint_writes', 'checkpoints']);
  return bytes;
}

it.each([
  ['a question', text, 'Three years.'],
  ['an answer', 'How long does the warranty last?', text],
])('a turn with %s of 8 KB writes at most 40 KB of checkpoints', async (_, question, answer) => {
  const sessionId = await createSession(ada, profileId);
  const sent = await sendTo(ada, sessionId, question);
  const call = await model.call();
  expect(call.body.messages[0]!.content).toContain('<passage n="6"');
  expect(call.body.messages.at(-1)).toEqual({ role: 'user', content: question });
  call.say(answer);
  call.end();
  expect(await writtenBy(sessionId, sent)).toBeLessThanOrEqual(bound);
});

it('so does a turn with eight calls, which the model signs with 4 KB, and an answer of 8 KB', async () => {
  const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input: { name: 'T', systemPrompt: 'Answer.', retrieval: { mode: 'OFF' }, toolNames: ['current_time'] } });
  const sessionId = await createSession(ada, createProfile.profile.id);
  const sent = await sendTo(ada, sessionId, 'How late is it?');
  const first = await model.call();
  const extra = { extra_content: { google: { thought_signature: 'x'.repeat(4096) } } };
  first.request({ name: 'current_time', arguments: {}, more: extra }, ...Array.from({ length: 7 }, () => ({ name: 'current_time', arguments: {} })));
  const second = await model.call();
  expect(second.body.messages.flatMap(({ tool_calls: calls = [] }) => calls.map((call) => call.extra_content))).toEqual([extra.extra_content, ...Array(7).fill(undefined)]);
  second.say(text);
  second.end();
  expect(await writtenBy(sessionId, sent)).toBeLessThanOrEqual(bound);
});
