// The condition on an edge: a small closed language over the run's state, parsed and interpreted, never evaluated as
// code. There are no calls, no assignment and no way out of the state.
//
//   condition := all ('||' all)*
//   all       := test ('&&' test)*
//   test      := unary (('==' | '!=' | '<' | '<=' | '>' | '>=') unary)?
//   unary     := '!' unary | '(' condition ')' | text | number | 'true' | 'false' | 'null' | path
//   path      := name ('.' name)*            e.g. passages.length, values.intent, steps.agent
//
// A path that leads nowhere is null. `==` compares texts, numbers, booleans and null; lists and records equal nothing.
// `<` and its kin hold only between two numbers or two texts. Alone, a value holds as it would in JavaScript.

type Comparator = '==' | '!=' | '<' | '<=' | '>' | '>=';
type Scalar = string | number | boolean | null;

/** A condition that was parsed. */
export type Condition =
  | { readonly kind: 'value'; readonly value: Scalar }
  | { readonly kind: 'path'; readonly names: readonly string[]; readonly position: number }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'compare'; readonly comparator: Comparator; readonly left: Condition; readonly right: Condition };

/** A condition that cannot be read; `position` counts UTF-16 units from the start of the text. */
export class ConditionSyntaxError extends Error {
  readonly position: number;
  constructor(message: string, position: number) {
    super(`${message} (at character ${position + 1})`);
    this.name = 'ConditionSyntaxError';
    this.position = position;
  }
}

/** The longest condition, in UTF-16 units. */
export const MAX_CONDITION_LENGTH = 1000;
const MAX_NESTING = 50;

/** Reads a condition; throws ConditionSyntaxError and nothing else. */
export function parseCondition(text: string): Condition {
  if (text.length > MAX_CONDITION_LENGTH) {
    throw new ConditionSyntaxError(`A condition has at most ${MAX_CONDITION_LENGTH} characters`, MAX_CONDITION_LENGTH);
  }
  const tokens = tokenise(text);
  let at = 0;
  let nesting = 0;
  const peek = (): Token => tokens[at]!;
  const take = (...signs: readonly string[]): Token | null => {
    const token = peek();
    if (token.kind !== 'sign' || !signs.includes(token.text)) return null;
    at += 1;
    return token;
  };

  function any(): Condition {
    const parts = [all()];
    while (take('||')) parts.push(all());
    return parts.length === 1 ? parts[0]! : { kind: 'any', of: parts };
  }
  function all(): Condition {
    const parts = [test()];
    while (take('&&')) parts.push(test());
    return parts.length === 1 ? parts[0]! : { kind: 'all', of: parts };
  }
  function test(): Condition {
    const left = unary();
    const sign = take('==', '!=', '<', '<=', '>', '>=');
    if (!sign) return left;
    return { kind: 'compare', comparator: sign.text as Comparator, left, right: unary() };
  }
  function unary(): Condition {
    nesting += 1;
    if (nesting > MAX_NESTING) throw new ConditionSyntaxError('The condition is nested too deeply', peek().position);
    try {
      if (take('!')) return { kind: 'not', of: unary() };
      if (!take('(')) return operand();
      const inner = any();
      if (!take(')')) throw unexpected(peek(), 'a closing parenthesis');
      return inner;
    } finally {
      nesting -= 1;
    }
  }
  function operand(): Condition {
    const token = peek();
    if (token.kind !== 'value' && token.kind !== 'path') throw unexpected(token, 'a path, a text, a number or "("');
    at += 1;
    return token.kind === 'value' ? { kind: 'value', value: token.value } : { kind: 'path', names: token.names, position: token.position };
  }

  const condition = any();
  if (peek().kind !== 'end') throw unexpected(peek(), 'an operator or the end');
  return condition;
}

/** What is wrong with a condition that may read `roots` of the state; nothing when it can be used. */
export function conditionFaults(text: string, roots: readonly string[]): readonly { readonly constraint: string; readonly message: string }[] {
  let condition: Condition;
  try {
    condition = parseCondition(text);
  } catch (error) {
    if (error instanceof ConditionSyntaxError) return [{ constraint: 'syntax', message: error.message }];
    throw error;
  }
  return pathsOf(condition)
    .filter(({ names }) => !roots.includes(names[0]!))
    .map(({ names, position }) => ({
      constraint: 'exists',
      message: `There is no "${names[0]}" to read (at character ${position + 1}). There is ${roots.join(', ')}.`,
    }));
}

/** The keys of the state's `values` that a condition reads. */
export function valuesRead(condition: Condition): readonly string[] {
  return [...new Set(pathsOf(condition).flatMap(({ names: [root, key] }) => (root === 'values' && key !== undefined ? [key] : [])))];
}

