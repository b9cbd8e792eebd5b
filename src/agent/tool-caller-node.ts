// The tool caller: asks the model, makes the calls that it requests, and asks it again with what they gave, until it answers.
//
// Each question to the model and each call is a visit of its own, and so a checkpointed step: what was done is not done again
// when the run goes on elsewhere. What was called and what came of it is read from the answer, not kept in the state.
import { AIMessage, ToolMessage, type BaseMessage } from '@langchain/core/messages';
import { z } from 'zod';
import { GenericError } from '../platform/errors.ts';
import { StepLimitError } from '../graph/errors.ts';
import { defineNode } from '../graph/node.ts';
import type { RunScope, SaidPart } from '../graph/scope.ts';
import type { ChatAnswer } from '../models/ask.ts';
import { repeatedWith, turnState, type TurnState } from '../models/turn-state.ts';
import { composePrompt, promptConfig, promptInput, promptReads, requestOf, toldBy } from './prompt.ts';
import { begin, make } from './tool-calls.ts';
import { takesTools, toolDefinitions, withTools, type Tool } from './tools.ts';

/** Calls that one answer of the model may request; the others fail. */
const maxCallsPerTurn = 8;

/** Bytes of what a model may want back with one turn: as much as is kept. */
export const maxTurnStateBytes = 64 * 1024;

/** How far a tool caller is. */
const progress = z.object({
  /** Questions to the model. */
  turns: z.int().nonnegative(),
  /** Calls that wait, by their ids, in order. */
  pending: z.array(z.string()),
  /** Whether the model's last answer requested a call that could not be made. */
  wasInvalid: z.boolean(),
  isDone: z.boolean(),
});
type Progress = z.output<typeof progress>;
/** How far it is then, and what the model wants back with the turn that it took, if it was asked. */
type Next = Progress & { readonly state?: TurnState };
const begun: Progress = { turns: 0, pending: [], wasInvalid: false, isDone: false };

const config = promptConfig.extend({
  /** Questions to the model at most. */
  maxSteps: z.number().int().min(1).max(50).default(8),
  /** Of the profile's tools only these. */
  toolNames: z.array(z.string()).max(100).optional(),
});
type Config = z.output<typeof config>;

/** What models want back with their turns, by the visits in which they were asked. */
const turnStates = z.record(z.string(), turnState);

const input = promptInput.extend({ toolCaller: z.record(z.string(), progress).default({}), turnStates: turnStates.default({}) });
type Input = z.output<typeof input>;

/** The node type `toolCaller`. */
export const toolCallerNode = defineNode({
  type: 'toolCaller',
  description: "Asks the profile's model, which may call the profile's tools, and streams the answer. A model without tools is asked without them.",
  config,
  input,
  output: z.object({ passages: z.array(z.object({ n: z.int().positive(), chunkId: z.string() })), toolCaller: z.record(z.string(), progress), turnStates: turnStates.optional() }),
  timeoutMs: 600_000,
  hasEffects: true,
  reads: promptReads,
  repeats: ({ values }, id) => (values['toolCaller'] as Record<string, Progress> | undefined)?.[id]?.isDone === false,
  visits: ({ maxSteps }) => maxSteps * (1 + maxCallsPerTurn),
  async process(input, config, run) {
    const known = input.toolCaller[run.node];
    const at = known && !known.isDone ? known : begun;
    const passages = [...input.passages];
    const { state, ...next } = at.pending.length > 0 ? await callNext(run, at, passages) : await askModel(run, at, input, config);
    return { passages, toolCaller: { ...input.toolCaller, [run.node]: next }, ...(state && { turnStates: { [run.visit]: state } }) };
  },
});

