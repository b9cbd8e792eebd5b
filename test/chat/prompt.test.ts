// What the model is sent of a turn: the template filled for it, the passages, and of the conversation what fits.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dayIn } from '../../src/agent/template.ts';
import { addText, ended } from '../documents/support.ts';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { createSession, endOf, watch } from '../support/chats.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';

let model: ModelServer;
let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  model = await startModelServer();
  parley = await createTestApp(model.env);
  ada = await parley.signUp('Ada');
});
afterAll(async () => {
  await parley.close();
  await model.close();
});

it('the template is filled, and what is left out of the history takes neither the question nor the passages with it', async () => {
  const graph = {
    name: 'With a template',
    nodes: [{ id: 'find', type: 'retrieval', config: { mode: 'ALWAYS' } }, { id: 'ask', type: 'prompt', config: { maxHistoryTokens: 0, template: 'Today is {{date}} in {{timeZone}}. {{systemPrompt}}' } }, { id: 'check', type: 'output' }],
    edges: [['start', 'find'], ['find', 'ask'], ['ask', 'check'], ['check', 'end']].map(([from, to]) => ({ from, to })),
  };
  const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', { input: { name: 'P', systemPrompt: 'Answer {{kindly}}.', graph } });
  expect(createProfile.userErrors).toEqual([]);
  const { job } = await addText(ada, { name: 'Manual', text: 'The warranty of the coffee machine lasts three years.', mediaType: 'text/plain', profileIds: [createProfile.profile.id] });
  expect((await ended(ada, job.id)).status).toBe('SUCCEEDED');
  const sessionId = await createSession(ada, createProfile.profile.id);
  const days: string[] = [];
  for (const question of ['How long does the warranty last?', 'And of the coffee machine, how long is the warranty?']) {
    days.push(dayIn('Pacific/Kiritimati', new Date()));
    const { runId, cursor } = await sendTo(ada, sessionId, question, { timeZone: 'Pacific/Kiritimati' });
    const call = await model.call();
    call.end();
    const [system, ...rest] = call.body.messages;
    days.push(dayIn('Pacific/Kiritimati', new Date()));
    expect(days.map((day) => `Today is ${day} in Pacific/Kiritimati. Answer {{kindly}}.\n`).some((beginning) => system!.content.startsWith(beginning))).toBe(true);
    expect(system!.content).toContain('<passage n="1" document="Manual">\nThe warranty of the coffee machine lasts three years.\n</passage>');
    expect(rest).toEqual([{ role: 'user', content: question }]);
    const stream = watch(ada, sessionId, cursor);
    expect(await endOf(stream, runId)).toBe('SUCCEEDED');
    stream.stop();
  }
});
