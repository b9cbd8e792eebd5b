// Whatever a client sends as a graph, it is told what is wrong with it.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { brokenGraphs } from './random-graphs.ts';

let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  parley = await createTestApp();
  ada = await parley.signUp('Ada');
});
afterAll(() => parley.close());

const CREATE = 'mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { code field message } } }';

const word = fc.oneof(fc.constantFrom('start', 'end', 'a', 'prompt', 'condition', 'retrieval', 'output', '__proto__', 'constructor', '\0', '\ud800'), fc.string({ unit: 'binary', maxLength: 8 }));
const anything = fc.oneof(word, fc.jsonValue({ maxDepth: 4 }), fc.constant({ cases: [{ when: '((((', value: [] }], template: '{{', topK: 1e300, maxSteps: -1 }));
const orAnything = (usual: fc.Arbitrary<unknown>) => fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: anything });
/** The shape of a definition with anything in its places, and anything in place of a definition. */
const shaped = fc.record({
  name: orAnything(word),
  nodes: orAnything(fc.array(orAnything(fc.record({ id: orAnything(word), type: orAnything(word), config: anything }, { requiredKeys: ['id', 'type'] })), { maxLength: 5 })),
  edges: orAnything(fc.array(orAnything(fc.record({ from: orAnything(word), to: orAnything(word), condition: anything }, { requiredKeys: ['from', 'to'] })), { maxLength: 8 })),
});
/** Definitions with nothing wrong but perhaps their texts. */
const worded = fc.tuple(word, word).map(([name, template]) => ({
  name,
  nodes: [{ id: 'a', type: 'prompt', config: { template } }],
  edges: [{ from: 'start', to: 'a' }, { from: 'a', to: 'end' }],
}));
const garbage = fc.oneof(shaped, worded, anything, brokenGraphs().map(({ broken: { name, nodes, edges } }) => ({ name, nodes, edges })));

it('any JSON as a graph is answered by what is wrong with it, never by an accident of ours', async () => {
  const outcomes = { refusedByType: 0, userErrors: 0, stored: 0 };
  await fc.assert(
    fc.asyncProperty(garbage, async (graph) => {
      const { data, errors = [] } = await ada.request(CREATE, { input: { name: 'P', systemPrompt: 'Answer.', graph } });
      if (errors.length > 0) {
        outcomes.refusedByType++;
        // GraphQL's own words for what is of another type than the schema says.
        for (const { message } of errors) expect(message).toMatch(/^Variable "\$input" got invalid value/);
        return;
      }
      const { profile, userErrors } = data.createProfile;
      if (profile) outcomes.stored++;
      else {
        outcomes.userErrors++;
        expect(new Set(userErrors.map(({ code }: { code: string }) => code))).toEqual(new Set(['VALIDATION_FAILED']));
        for (const { field } of userErrors) expect(field[0]).toBe('graph');
      }
    }),
    { numRuns: 300 },
  );
  expect(outcomes.refusedByType).toBeGreaterThan(10);
  expect(outcomes.userErrors).toBeGreaterThan(10);
  expect(outcomes.stored).toBeGreaterThan(10);
}, 120_000);