async function askModel(run: RunScope, at: Progress, input: Input, config: Config): Promise<Next> {
  if (at.turns === config.maxSteps) throw new StepLimitError(`The model called tools in ${at.turns} turns and still did not answer. Ask for less at once, or raise maxSteps of the node "${run.node}".`);
  const tools = toolsOf(run, config.toolNames);
  const { messages } = await composePrompt(run, input, config);
  const request = requestOf(run, [...messages, ...conversation(run.said(), input.turnStates)]);
  const answer = await run.models.ask(tools.length === 0 ? request : { ...request, modelIds: withTools(run, request.modelIds), tools: toolDefinitions(tools) }, toldBy(run));
  const turns = at.turns + 1;
  if (answer.toolCalls.length === 0) return { ...begun, turns, isDone: true };
  const calls = answer.toolCalls.map((requested, index) => {
    const call = begin(`${run.visit}.${index}`, requested, tools);
    return index < maxCallsPerTurn || call.status === 'FAILED' ? call : { ...call, status: 'FAILED' as const, error: `At most ${maxCallsPerTurn} calls are made at once.` };
  });
  for (const call of calls) run.emit({ type: 'toolCall', ...call });
  const invalid = calls.find(({ status }) => status === 'FAILED');
  if (invalid && at.wasInvalid) {
    throw new GenericError('VALIDATION_FAILED', `The model was told what was wrong with its call, and called the tool ${JSON.stringify(invalid.name.slice(0, 100))} wrongly again. ${invalid.error}`);
  }
  return { turns, pending: calls.flatMap(({ callId, status }) => (status === 'PENDING' ? [callId] : [])), wasInvalid: invalid !== undefined, isDone: false, ...keepable(run, answer) };
}

/** Checkpoints hold it: a model's server may not make them as large as it likes. */
function keepable(run: RunScope, { modelId, state }: ChatAnswer): Pick<Next, 'state'> {
  if (!state) return {};
  const bytes = Buffer.byteLength(state.data);
  if (bytes <= maxTurnStateBytes) return { state };
  run.ctx.log.warn({ runId: run.runId, modelId, bytes, maxBytes: maxTurnStateBytes }, 'what a model wants back with its calls is too large, and left out');
  return {};
}

async function callNext(run: RunScope, at: Progress, passages: { n: number; chunkId: string }[]): Promise<Next> {
  const [callId, ...pending] = at.pending;
  const call = run.said().find((part) => part.type === 'toolCall' && part.callId === callId);
  const tool = call?.type === 'toolCall' ? run.ctx.app.tools.get(call.name) : undefined;
  // An instance of another version may have requested it.
  if (call?.type !== 'toolCall' || !tool) throw new Error(`The call ${callId} cannot be made here.`);
  await make(run, tool, call, (found) =>
    found.map(({ chunkId }) => {
      const known = passages.find((passage) => passage.chunkId === chunkId);
      if (known) return known.n;
      const n = 1 + Math.max(0, ...passages.map((passage) => passage.n));
      passages.push({ n, chunkId });
      return n;
    }),
  );
  return { ...at, pending };
}

/** The tools that the model may call: named by the profile, permitted to whom the run answers, and none for a model that takes none. */
function toolsOf(run: RunScope, names: readonly string[] | undefined): Tool[] {
  const { ctx, settings } = run;
  if (!takesTools(run, settings.modelId)) return [];
  return settings.toolNames.flatMap((name) => {
    const tool = ctx.app.tools.get(name);
    const allowed = tool && (names?.includes(name) ?? true) && (tool.permission === null || ctx.viewer?.permissions.has(tool.permission));
    return allowed ? [tool] : [];
  });
}

/** What was said and called so far, as a model reads it: each of its turns with the calls that it requested, then what they gave. */
export function conversation(said: readonly SaidPart[], states: Readonly<Record<string, TurnState>> = {}): BaseMessage[] {
  const turns: { text: string; visit: string | null; calls: Extract<SaidPart, { type: 'toolCall' }>[] }[] = [];
  for (const part of said) {
    const last = turns.at(-1);
    if (part.type === 'text') {
      if (last && last.calls.length === 0) last.text += part.text;
      else turns.push({ text: part.text, visit: null, calls: [] });
      continue;
    }
    const visit = part.callId.slice(0, part.callId.lastIndexOf('.'));
    if (last && (last.visit === visit || last.calls.length === 0)) {
      last.visit = visit;
      last.calls.push(part);
    } else turns.push({ text: '', visit, calls: [part] });
  }
  let count = 0;
  return turns.flatMap(({ text, visit, calls }): BaseMessage[] => {
    const numbered = calls.map((call) => ({ ...call, id: `call_${count++}` }));
    return [
      new AIMessage({ content: text, ...repeatedWith(states[visit ?? '']), tool_calls: numbered.map(({ id, name, arguments: args }) => ({ id, name, args: args as Record<string, unknown>, type: 'tool_call' })) }),
      ...numbered.map(({ id, name, status, result, error }) =>
        new ToolMessage({ tool_call_id: id, name, status: status === 'SUCCEEDED' ? 'success' : 'error', content: JSON.stringify(status === 'SUCCEEDED' ? result : { error }) })),
    ];
  });
}
