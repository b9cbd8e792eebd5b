// One call of a tool on behalf of a run: checked, allowed by a person where that is needed, made, and told at each step.
import { z } from 'zod';
import { ForbiddenError, expectedErrors } from '../platform/errors.ts';
import type { RunScope, ToolCallPart } from '../graph/scope.ts';
import type { Json } from '../graph/state.ts';
import { untilAborted } from '../graph/visit.ts';
import type { RequestedCall } from '../models/ask.ts';
import type { Passage } from '../search/passages.ts';
import { approval, askForApproval } from './approval.ts';
import type { Tool } from './tools.ts';

/** Milliseconds for a tool without effects. */
const timeoutMs = 30_000;
/** UTF-16 units of a result, as JSON, that a model is shown. */
export const maxResultChars = 20_000;
/** UTF-16 units of arguments, as JSON. */
const maxArgumentChars = 50_000;

type Told = Omit<ToolCallPart, 'type'>;

/** A requested call as it begins: waiting to be made, or failed for a reason that the model is told. */
export function begin(callId: string, requested: RequestedCall, tools: readonly Tool[]): Told {
  const given = (requested.arguments ?? {}) as Json;
  const call = { callId, name: requested.name, arguments: given, result: null };
  const error = faultOf(requested, tools);
  return error === null ? { ...call, status: 'PENDING', error } : { ...call, arguments: error === tooLong ? {} : given, status: 'FAILED', error };
}

const tooLong = `The arguments have more than ${maxArgumentChars.toLocaleString('en')} characters. Send less.`;

function faultOf({ name, arguments: given, invalid }: RequestedCall, tools: readonly Tool[]): string | null {
  const tool = tools.find((each) => each.name === name);
  if (!tool) return `There is no tool ${JSON.stringify(name.slice(0, 100))}. Tools: ${tools.map((each) => each.name).join(', ') || 'none'}.`;
  if (invalid !== null || given === null) return 'The arguments are no JSON object.';
  if (JSON.stringify(given).length > maxArgumentChars) return tooLong;
  const checked = tool.parameters.safeParse(given);
  return checked.success ? null : `The arguments do not fit: ${z.prettifyError(checked.error)}`;
}

/** Makes a call that waits; every way it can end is told, except that the run itself ends. */
export async function make(run: RunScope, tool: Tool, call: Told, cite: (passages: readonly Passage[]) => number[]): Promise<void> {
  const tell = (change: Partial<Told>): void => run.emit({ type: 'toolCall', ...call, ...change });
  if (tool.requiresApproval) {
    if (call.status === 'PENDING') tell({ status: 'AWAITING_APPROVAL' });
    const prompt = `The assistant wants to call "${tool.name}". Allow it?`;
    const { approved, reason } = approval.parse(await run.ask(askForApproval({ key: call.callId, prompt, payload: { name: call.name, arguments: call.arguments }, callId: call.callId })));
    if (!approved) return tell({ status: 'REJECTED', error: reason ?? 'A person did not allow this call.' });
  }
  tell({ status: 'RUNNING' });
  try {
    if (tool.permission && !run.ctx.viewer?.permissions.has(tool.permission)) throw new ForbiddenError(tool.permission);
    const args = tool.parameters.parse(call.arguments);
    const result = tool.hasEffects ? await change(run, tool, call, args, cite) : await look(run, tool, args, cite);
    const length = JSON.stringify(result).length;
    if (length <= maxResultChars) tell({ status: 'SUCCEEDED', result });
    else if (tool.hasEffects) tell({ status: 'SUCCEEDED', result: { note: `It is done; its result of ${length} characters is left out.` } });
    else tell({ status: 'FAILED', error: `The result has ${length.toLocaleString('en')} characters; at most ${maxResultChars.toLocaleString('en')} are shown. Ask for less.` });
  } catch (error) {
    run.signal.throwIfAborted();
    const expected = expectedErrors(error);
    if (!expected && !(error instanceof ToolTimedOutError)) {
      if (tool.hasEffects) throw error;
      run.ctx.log.error({ err: error, runId: run.runId, tool: tool.name }, 'a tool failed unexpectedly');
    }
    tell({ status: 'FAILED', error: expected?.map(({ message }) => message).join(' ') ?? (error instanceof ToolTimedOutError ? error.message : 'The tool failed unexpectedly.') });
  }
}

class ToolTimedOutError extends Error {}

async function look(run: RunScope, tool: Tool, args: Record<string, unknown>, cite: (passages: readonly Passage[]) => number[]): Promise<Json> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new ToolTimedOutError(`The tool did not answer within ${timeoutMs / 1000} s.`)), timeoutMs);
  const signal = AbortSignal.any([run.signal, limit.signal]);
  try {
    return await untilAborted(tool.execute(args, { ctx: run.ctx, run, signal, cite, afterCommit: (work) => work() }), signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Its effect and its row commit together; what is not expected to fail is left to the run, which is tried or told as a whole. */
async function change(run: RunScope, tool: Tool, call: Told, args: Record<string, unknown>, cite: (passages: readonly Passage[]) => number[]): Promise<Json> {
  const committed: (() => void)[] = [];
  const result = await run.once({ id: call.callId, name: call.name, arguments: call.arguments }, (tx) =>
    tool.execute(args, { ctx: { ...tx, viewer: run.ctx.viewer }, run, signal: run.signal, cite, afterCommit: (work) => void committed.push(work) }),
  );
  for (const work of committed) work();
  return result;
}
