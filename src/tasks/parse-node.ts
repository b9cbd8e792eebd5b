// Parse: what somebody wants done with tasks. A model that takes tools says it by calling a function; without one, rules do.
import { AIMessage, HumanMessage, SystemMessage, ToolMessage, type BaseMessage } from '@langchain/core/messages';
import { z } from 'zod';
import { requestOf, toldBy } from '../agent/prompt.ts';
import { takesTools, toolDefinitions, withTools } from '../agent/tools.ts';
import { defineNode } from '../graph/node.ts';
import type { RunScope } from '../graph/scope.ts';
import { repeatedWith } from '../models/turn-state.ts';
import { GenericError } from '../platform/errors.ts';
import { requestOfCall, taskFunctions, WrongCallError } from './model-request.ts';
import { anyTask, taskRequest, type TaskRequest } from './request.ts';
import { requestOfText } from './rule-request.ts';

/** The node type `taskParse`. */
export const taskParseNode = defineNode({
  type: 'taskParse',
  description: 'Understands what somebody wants done with tasks: the operation, and what the task is to have.',
  config: z.object({}),
  input: z.object({ question: z.string() }),
  output: z.object({ request: taskRequest }),
  timeoutMs: 120_000,
  async process({ question }, _config, run) {
    const now = new Date();
    return { request: takesTools(run, run.settings.modelId) ? await askModel(run, question, now) : requestOfText(question, now, run.settings.timeZone) };
  },
});

const tools = toolDefinitions(Object.entries(taskFunctions).map(([name, described]) => ({ name, ...described })));

/** A call that does not fit is told to the model once. */
async function askModel(run: RunScope, question: string, now: Date): Promise<TaskRequest> {
  const { timeZone } = run.settings;
  const local = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'short', timeZone }).format(now);
  const messages: BaseMessage[] = [
    new SystemMessage(`You keep the tasks of the user. Call the one function that does what the user wants; call none when the user wants nothing done with tasks. Fill in only what the user said. It is ${local} (${timeZone}).`),
    new HumanMessage(question),
  ];
  for (let wrong = 0; ; wrong++) {
    const request = requestOf(run, messages);
    const silent = { text: () => undefined, reasoning: () => undefined };
    const { toolCalls, state } = await run.models.ask({ ...request, modelIds: withTools(run, request.modelIds), tools }, { ...toldBy(run), ...silent });
    const [call] = toolCalls;
    if (!call) return { operation: 'none', confidence: 1, wanted: {}, match: anyTask };
    try {
      return requestOfCall(call, now, timeZone);
    } catch (error) {
      if (!(error instanceof WrongCallError)) throw error;
      if (wrong > 0) throw new GenericError('VALIDATION_FAILED', `The model was told what was wrong with its call of ${JSON.stringify(call.name.slice(0, 100))}, and called wrongly again. ${error.message}`);
      messages.push(
        new AIMessage({ content: '', ...repeatedWith(state), tool_calls: [{ id: 'call_0', name: call.name, args: call.arguments ?? {}, type: 'tool_call' }] }),
        new ToolMessage({ tool_call_id: 'call_0', name: call.name, status: 'error', content: JSON.stringify({ error: error.message }) }),
      );
    }
  }
}
