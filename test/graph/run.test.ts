import { MemorySaver } from '@langchain/langgraph';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { UserError } from '../../src/platform/errors.ts';
import { buildGraph, type CompiledGraph } from '../../src/graph/build.ts';
import { NodeContractError, NodeFailedError, NodeTimedOutError, RunInterruptedError, StepLimitError } from '../../src/graph/errors.ts';
import { defineNode, type NodeType } from '../../src/graph/node.ts';
import { runGraph, type RunOptions } from '../../src/graph/run.ts';
import type { Question, RunScope } from '../../src/graph/scope.ts';
import { initialState, UnreadableStateError, type RunState } from '../../src/graph/state.ts';
import { graphs, randomRegistry, randomScope } from './random-graphs.ts';
import { define, openScope, registry, registryWith } from './support.ts';

/** A node type without input and output that only acts. */
function acting(process: (run: RunScope) => Promise<void> | void, more: Pick<NodeType, 'retry' | 'timeoutMs'> = {}): NodeType {
  return defineNode({
    type: 'acting',
    description: 'Acts.',
    config: z.object({}),
    input: z.object({}),
    output: z.object({}),
    ...more,
    process: async (_, __, run) => {
      await process(run);
      return {};
    },
  });
}

function graphOf(type: NodeType): CompiledGraph {
  return buildGraph(define({ before: 'echo', act: type.type, after: 'echo' }, ['start -> before', 'before -> act', 'act -> after', 'after -> end']), registryWith(type));
}

const start = initialState('q');
const transient = (message: string): Error => Object.assign(new Error(message), { retryable: true });
const soon = { maxAttempts: 3, initialIntervalMs: 1, jitter: false };

