// APP_ROLE: some processes serve the API, others do the work, and the database and Redis are all that they share.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
import { openSocket } from '../support/socket.ts';
import { openChat } from '../support/answers.ts';
import { hear, heard, isEnd, say, textOf } from '../support/talk.ts';
import type { TestUser } from '../support/visitor.ts';

let model: ModelServer;
let cluster: Cluster;
beforeAll(async () => {
  model = await startModelServer();
  cluster = await startCluster(model.env);
});
afterAll(async () => {
  await cluster?.close();
  await model?.close();
});

const start = (role: string, env: Record<string, string> = {}): Promise<Instance> => cluster.start({ APP_ROLE: role, ...env });

async function runOf(user: TestUser, id: string): Promise<{ status: string; startedAt: string | null }> {
  return (await user.ask('query ($id: ID!) { node(id: $id) { ... on Run { status startedAt } } }', { id })).node;
}

async function readyOf({ url }: Instance): Promise<{ status: string; role: string }> {
  return (await (await fetch(`${url}/ready`)).json()) as { status: string; role: string };
}

describe('an api', () => {
  it('alone leaves messages and documents waiting; a worker that comes answers and reads them, and the reader at the api hears every token', { timeout: 120_000 }, async () => {
    const api = await start('api');
    expect(api.output()).toContain('Role: api. Messages are answered and documents read by processes with APP_ROLE=worker.');
    expect(await readyOf(api)).toMatchObject({ role: 'api', status: 'degraded' });
    const ada = await api.signUp();
    expect((await ada.ask('{ status { role } }')).status.role).toBe('API');
    const sessionId = await openChat(ada);
    const { run, cursor } = await say(ada, sessionId);
    const { addTextDocument } = await ada.ask('mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } job { id } } }', { input: { name: 'Hours', mediaType: 'text/plain', text: 'The shop opens at six.' } });
    const job = 'query ($id: ID!) { node(id: $id) { ... on IngestionJob { status } } }';
    const stream = hear(ada, sessionId, cursor);
    await stream.until(({ chatEvents }) => chatEvents.__typename === 'StreamCaughtUp');
    // Longer than any process needs that looks for work.
    await stayFor(4_000, async () => {
      expect(await runOf(ada, run!.id)).toEqual({ status: 'QUEUED', startedAt: null });
      expect((await ada.ask(job, { id: addTextDocument.job.id })).node.status).toBe('QUEUED');
    });
    expect(model.calls).toBe(0);

    const worker = await start('worker');
    const call = await model.call();
    for (const piece of ['One ', 'two ', 'three.']) {
      call.say(piece);
      // The next piece is said when this one was heard.
      await stream.until(({ chatEvents }) => chatEvents.__typename === 'MessageDelta' && chatEvents.text.includes(piece.trim()));
    }
    call.end();
    await stream.until(({ chatEvents }) => isEnd(chatEvents));
    expect(textOf(heard(stream))).toBe('One two three.');
    expect(heard(stream).find(isEnd)).toMatchObject({ runStatus: 'SUCCEEDED', attempt: 1 });
    while ((await ada.ask(job, { id: addTextDocument.job.id })).node.status !== 'SUCCEEDED');
    stream.stop();
    await worker.stop();
    await api.stop();
  });

  it('hears the whole answer of a worker also without Redis', { timeout: 120_000 }, async () => {
    const api = await start('api', { REDIS_URL: '' });
    const worker = await start('worker', { REDIS_URL: '' });
    const ada = await api.signUp();
    const sessionId = await openChat(ada);
    const stream = hear(ada, sessionId, null);
    await say(ada, sessionId);
    const call = await model.call();
    for (const piece of ['One ', 'two ', 'three.']) call.say(piece);
    call.end();
    await stream.until(({ chatEvents }) => isEnd(chatEvents));
    expect(textOf(heard(stream))).toBe('One two three.');
    stream.stop();
    await worker.stop();
    await api.stop();
  });
});

describe('a worker', () => {
  let worker: Instance;
  beforeAll(async () => {
    worker = await start('worker');
  });

  it('serves /health, /ready and /metrics, and says so', async () => {
    expect(worker.output()).toContain(`Metrics     ${worker.url}/metrics`);
    expect(worker.output()).not.toContain('/graphql');
    expect(await (await fetch(`${worker.url}/health`)).json()).toEqual({ status: 'ok' });
    const ready = await fetch(`${worker.url}/ready`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ role: 'worker', draining: false });
    expect(await (await fetch(`${worker.url}/metrics`)).text()).toContain('# TYPE parley_runs_total counter');
  });

  it('serves no GraphQL: it answers 404 with its role, over HTTP and WebSocket', async () => {
    for (const path of ['/graphql', '/graphiql', '/nothing']) {
      const response = await fetch(`${worker.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"{ __typename }"}' });
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({ status: 'not found', role: 'worker', message: expect.stringContaining('GraphQL is served by processes with APP_ROLE=api or all') });
    }
    await expect(openSocket(worker.url)).rejects.toThrow('404');
  });
});

/** Looks again and again, for so long. */
async function stayFor(ms: number, look: () => Promise<void>): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; ) await look();
}
