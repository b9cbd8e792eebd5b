// Respond: tells what was done, or why not, in words that hold nothing but that.
import { z } from 'zod';
import { defineNode } from '../graph/node.ts';
import { shown, suggestion, taskOutcome, taskRequest, type TaskOutcome, type TaskRequest, type TaskSummary } from './request.ts';

/** The node type `taskRespond`. */
export const taskRespondNode = defineNode({
  type: 'taskRespond',
  description: 'Tells what was done with tasks, or why nothing was, and what to look at next.',
  config: z.object({}),
  input: z.object({ request: taskRequest, outcome: taskOutcome, suggestions: z.array(suggestion) }),
  output: z.object({}),
  async process({ request, outcome, suggestions }, _config, run) {
    const { timeZone, dryRun } = run.settings;
    const lines = [reply(request, outcome, timeZone, dryRun), ...suggestions.map(({ message }) => message)];
    // Line by line, as it is written.
    for (const [index, line] of lines.entries()) run.emit({ type: 'text', text: index === 0 ? line : `\n\n${line}` });
    return {};
  },
});

function reply(request: TaskRequest, outcome: TaskOutcome, timeZone: string, dryRun: boolean): string {
  const { tasks, total } = outcome;
  const [task] = tasks;
  const named = (one: TaskSummary): string => `"${one.title}"${one.dueAt === null ? '' : `, due ${shown(one.dueAt, timeZone)}`}`;
  const would = (done: string, planned: string): string => (dryRun ? `Nothing was changed; I would ${planned}` : done);
  switch (request.operation) {
    case 'confirm':
    case 'reject':
      return 'There is nothing to decide at the moment.';
    case 'none':
      return 'I keep your tasks: tell me what to remember, look up, change or delete.';
    case 'query': {
      if (total === 0) return 'There are no such tasks.';
      const rest = total > tasks.length ? `\n\nThese are the first ${tasks.length} of ${total}.` : '';
      return `${total === 1 ? 'There is one task:' : `There are ${total} tasks:`}\n\n${tasks.map((one) => `- ${named(one)}`).join('\n')}${rest}`;
    }
    case 'create':
      if (!task) return 'Say what is to be done, and I keep it.';
      return would(`I have added ${named(task)}.`, `add ${named(task)}.`);
    case 'update':
    case 'delete': {
      if (outcome.state === 'NOT_FOUND') return request.match.text === null ? 'I found no such task.' : `I found no task for "${request.match.text}".`;
      if (outcome.state === 'DECLINED') return 'All right, I left everything as it is.';
      if (outcome.state === 'UNCLEAR') return 'Say what should change, for example its title, its date or that it is done.';
      if (outcome.state === 'SEVERAL') return `Nothing was changed; ${total} tasks match:\n\n${tasks.map((one) => `- ${named(one)}`).join('\n')}`;
      const what = tasks.length === 1 && task ? named(task) : `${tasks.length} tasks`;
      if (request.operation === 'delete') return would(`I have deleted ${what}.`, `delete ${what}.`);
      const status = request.wanted.status;
      return status === 'DONE' ? would(`${what} is done.`, `mark ${what} as done.`) : would(`I have changed ${what}.`, `change ${what}.`);
    }
  }
}
