// The task assistant's graph: Parse → Disambiguate → CRUD → Suggest → Respond.
import { END, START, type GraphDefinition } from '../graph/definition.ts';

const steps = [['parse', 'taskParse'], ['disambiguate', 'taskDisambiguate'], ['crud', 'taskCrud'], ['suggest', 'taskSuggest'], ['respond', 'taskRespond']] as const;

/** What a run of the task assistant does. */
export const taskAssistantGraph: GraphDefinition = {
  name: 'TASK_ASSISTANT',
  version: 1,
  nodes: steps.map(([id, type]) => ({ id, type })),
  edges: [START, ...steps.map(([id]) => id)].map((from, index) => ({ from, to: steps[index]?.[0] ?? END })),
};