/** Whether the condition holds in this state. */
export function holds(condition: Condition, state: object): boolean {
  return Boolean(valueOf(condition, state));
}

/** Every path that the condition reads, with its position in the text. */
export function pathsOf(condition: Condition): readonly { readonly names: readonly string[]; readonly position: number }[] {
  if (condition.kind === 'path') return [condition];
  if (condition.kind === 'not') return pathsOf(condition.of);
  if (condition.kind === 'compare') return [...pathsOf(condition.left), ...pathsOf(condition.right)];
  return condition.kind === 'value' ? [] : condition.of.flatMap(pathsOf);
}

function valueOf(condition: Condition, state: object): unknown {
  switch (condition.kind) {
    case 'value':
      return condition.value;
    case 'path':
      return condition.names.reduce<unknown>(member, state);
    case 'not':
      return !holds(condition.of, state);
    case 'all':
      return condition.of.every((part) => holds(part, state));
    case 'any':
      return condition.of.some((part) => holds(part, state));
    case 'compare':
      return compare(condition.comparator, valueOf(condition.left, state), valueOf(condition.right, state));
  }
}

/** Own members only, and the length of texts and lists: a path must not reach what JavaScript hangs on every value. */
function member(value: unknown, name: string): unknown {
  if (typeof value === 'string') return name === 'length' ? value.length : null;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null;
  return (value as Record<string, unknown>)[name] ?? null;
}

function compare(comparator: Comparator, left: unknown, right: unknown): boolean {
  if (comparator === '==') return isScalar(left) && left === right;
  if (comparator === '!=') return !(isScalar(left) && left === right);
  const comparable = (typeof left === 'number' && typeof right === 'number') || (typeof left === 'string' && typeof right === 'string');
  if (!comparable) return false;
  if (comparator === '<') return left < right;
  if (comparator === '<=') return left <= right;
  return comparator === '>' ? left > right : left >= right;
}

function isScalar(value: unknown): value is Scalar {
  return value === null || typeof value !== 'object';
}

type Token =
  | { readonly kind: 'value'; readonly value: Scalar; readonly position: number; readonly text: string }
  | { readonly kind: 'path'; readonly names: readonly string[]; readonly position: number; readonly text: string }
  | { readonly kind: 'sign' | 'end'; readonly position: number; readonly text: string };

const SPACE = /\s+/y;
const SIGN = /==|!=|<=|>=|&&|\|\||[<>!()]/y;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
const PATH = /[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*/y;
const TEXT = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy;
const WORDS: Readonly<Record<string, Scalar>> = { true: true, false: false, null: null };

function tokenise(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let position = 0;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = position;
    return pattern.exec(text)?.[0] ?? null;
  };
  while (position < text.length) {
    let found = match(SPACE);
    if (found === null) {
      const token = next(match, position, text);
      tokens.push(token);
      found = token.text;
    }
    position += found.length;
  }
  return [...tokens, { kind: 'end', position, text: '' }];
}

function next(match: (pattern: RegExp) => string | null, position: number, text: string): Token {
  const sign = match(SIGN);
  if (sign !== null) return { kind: 'sign', position, text: sign };
  const number = match(NUMBER);
  if (number !== null) {
    if (!Number.isFinite(Number(number))) throw new ConditionSyntaxError(`The number ${number} is too large`, position);
    return { kind: 'value', value: Number(number), position, text: number };
  }
  const path = match(PATH);
  if (path !== null) {
    return Object.hasOwn(WORDS, path)
      ? { kind: 'value', value: WORDS[path]!, position, text: path }
      : { kind: 'path', names: path.split('.'), position, text: path };
  }
  const quoted = match(TEXT);
  if (quoted !== null) return { kind: 'value', value: unquote(quoted), position, text: quoted };
  const character = String.fromCodePoint(text.codePointAt(position)!);
  if (character === '"' || character === "'") throw new ConditionSyntaxError('The text is not closed', position);
  if (character === '=') throw new ConditionSyntaxError('Compare with "==", not "="', position);
  throw new ConditionSyntaxError(`Unexpected ${JSON.stringify(character)}`, position);
}

function unquote(quoted: string): string {
  return quoted.slice(1, -1).replace(/\\(.)/gs, (_, escaped: string) => ({ n: '\n', t: '\t', r: '\r' })[escaped] ?? escaped);
}

function unexpected(token: Token, expected: string): ConditionSyntaxError {
  const found = token.kind === 'end' ? 'the end' : JSON.stringify(token.text);
  return new ConditionSyntaxError(`Expected ${expected}, found ${found}`, token.position);
}
