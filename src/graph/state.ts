// The state of a run: small, plain JSON, because a checkpoint stores it again after every step. Passages are ids;
// message texts live in their own table. `values` is where node types keep what only they know: a key of a node's
// input or output that the state does not name is a key of `values`.
import { z } from 'zod';
import { turnState } from '../models/turn-state.ts';

/** Raise it with every change of shape, and add an upgrade below: checkpoints outlive a deployment. */
export const STATE_VERSION = 1;

/** Plain JSON. */
export type Json = z.core.util.JSONType;

const MAX_DEPTH = 64;

/** What a checkpoint gives back unchanged: JSON without "__proto__" keys and without LangChain's own markers ("lc"). */
const storable = z.custom<Json>((value) => isStorable(value, 0), 'must be plain JSON without the keys "__proto__" and "lc"');

/** How much of the answer stood when a node had ended: a run that goes on from there withdraws what came after. */
const written = z.object({ blockIndex: z.int().nonnegative(), offset: z.int().nonnegative(), citations: z.int().nonnegative() });
export type Written = z.infer<typeof written>;

/** The state as it is checkpointed; `steps` counts the visits of nodes that have a bound. */
export const runState = z.object({
  version: z.literal(STATE_VERSION),
  question: z.string(),
  passages: z.array(z.object({ n: z.int().positive(), chunkId: z.string() })),
  outputMessageId: z.string().nullable(),
  steps: z.record(z.string(), z.int().nonnegative()),
  written: written.nullable(),
  /** By the visits in which models were asked. Absent in states of before. */
  turnStates: z.record(z.string(), turnState).default({}),
  values: z.custom<Record<string, Json>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && isStorable(value, 0),
    'must be a record of plain JSON without the keys "__proto__" and "lc"',
  ),
});
export type RunState = z.infer<typeof runState>;

/** Parts of the state that nodes may read but only the runner writes. */
export const RESERVED_KEYS: readonly string[] = ['version', 'steps', 'written'];

/** A stored state that cannot be read: damaged, or written by a newer version. */
export class UnreadableStateError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnreadableStateError';
  }
}

/** The state in which a run starts. */
export function initialState(question: string, values: RunState['values'] = {}): RunState {
  return { version: STATE_VERSION, question, passages: [], outputMessageId: null, steps: {}, written: null, turnStates: {}, values };
}

/** The state as text; `decodeState` gives back an equal one. */
export function encodeState(state: RunState): string {
  return JSON.stringify(runState.parse(state));
}

/** Reads what `encodeState` wrote, also of an older version; throws UnreadableStateError. */
export function decodeState(text: string): RunState {
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch (cause) {
    throw new UnreadableStateError('The stored state is not JSON.', { cause });
  }
  assertReadable(stored);
  const result = runState.safeParse(stored);
  if (!result.success) throw new UnreadableStateError(`The stored state is damaged: ${z.prettifyError(result.error)}`);
  return result.data;
}

/** Throws UnreadableStateError unless the stored value has a version that this process understands. */
export function assertReadable(stored: unknown): void {
  const version = typeof stored === 'object' && stored !== null ? (stored as { version?: unknown }).version : undefined;
  if (version !== STATE_VERSION) {
    throw new UnreadableStateError(`The stored state has version ${String(version)}; this process reads version ${STATE_VERSION}.`);
  }
}

/** What a node with these input keys reads of the state. */
export function pick(state: RunState, keys: readonly string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const key of keys) {
    if (isStateKey(key)) picked[key] = state[key];
    else if (Object.hasOwn(state.values, key)) picked[key] = state.values[key];
  }
  return picked;
}

/** The change of state that a node's output means; throws a ZodError where a value may not be stored. */
export function changeBy(output: Readonly<Record<string, unknown>>): Partial<RunState> {
  const change: Record<string, unknown> = {};
  const values: Record<string, Json> = {};
  for (const [key, value] of Object.entries(output)) {
    if (value === undefined) continue;
    if (key === 'values') Object.assign(values, runState.shape.values.parse(value));
    else if (isStateKey(key)) change[key] = runState.shape[key].parse(value);
    else values[key] = storable.parse(value);
  }
  if (Object.keys(values).length > 0) change['values'] = values;
  return change;
}

/** Whether the state itself has this key; any other key belongs to `values`. */
export function isStateKey(key: string): key is keyof RunState {
  return Object.hasOwn(runState.shape, key);
}

function isStorable(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth > MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item) => isStorable(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.keys(value).every(
    (key) => key !== '__proto__' && key !== 'lc' && isStorable((value as Record<string, unknown>)[key], depth + 1),
  );
}
