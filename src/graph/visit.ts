// One visit of a node: its input is read from the state and checked, its function runs under its time limit, its
// output is checked and becomes a change of the state.
import { isGraphBubbleUp } from '@langchain/langgraph';
import { z } from 'zod';
import { expectedErrors } from '../platform/errors.ts';
import { isRetryable, NodeContractError, NodeFailedError, NodeTimedOutError, StepLimitError } from './errors.ts';
import { DEFAULT_TIMEOUT_MS, type NodeType } from './node.ts';
import type { RunScope } from './scope.ts';
import { changeBy, pick, type RunState, type Written } from './state.ts';
import type { Steps } from './steps.ts';

/** A node of a graph that was built: its type, its configuration with defaults, and what follows from both. */
export interface PlannedNode {
  readonly id: string;
  readonly type: NodeType;
  readonly config: unknown;
  readonly inputKeys: readonly string[];
  /** How often it may be visited in one run; null without a bound. */
  readonly cap: number | null;
}

/** What a run brings to each visit, through LangGraph's context: compiled graphs are shared by concurrent runs. */
export interface RunContext {
  readonly scope: RunScope;
  readonly steps: Steps;
  /** Called when a node has ended, before its state is kept. */
  readonly settle?: () => Promise<Written>;
}

/** Visits the node; throws NodeFailedError, the signal's reason when the run was cancelled, or LangGraph's interrupt. */
export async function visit(node: PlannedNode, state: RunState, { scope, steps, settle }: RunContext, step: number): Promise<Partial<RunState>> {
  const attempt = steps.begin(node.id);
  try {
    const visits = countVisit(node, state);
    const input = readInput(node, state);
    const output = await limited(node, input, `${node.id}-${step}`, scope, steps).catch((error: unknown) => {
      if (!node.type.recover || isGraphBubbleUp(error) || scope.signal.aborted || mayTryAgain(error)) throw error;
      return node.type.recover(error, node.config, scope);
    });
    const change = readOutput(node, output);
    steps.end(node.id, 'SUCCEEDED');
    const written = await settle?.();
    return { ...change, ...(visits !== null && { steps: { [node.id]: visits } }), ...(written && { written }) };
  } catch (error) {
    if (isGraphBubbleUp(error)) throw error;
    if (scope.signal.aborted) {
      steps.end(node.id, 'CANCELLED');
      throw scope.signal.reason;
    }
    if (!mayTryAgain(error)) steps.end(node.id, 'FAILED', shown(error));
    throw new NodeFailedError(node.id, node.type.type, error);
  }

  function mayTryAgain(error: unknown): boolean {
    return isRetryable(error) && attempt < (node.type.retry?.maxAttempts ?? 1);
  }
}

/** Settles as `work` does, or rejects with the signal's reason as soon as it aborts. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function countVisit({ id, cap }: PlannedNode, state: RunState): number | null {
  if (cap === null) return null;
  const visits = (state.steps[id] ?? 0) + 1;
  if (visits > cap) throw new StepLimitError(`Node "${id}" was visited ${cap} times, as often as its configuration allows.`);
  return visits;
}

/** A node that does not listen to its signal is left behind when its time is up, and is no longer heard. */
async function limited(node: PlannedNode, input: Record<string, unknown>, visit: string, scope: RunScope, steps: Steps): Promise<unknown> {
  const timeoutMs = node.type.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new NodeTimedOutError(node.id, timeoutMs)), timeoutMs);
  const { signal } = limit;
  // By hand, as AbortSignal.any takes a third of what a step costs beside LangGraph's own share.
  const cancel = (): void => limit.abort(scope.signal.reason);
  if (scope.signal.aborted) cancel();
  scope.signal.addEventListener('abort', cancel, { once: true });
  let over = false;
  const run: RunScope = {
    runId: scope.runId,
    node: node.id,
    visit,
    ctx: scope.ctx,
    settings: scope.settings,
    models: scope.models,
    signal,
    history: () => scope.history(),
    answer: () => scope.answer(),
    said: () => scope.said(),
    written: () => scope.written(),
    once: (call, effect) => scope.once(call, effect),
    ask: (question) => scope.ask(question),
    emit: (part) => {
      // A call that is broken off tells what it cost after everybody has left it behind.
      if ((!over && !steps.closed) || part.type === 'spent') scope.emit(part);
    },
  };
  try {
    signal.throwIfAborted();
    return await untilAborted(node.type.process(input, node.config, run), signal);
  } finally {
    over = true;
    clearTimeout(timer);
    scope.signal.removeEventListener('abort', cancel);
  }
}

function readInput({ type, inputKeys }: PlannedNode, state: RunState): Record<string, unknown> {
  const result = type.input.safeParse(pick(state, inputKeys));
  if (!result.success) throw new NodeContractError('input', z.prettifyError(result.error), { cause: result.error });
  return result.data;
}

function readOutput({ type }: PlannedNode, output: unknown): Partial<RunState> {
  const result = type.output.safeParse(output);
  if (!result.success) throw new NodeContractError('output', z.prettifyError(result.error), { cause: result.error });
  try {
    return changeBy(result.data);
  } catch (cause) {
    if (cause instanceof z.ZodError) throw new NodeContractError('output', z.prettifyError(cause), { cause });
    throw cause;
  }
}

/** Expected failures explain themselves; what an unexpected one says is for the log, not for the user. */
function shown(error: unknown): string {
  const expected = expectedErrors(error);
  return expected ? expected.map((failure) => failure.message).join(' ') : 'The node failed unexpectedly.';
}
