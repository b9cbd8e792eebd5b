// What a kept ranking saves: searches on the embedded database, each asked for the first time and again, in turn with the
// parts of both, over 1,000 passages in as many documents and in a hundred. `npm run bench:cache [-- --questions 200]`
import { parseArgs } from 'node:util';
import { authenticate, register } from '../src/accounts/service.ts';
import { createApp } from '../src/app.ts';
import { createContext, type Context } from '../src/context.ts';
import { scopeStamp } from '../src/documents/passage-scope.ts';
import { addTextDocument } from '../src/documents/service.ts';
import { loadConfig } from '../src/platform/config.ts';
import { addProfile } from '../src/profiles/service.ts';
import { rankPassages } from '../src/search/ranking.ts';
import { search } from '../src/search/service.ts';

const { values: options } = parseArgs({ options: { questions: { type: 'string', default: '200' } } });
const app = await createApp(loadConfig({ NODE_ENV: 'test', LOG_LEVEL: 'error' }), { inMemory: true });
const random = mulberry(7);
// As in a language: a few words are everywhere, most are rare.
const words = Array.from({ length: 5_000 }, (_, index) => `w${index.toString(36)}x`);
const word = (): string => words[Math.floor(words.length ** random()) - 1] ?? 'word';
const sentence = (length: number): string => `${Array.from({ length }, word).join(' ')}.`;

for (const [documents, sections] of [[1_000, 1], [100, 10]] as const) {
  const ctx = await newWorkspace(`${documents}`);
  const profile = await addProfile(ctx(), { name: 'Bench', systemPrompt: 'Answer.' });
  for (let number = 0; number < documents; number++) {
    const text = Array.from({ length: sections }, (_, index) => `# Section ${index}\n\n${Array.from({ length: 12 }, () => sentence(12)).join(' ')}`).join('\n\n');
    await addTextDocument(ctx(), { name: `Document ${number}`, text, mediaType: 'text/markdown', profileIds: [profile.id], tags: [] });
  }
  while ((await app.jobs.pending()) > 0) await new Promise((done) => setTimeout(done, 250));
  for (const profileId of [null, profile.id]) {
    const times: Record<'miss' | 'hit' | 'rank' | 'stamp', number[]> = { miss: [], hit: [], rank: [], stamp: [] };
    const timed = async <T>(name: keyof typeof times, work: (ctx: Context) => Promise<T>): Promise<T> => {
      const own = ctx();
      const start = performance.now();
      const result = await work(own);
      times[name].push(performance.now() - start);
      return result;
    };
    let found = 0;
    for (let number = -10; number < Number(options.questions); number++) {
      const query = `question ${number} ${sentence(6)}`;
      const input = { query, profileId, documentIds: null, mode: 'HYBRID', minScore: null, rerank: false, tags: null } as const;
      const scope = { workspaceId: ctx().workspaceId as string, profileId, documentIds: null, tags: null };
      const page = { first: 10, after: null };
      const first = await timed('miss', (own) => search(own, input, page));
      const again = await timed('hit', (own) => search(own, input, page));
      await timed('rank', (own) => rankPassages(own, { text: query, scope, mode: 'HYBRID', minScore: 0, rerank: false, rerankModelId: null, signal: own.signal, spent: () => undefined }));
      await timed('stamp', (own) => scopeStamp(own.em, scope));
      if (first.cached || !again.cached) throw new Error('The cache does not do what is measured here.');
      if (number < 0) for (const list of Object.values(times)) list.length = 0;
      found = Math.max(found, first.totalCount);
    }
    const figures = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, { p50: at(list, 0.5), p95: at(list, 0.95) }]));
    console.log(JSON.stringify({ documents, passages: documents * sections, scope: profileId ? 'profile' : 'workspace', found, ...figures, saved: `${Math.round(100 * (1 - at(times.hit, 0.5) / at(times.miss, 0.5)))} %` }));
  }
}
await app.close();
process.exit();

async function newWorkspace(name: string): Promise<() => Context> {
  const { tokens } = await register(createContext(app, {}), { email: `${name}@example.test`, password: 'Str0ng-pass-word!', name }, null);
  const viewer = await authenticate(app, tokens.accessToken);
  return () => createContext(app, { viewer });
}

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) * 100) / 100;
}

/** Evenly distributed numbers below 1, the same each time. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
