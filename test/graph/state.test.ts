import fc from 'fast-check';
import { expect, it } from 'vitest';
import { changeBy, decodeState, encodeState, initialState, pick, runState, UnreadableStateError } from '../../src/graph/state.ts';

const key = fc.string().filter((name) => name !== '__proto__' && name !== 'lc');
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'binary' }),
    fc.boolean(),
    fc.constant(null),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(key, tie('json'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const states = fc.record({
  version: fc.constant(1 as const),
  question: fc.string({ unit: 'binary' }),
  passages: fc.array(fc.record({ n: fc.integer({ min: 1 }), chunkId: fc.string() }, { noNullPrototype: true })),
  outputMessageId: fc.option(fc.uuid()),
  steps: fc.dictionary(key, fc.nat(), { noNullPrototype: true }),
  turnStates: fc.dictionary(key, fc.record({ model: fc.string(), data: fc.string() }, { noNullPrototype: true }), { noNullPrototype: true }),
  written: fc.option(fc.record({ blockIndex: fc.nat(), offset: fc.nat(), citations: fc.nat() }, { noNullPrototype: true })),
  values: fc.dictionary(key, json, { noNullPrototype: true }),
}, { noNullPrototype: true });

it('a state comes back from its text as it was', () => {
  fc.assert(fc.property(states, (state) => void expect(decodeState(encodeState(state as never))).toStrictEqual(state)), { numRuns: 200 });
});

it('a text that is no state of this version is refused, whatever it is', () => {
  const stored = JSON.parse(encodeState(initialState('q'))) as Record<string, unknown>;
  for (const text of ['', '{', 'null', '[]', '{}', JSON.stringify({ ...stored, version: 2 }), JSON.stringify({ ...stored, passages: [{ n: 0 }] })]) {
    expect(() => decodeState(text)).toThrow(UnreadableStateError);
  }
  expect(() => decodeState(JSON.stringify({ ...stored, version: 2 }))).toThrow(/version 2.*version 1/);
  fc.assert(fc.property(fc.json(), (text) => void expect(() => decodeState(text)).toThrow(UnreadableStateError)));
});

it('values hold plain JSON only, so that a checkpoint gives back what it was given', () => {
  for (const value of [new Date(), Number.NaN, 1n, undefined, new Map(), { lc: 1, type: 'constructor', id: ['x'] }, JSON.parse('{"__proto__":1}')]) {
    expect(runState.safeParse(initialState('q', { value } as never)).success).toBe(false);
  }
  const round: unknown[] = [];
  round.push(round);
  expect(runState.safeParse(initialState('q', { round } as never)).success).toBe(false);
});

it('a node reads keys of the state by name and all others from its values', () => {
  const state = initialState('q', { intent: 'create' });
  expect(pick(state, ['question', 'intent', 'missing', 'toString'])).toEqual({ question: 'q', intent: 'create' });
  expect(pick(state, ['values'])).toEqual({ values: { intent: 'create' } });
});

it('a node writes passages as ids only, and what the state does not name into its values', () => {
  const passages = [{ n: 1, chunkId: 'c', text: 'long' }];
  expect(changeBy({ passages, intent: 'x', values: { more: 1 }, nothing: undefined })).toEqual({
    passages: [{ n: 1, chunkId: 'c' }],
    values: { intent: 'x', more: 1 },
  });
});
