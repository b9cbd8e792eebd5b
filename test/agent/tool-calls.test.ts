// How long a tool may take.
import { afterEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { begin, make } from '../../src/agent/tool-calls.ts';
import { defineTool, type Tool } from '../../src/agent/tools.ts';
import { openScope } from '../graph/support.ts';

afterEach(() => vi.useRealTimers());

/** Never ends by itself. */
function hanging() {
  const signals: AbortSignal[] = [];
  const tool = defineTool({
    name: 'hang', description: 'Hangs.', parameters: z.object({}), permission: null, requiresApproval: false, hasEffects: false,
    execute: (_args, { signal }) => {
      signals.push(signal);
      return new Promise<never>(() => undefined);
    },
  }) as unknown as Tool;
  const scope = openScope();
  const made = make(scope, tool, begin('1', { id: 'call_0', name: 'hang', arguments: {}, invalid: null }, [tool]), () => []);
  const told = () => scope.parts.flatMap((part) => (part.type === 'toolCall' ? [[part.status, part.error]] : []));
  return { scope, signals, made, told };
}

it('a tool without an answer is given up after 30 seconds, which the model is told, and the tool by its signal', async () => {
  vi.useFakeTimers();
  const { signals, made, told } = hanging();
  await vi.advanceTimersByTimeAsync(29_999);
  expect(told()).toEqual([['RUNNING', null]]);
  expect(signals[0]?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await made;
  expect(told()).toEqual([['RUNNING', null], ['FAILED', 'The tool did not answer within 30 s.']]);
  expect(signals[0]?.aborted).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

it('a run that ends takes its tool along, and nothing is told of it', async () => {
  vi.useFakeTimers();
  const { scope, signals, made, told } = hanging();
  const ended = expect(made).rejects.toThrow('cancelled');
  scope.control.abort(new Error('cancelled'));
  await ended;
  expect(signals[0]?.aborted).toBe(true);
  expect(told()).toEqual([['RUNNING', null]]);
  expect(vi.getTimerCount()).toBe(0);
});