describe('a run', () => {
  it('visits the nodes in order, tells each step and returns the last state', async () => {
    const graph = buildGraph(define({ find: { type: 'finder', config: { find: 2 } }, classify: 'classifier', act: 'actor' }, ['start -> find', 'find -> classify', 'classify -> act', 'act -> end']), registry);
    const scope = openScope();
    expect(await runGraph(graph, initialState('q', { given: 1 }), scope)).toEqual<RunState>({
      version: 1,
      question: 'q',
      passages: [{ n: 1, chunkId: 'c0' }, { n: 2, chunkId: 'c1' }],
      outputMessageId: null,
      steps: {},
      written: null,
      turnStates: {},
      values: { given: 1, intent: 'create', done: 'did create' },
    });
    expect(scope.steps()).toEqual(['find RUNNING', 'find SUCCEEDED', 'classify RUNNING', 'classify SUCCEEDED', 'act RUNNING', 'act SUCCEEDED']);
    expect(scope.parts[0]).toMatchObject({ durationMs: null, error: null, startedAt: expect.any(Date) as Date });
    expect(scope.parts[1]).toMatchObject({ durationMs: expect.any(Number) as number, error: null });
  });

  it('walks any valid graph as its conditions say', async () => {
    await fc.assert(
      fc.asyncProperty(graphs(), async ({ definition, walk }) => {
        const scope = randomScope();
        await runGraph(buildGraph(definition, randomRegistry), start, scope);
        expect(scope.steps()).toEqual(walk.flatMap((id) => [`${id} RUNNING`, `${id} SUCCEEDED`]));
      }),
      { numRuns: 500 },
    );
  });

  it('takes the first exit whose condition holds, and the one without a condition otherwise', async () => {
    const definition = (find: number) =>
      define(
        { find: { type: 'finder', config: { find } }, many: { type: 'echo', config: { mark: 'many' } }, some: { type: 'echo', config: { mark: 'some' } }, none: { type: 'echo', config: { mark: 'none' } } },
        ['start -> find', 'find -> none', 'find -> many if passages.length > 2', 'find -> some if passages.length > 0', 'none -> end', 'many -> end', 'some -> end'],
      );
    const said = await Promise.all([0, 1, 3].map(async (find) => {
      const scope = openScope();
      await runGraph(buildGraph(definition(find), registry), start, scope);
      return scope.text();
    }));
    expect(said).toEqual(['none', 'some', 'many']);
  });

  it('goes round a loop as long as its condition holds, and no more often than its bound', async () => {
    const looping = (condition: string) => buildGraph(define({ count: { type: 'counter', config: { maxSteps: 4 } } }, ['start -> count', `count -> count if ${condition}`, 'count -> end']), registry);
    const state = await runGraph(looping('values.count < 3'), start, openScope());
    expect([state.values, state.steps]).toEqual([{ count: 3 }, { count: 3 }]);
    await expect(runGraph(looping('true'), start, openScope())).rejects.toMatchObject({ nodeId: 'count', cause: expect.any(StepLimitError) as Error });
    await expect(runGraph(looping('true'), start, openScope(), { maxSteps: 2 })).rejects.toThrow('more than 2 steps');
  });

  it('shares its graph with other runs and never their scopes', async () => {
    const type = acting(async (run) => {
      for (let turn = 0; turn < 5; turn += 1) {
        run.emit({ type: 'text', text: `${run.runId}/${run.settings.modelId};` });
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const graph = graphOf(type);
    const scopes = Array.from({ length: 20 }, (_, index) => openScope(`run ${index}`));
    const states = await Promise.all(scopes.map((scope) => runGraph(graph, initialState(scope.runId), scope)));
    scopes.forEach((scope, index) => {
      expect(scope.text()).toBe(`.${`${scope.runId}/model of ${scope.runId};`.repeat(5)}.`);
      expect(states[index]!.question).toBe(scope.runId);
    });
  });

  it('may be started inside a node of another run without becoming a part of it', async () => {
    const inner = graphOf(acting(() => {}));
    const innerScope = openScope('inner');
    const saver = new MemorySaver();
    const outer = graphOf(acting(async () => void (await runGraph(inner, initialState('inner'), innerScope, { checkpointer: saver, threadId: 'inner' }))));
    const scope = openScope('outer');
    const state = await runGraph(outer, initialState('outer'), scope, { checkpointer: saver, threadId: 'outer' });
    expect(state.question).toBe('outer');
    expect(scope.steps()).toHaveLength(6);
    expect(innerScope.steps()).toHaveLength(6);
    expect(await saver.getTuple({ configurable: { thread_id: 'inner' } })).toBeDefined();
  });
});

describe('a run that is cancelled', () => {
  it('rejects with the reason at once, even in a node that does not listen, and says nothing more', async () => {
    const scope = openScope();
    const held = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    const graph = graphOf(acting(async (run) => {
      scope.control.abort(new Error('the user changed her mind'));
      await held.promise;
      run.emit({ type: 'text', text: 'too late' });
      over.resolve();
    }));
    await expect(runGraph(graph, start, scope)).rejects.toThrow('the user changed her mind');
    expect(scope.steps()).toEqual(['before RUNNING', 'before SUCCEEDED', 'act RUNNING', 'act CANCELLED']);
    const parts = scope.parts.length;
    held.resolve();
    await over.promise;
    await new Promise((resolve) => setImmediate(resolve));
    expect(scope.parts).toHaveLength(parts);
  });

  it('aborts the signal of the node that runs', async () => {
    const scope = openScope();
    let heard: unknown;
    const graph = graphOf(acting((run) => new Promise((_, reject) => {
      run.signal.addEventListener('abort', () => reject((heard = run.signal.reason) as Error));
      scope.control.abort(new Error('stop'));
    })));
    await expect(runGraph(graph, start, scope)).rejects.toThrow('stop');
    expect(heard).toBe(scope.signal.reason);
  });

  it('between two attempts does not wait for the next', async () => {
    const scope = openScope();
    const graph = graphOf(acting(() => {
      setImmediate(() => scope.control.abort(new Error('stop')));
      throw transient('busy');
    }, { retry: { maxAttempts: 2, initialIntervalMs: 20_000 } }));
    await expect(runGraph(graph, start, scope)).rejects.toThrow('stop');
    expect(scope.steps().at(-1)).toBe('act CANCELLED');
  });

  it('before it starts does nothing', async () => {
    const scope = openScope();
    scope.control.abort(new Error('never mind'));
    await expect(runGraph(graphOf(acting(() => {})), start, scope)).rejects.toThrow('never mind');
    expect(scope.parts).toEqual([]);
  });
});

describe('a node that fails', () => {
  it('fails the run with its id and the cause; an unexpected cause is not shown to the user', async () => {
    const scope = openScope();
    const cause = new TypeError('secret of the house');
    const error: unknown = await runGraph(graphOf(acting(() => Promise.reject(cause))), start, scope).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NodeFailedError);
    expect(error).toMatchObject({ nodeId: 'act', nodeType: 'acting', retryable: false, cause });
    expect(scope.parts.at(-1)).toMatchObject({ node: 'act', status: 'FAILED', error: 'The node failed unexpectedly.', durationMs: expect.any(Number) as number });
  });

  it('shows an expected cause in its step', async () => {
    const scope = openScope();
    const type = acting(() => Promise.reject(new UserError('CONTEXT_TOO_LONG', 'Ask a shorter question.')));
    await expect(runGraph(graphOf(type), start, scope)).rejects.toThrow(/"act" \(acting\) failed: Ask a shorter question\./);
    expect(scope.parts.at(-1)).toMatchObject({ status: 'FAILED', error: 'Ask a shorter question.' });
  });

  it('is tried again after errors that say a retry helps, and tells one step for all attempts', async () => {
    const scope = openScope();
    let attempts = 0;
    const graph = graphOf(acting(() => {
      attempts += 1;
      if (attempts < 3) throw transient('busy');
    }, { retry: soon }));
    await runGraph(graph, start, scope);
    expect(attempts).toBe(3);
    expect(scope.steps().filter((step) => step.startsWith('act'))).toEqual(['act RUNNING', 'act SUCCEEDED']);
  });

  it.each([
    ['when the error says nothing of a retry', () => new Error('broken'), soon, 1],
    ['when its type asks for no retry', () => transient('busy'), undefined, 1],
    ['when it was tried often enough', () => transient('busy'), soon, 3],
  ])('gives up %s', async (_, error, retry, expected) => {
    const scope = openScope();
    let attempts = 0;
    const graph = graphOf(acting(() => {
      attempts += 1;
      throw error();
    }, { retry }));
    await expect(runGraph(graph, start, scope)).rejects.toThrow(NodeFailedError);
    expect(attempts).toBe(expected);
    expect(scope.steps().slice(2)).toEqual(['act RUNNING', 'act FAILED']);
  });

  it('has a time limit, even when it does not listen to its signal, and is not heard afterwards', async () => {
    const scope = openScope();
    const over = Promise.withResolvers<void>();
    const type = acting((run) => new Promise((resolve) => {
      run.signal.addEventListener('abort', () => {
        setImmediate(() => {
          run.emit({ type: 'text', text: 'too late' });
          resolve();
          over.resolve();
        });
      });
    }), { timeoutMs: 5, retry: soon });
    await expect(runGraph(graphOf(type), start, scope)).rejects.toMatchObject({ nodeId: 'act', cause: expect.any(NodeTimedOutError) as Error });
    await over.promise;
    expect(scope.text()).toBe('.');
    expect(scope.steps().slice(2)).toEqual(['act RUNNING', 'act FAILED']);
  });

  it('that breaks its own schema is told apart from one that cannot do its work', async () => {
    const odd = (output: unknown) => defineNode({ type: 'odd', description: '', config: z.object({}), input: z.object({}), output: z.object({ sum: z.number(), more: z.unknown() }), process: () => Promise.resolve(output as { sum: number; more: unknown }) });
    for (const output of [{ sum: 'four' }, null, { sum: 4, more: new Date() }]) {
      await expect(runGraph(graphOf(odd(output)), start, openScope())).rejects.toMatchObject({ cause: { side: 'output' } });
    }
    const error: unknown = await runGraph(buildGraph(define({ count: 'counter' }, ['start -> count', 'count -> end']), registry), initialState('q', { count: 'many' }), openScope()).catch((thrown: unknown) => thrown);
    expect((error as NodeFailedError).cause).toBeInstanceOf(NodeContractError);
    expect((error as NodeFailedError).message).toContain('at count');
  });
});

describe('a run with checkpoints', () => {
  const options = (): RunOptions => ({ checkpointer: new MemorySaver(), threadId: 'thread', durability: 'sync' });

  it('goes on after its last finished node when a node failed', async () => {
    let broken = true;
    const graph = graphOf(acting(() => {
      if (broken) throw new Error('down');
    }));
    const kept = options();
    const first = openScope();
    await expect(runGraph(graph, start, first, kept)).rejects.toThrow('down');
    broken = false;
    const second = openScope();
    expect(await runGraph(graph, initialState('another question'), second, kept)).toEqual(start);
    expect(second.steps()).toEqual(['act RUNNING', 'act SUCCEEDED', 'after RUNNING', 'after SUCCEEDED']);
  });

  it('that has finished returns its state without running anything', async () => {
    const graph = graphOf(acting(() => {}));
    const kept = options();
    const state = await runGraph(graph, start, openScope(), kept);
    const again = openScope();
    expect(await runGraph(graph, start, again, kept)).toEqual(state);
    expect(again.parts).toEqual([]);
  });

  it('remembers how often a bounded node was visited', async () => {
    let visits = 0;
    const type = defineNode({ type: 'flaky', description: '', config: z.object({ maxSteps: z.int() }), input: z.object({}), output: z.object({}), process: () => {
      visits += 1;
      return visits === 2 ? Promise.reject(new Error('down')) : Promise.resolve({});
    } });
    const graph = buildGraph(define({ loop: { type: 'flaky', config: { maxSteps: 5 } } }, ['start -> loop', 'loop -> loop if steps.loop < 3', 'loop -> end']), registryWith(type));
    const kept = options();
    await expect(runGraph(graph, start, openScope(), kept)).rejects.toThrow('down');
    expect((await runGraph(graph, start, openScope(), kept)).steps).toEqual({ loop: 3 });
    expect(visits).toBe(4);
  });

  it.each([[4, 'FAILED'], [5, 'SUCCEEDED']])('that may take %s steps counts those of all attempts: five are %s', async (maxSteps, expected) => {
    let broken = true;
    const type = acting(() => {
      if (broken) throw new Error('down');
    });
    const graph = buildGraph(define({ a: 'echo', b: 'echo', c: 'acting', d: 'echo', e: 'echo' }, ['start -> a', 'a -> b', 'b -> c', 'c -> d', 'd -> e', 'e -> end']), registryWith(type));
    const kept = { ...options(), maxSteps };
    await expect(runGraph(graph, start, openScope(), kept)).rejects.toThrow('down');
    broken = false;
    const ending = runGraph(graph, start, openScope(), kept);
    if (expected === 'SUCCEEDED') expect(await ending).toEqual(start);
    else await expect(ending).rejects.toThrow(StepLimitError);
  });

  it('stops to ask, and visits the node that asked again once there is an answer', async () => {
    const visits: string[] = [];
    const question = (key: string): Question => ({ key, kind: 'INPUT', prompt: 'Which one?', payload: {}, options: [], responseSchema: {}, callId: null });
    const type = defineNode({
      type: 'asker',
      description: '',
      config: z.object({}),
      input: z.object({}),
      output: z.object({ answer: z.string() }),
      async process(_input, _config, run) {
        visits.push(run.visit);
        return { answer: String(await run.ask(question(run.visit))) };
      },
    });
    const graph = buildGraph(define({ before: 'echo', ask: 'asker', more: 'asker' }, ['start -> before', 'before -> ask', 'ask -> more', 'more -> end']), registryWith(type));
    const kept = options();
    const first = openScope();
    const asked: unknown = await runGraph(graph, start, first, kept).catch((thrown: unknown) => thrown);
    expect(asked).toBeInstanceOf(RunInterruptedError);
    expect(asked).toMatchObject({ questions: [question('ask-2')] });
    expect(first.steps()).toEqual(['before RUNNING', 'before SUCCEEDED', 'ask RUNNING']);
    const unanswered: unknown = await runGraph(graph, start, openScope(), kept).catch((thrown: unknown) => thrown);
    expect(unanswered).toEqual(asked);
    const second = openScope('run', { 'ask-2': 'the second' });
    await expect(runGraph(graph, start, second, kept)).rejects.toMatchObject({ questions: [question('more-3')] });
    expect(second.steps()).toEqual(['ask RUNNING', 'ask SUCCEEDED', 'more RUNNING']);
    const state = await runGraph(graph, start, openScope('run', { 'more-3': 'the last' }), kept);
    expect(state.values).toEqual({ answer: 'the last' });
    expect(visits).toEqual(['ask-2', 'ask-2', 'ask-2', 'more-3', 'more-3']);
  });

  it('visits a node that is not done again, each visit a step of its own, and no more often than it may', async () => {
    const type = defineNode({
      type: 'digger',
      description: '',
      config: z.object({ depth: z.int(), most: z.int() }),
      input: z.object({ dug: z.int().default(0) }),
      output: z.object({ dug: z.int(), done: z.boolean() }),
      repeats: (state) => state.values['done'] === false,
      visits: ({ most }) => most,
      process: ({ dug }, { depth }) => Promise.resolve({ dug: dug + 1, done: dug + 1 === depth }),
    });
    const dig = (depth: number, most: number) => buildGraph(define({ dig: { type: 'digger', config: { depth, most } }, after: 'echo' }, ['start -> dig', 'dig -> after', 'after -> end']), registryWith(type));
    const scope = openScope();
    expect((await runGraph(dig(3, 3), start, scope)).values).toEqual({ dug: 3, done: true });
    expect(scope.steps()).toEqual([...Array.from({ length: 3 }, () => ['dig RUNNING', 'dig SUCCEEDED']).flat(), 'after RUNNING', 'after SUCCEEDED']);
    await expect(runGraph(dig(4, 3), start, openScope())).rejects.toMatchObject({ nodeId: 'dig', cause: expect.any(StepLimitError) as Error });
    expect(() => registryWith({ ...type, visits: undefined } as never)).toThrow('repeats without a bound');
  });

  it('was cancelled and goes on where it stood', async () => {
    const scope = openScope();
    let cancel = true;
    const graph = graphOf(acting((run) => {
      if (cancel) scope.control.abort(new Error('drain'));
      run.signal.throwIfAborted();
    }));
    const kept = options();
    await expect(runGraph(graph, start, scope, kept)).rejects.toThrow('drain');
    cancel = false;
    const second = openScope();
    await runGraph(graph, start, second, kept);
    expect(second.steps()[0]).toBe('act RUNNING');
  });

  it('keeps threads apart, needs one, and refuses the state of a newer version', async () => {
    const graph = graphOf(acting(() => {}));
    const checkpointer = new MemorySaver();
    await expect(runGraph(graph, start, openScope(), { checkpointer })).rejects.toThrow('needs a threadId');
    const states = await Promise.all(['a', 'b'].map((threadId) => runGraph(graph, initialState(threadId), openScope(), { checkpointer, threadId })));
    expect(states.map((state) => state.question)).toEqual(['a', 'b']);
    const newer = await graph.compiled(checkpointer).updateState({ configurable: { thread_id: 'a' } }, { version: 2 as 1 });
    expect(newer).toBeDefined();
    await expect(runGraph(graph, start, openScope(), { checkpointer, threadId: 'a' })).rejects.toThrow(UnreadableStateError);
  });
});
