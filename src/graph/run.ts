// One run of a graph, from its first node or from where it stood.
import { AsyncLocalStorageProviderSingleton } from '@langchain/core/singletons';
import { GraphRecursionError, interrupt, INTERRUPT, isInterrupted } from '@langchain/langgraph';
import type { BaseCheckpointSaver, CheckpointTuple } from '@langchain/langgraph-checkpoint';
import type { CompiledGraph } from './build.ts';
import { RunInterruptedError, StepLimitError } from './errors.ts';
import type { Question, RunScope } from './scope.ts';
import { assertReadable, runState, type RunState, type Written } from './state.ts';
import { openSteps } from './steps.ts';
import { untilAborted, type RunContext } from './visit.ts';

/** Where a run keeps its checkpoints, and how far it may go. */
export interface RunOptions {
  /** Keeps the state after every step; needs `threadId`. */
  readonly checkpointer?: BaseCheckpointSaver;
  /** Names the run to the checkpointer: one thread is one run. */
  readonly threadId?: string;
  /** Nodes visited at most, all attempts of the thread together; never more than the bounds of the graph's loops allow. */
  readonly maxSteps?: number;
  /** When checkpoints are written: before the next step (by default where a node has effects), beside it, or at the end. */
  readonly durability?: 'sync' | 'async' | 'exit';
  /** Makes sure, after each node, that what it has told is stored; says how far the answer has come. */
  readonly settle?: () => Promise<Written>;
  /** Goes along with every checkpoint to the checkpointer, as `configurable`. */
  readonly configurable?: Readonly<Record<string, unknown>>;
}

/** How much of the answer stood when a node of a run last ended; null when there is no checkpoint that says so. */
export async function lastWritten(checkpointer: BaseCheckpointSaver, threadId: string): Promise<Written | null> {
  const known = await checkpointer.getTuple({ configurable: { thread_id: threadId } });
  // A node that has ended is not visited again, even when the process died before the checkpoint after it was kept.
  const pending = known?.pendingWrites?.findLast(([, channel]) => channel === 'written')?.[2];
  return ((pending ?? known?.checkpoint.channel_values['written']) as Written | null | undefined) ?? null;
}

/**
 * Runs the graph to its end and returns the last state. With a checkpointer, a thread that has checkpoints goes on
 * after its last finished node and `start` is not used; a thread that has finished returns its state at once. One that
 * stopped to ask visits the node that asked again.
 *
 * Rejects with the signal's reason as soon as `scope.signal` aborts, NodeFailedError when a node gives up,
 * RunInterruptedError when one asks, StepLimitError, or UnreadableStateError for a checkpoint of a newer version.
 */
export async function runGraph(graph: CompiledGraph, start: RunState, scope: RunScope, options: RunOptions = {}): Promise<RunState> {
  scope.signal.throwIfAborted();
  const { checkpointer, threadId, maxSteps = Infinity, settle } = options;
  const durability = options.durability ?? (graph.hasEffects ? 'sync' : 'async');
  if (checkpointer && threadId === undefined) throw new TypeError('A run with a checkpointer needs a threadId.');
  const steps = openSteps(scope);
  const context = { scope, steps, ...(settle && { settle }) } satisfies RunContext;
  try {
    const known = await untilAborted(Promise.resolve(checkpointer?.getTuple({ configurable: { thread_id: threadId } })), scope.signal);
    const result = await untilAborted(
      // Outside of any run that this one was started from: LangGraph would take it for a part of that one.
      AsyncLocalStorageProviderSingleton.getInstance().run(undefined, () =>
        graph.compiled(checkpointer).invoke(inputOf(start, known), {
          context,
          signal: scope.signal,
          recursionLimit: stepsLeft(Math.min(graph.maxSteps, maxSteps + 1), known),
          ...(threadId === undefined ? {} : { configurable: { ...options.configurable, thread_id: threadId } }),
          durability,
        }),
      ),
      scope.signal,
    );
    if (isInterrupted(result)) {
      throw new RunInterruptedError(result[INTERRUPT].map(({ value }) => value as Question));
    }
    return result as RunState;
  } catch (error) {
    if (scope.signal.aborted) {
      steps.cancel();
      throw scope.signal.reason;
    }
    if (error instanceof GraphRecursionError) throw new StepLimitError(`The run took more than ${Math.min(graph.maxSteps, maxSteps)} steps without reaching its end. Ask for less at once.`);
    throw error;
  } finally {
    steps.close();
  }
}

/** Stops the run that is visiting a node, which is visited again once there is an answer. */
export function stopToAsk(question: Question): never {
  interrupt(question);
  throw new Error(`The run went on without an answer to ${question.key}.`);
}

function inputOf(start: RunState, known: CheckpointTuple | undefined): RunState | null {
  if (!known) return runState.parse(start);
  assertReadable(known.checkpoint.channel_values);
  return null;
}

/** LangGraph counts from where a thread stands: step 0 begins it, step n is the nth node. It needs one more to find that it has ended. */
function stepsLeft(limit: number, known: CheckpointTuple | undefined): number {
  return known?.metadata ? Math.max(1, limit - known.metadata.step - 2) : limit;
}
