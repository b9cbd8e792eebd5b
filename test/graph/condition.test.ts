import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConditionSyntaxError, holds, MAX_CONDITION_LENGTH, parseCondition, pathsOf } from '../../src/graph/condition.ts';

const state = {
  question: 'Wann?',
  passages: [{ n: 1, chunkId: 'c' }],
  outputMessageId: null,
  steps: { agent: 2 },
  values: { intent: 'create', sure: 0.9, empty: '', list: [], says: 'it\'s "so"\n' },
};

describe('a condition holds', () => {
  it.each([
    ['passages.length > 0', true],
    ['passages.length > 1', false],
    ['values.intent == "create"', true],
    ["values.intent == 'create'", true],
    ['values.intent != "create"', false],
    ['!values.intent', false],
    ['!values.unknown', true],
    ['values.unknown == null', true],
    ['outputMessageId == null', true],
    ['values.sure >= 0.9 && steps.agent < 3', true],
    ['values.sure > 9e-1 || false', false],
    ['values.sure > -1', true],
    ['!(values.intent == "create") || question', true],
    ['false && false || true', true],
    ['false && (false || true)', false],
    ['!false == true', true],
    ['question.length == 5', true],
    ['values.empty', false],
    ['values.list == values.list', false],
    ['values.list != null', true],
    ['values.intent > 3', false],
    ['"b" > "a"', true],
    [String.raw`values.says == "it's \"so\"\n"`, true],
  ])('%s: %s', (text, expected) => {
    expect(holds(parseCondition(text), state)).toBe(expected);
  });

  it('reaches nothing but the state', () => {
    for (const path of ['constructor', 'values.__proto__', 'values.toString', 'question.constructor', 'passages.map', 'values.intent.length.x']) {
      expect(holds(parseCondition(`${path} != null`), state)).toBe(false);
    }
  });
});

describe('a condition that cannot be read', () => {
  it.each([
    ['', 0, 'found the end'],
    ['a &&', 4, 'found the end'],
    ['a = 1', 2, '"=="'],
    ['(a', 2, 'closing parenthesis'],
    ['a b', 2, 'operator'],
    ['a == "x', 5, 'not closed'],
    ['a < b < c', 6, 'operator'],
    ['a.', 1, 'Unexpected'],
    ['fetch("x")', 5, 'operator'],
    ['a & b', 2, 'Unexpected'],
    ['1e999', 0, 'too large'],
    ['12abc', 0, 'Unexpected'],
    ['😀', 0, '😀'],
    ['('.repeat(60), 50, 'too deeply'],
    ['x'.repeat(MAX_CONDITION_LENGTH + 1), MAX_CONDITION_LENGTH, 'at most'],
  ])('%s is refused at the right place', (text, position, message) => {
    const error = thrownBy(() => parseCondition(text));
    expect(error).toBeInstanceOf(ConditionSyntaxError);
    expect(error).toMatchObject({ position, message: expect.stringContaining(message) as string });
  });

  it('fails with its own error and a position inside the text, whatever the text is', () => {
    const pieces = fc.constantFrom('a', 'values.x', '"t"', "'", '1', '-', '.5', '==', '!=', '<', '&&', '||', '&', '!', '(', ')', ' ', '\\', 'true', 'é');
    const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join('')));
    fc.assert(
      fc.property(texts, (text) => {
        try {
          holds(parseCondition(text), state);
        } catch (error) {
          if (!(error instanceof ConditionSyntaxError)) throw error;
          expect(error.position).toBeGreaterThanOrEqual(0);
          expect(error.position).toBeLessThanOrEqual(text.length);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

it('means what JavaScript means, for booleans and numbers in any combination', () => {
  const atom = fc.constantFrom('true', 'false', 'values.one', 'values.two', '1', '2');
  const { text } = fc.letrec<{ text: string }>((tie) => ({
    text: fc.oneof(
      { maxDepth: 4 },
      atom,
      fc.tuple(tie('text'), fc.constantFrom('&&', '||'), tie('text')).map(([left, sign, right]) => `(${left} ${sign} ${right})`),
      fc.tuple(fc.constantFrom('1', 'values.one', 'values.two'), fc.constantFrom('==', '!=', '<', '<=', '>', '>='), fc.constantFrom('2', 'values.two')).map((parts) => parts.join(' ')),
      tie('text').map((inner) => `!(${inner})`),
    ),
  }));
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.constantFrom(' && ', ' || ')), { minLength: 1, maxLength: 4 }), (parts) => {
      const whole = parts.map(([part, sign], index) => (index === 0 ? part : sign + part)).join('');
      // The oracle: these texts are made here, so running them as JavaScript is safe.
      const expected = Boolean(new Function('values', `return ${whole.replaceAll('==', '===').replaceAll('!===', '!==')}`)({ one: 1, two: 2 }));
      expect(holds(parseCondition(whole), { values: { one: 1, two: 2 } })).toBe(expected);
    }),
    { numRuns: 300 },
  );
});

it('names every path it reads', () => {
  expect(pathsOf(parseCondition('!(a.b == 1) && "c.d" || e')).map(({ names }) => names.join('.'))).toEqual(['a.b', 'e']);
});

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return null;
}
