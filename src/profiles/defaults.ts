// What a profile is when it is told nothing but its prompt.
import { END, START, type GraphDefinition } from '../graph/definition.ts';
import type { RetrievalSettings } from '../graph/scope.ts';

/** Everything that a version of a profile fixes about how it answers. */
export interface VersionSettings {
  readonly systemPrompt: string;
  /** A model's id in the catalog; null follows the default of the installation. */
  readonly modelId: string | null;
  /** Models that take over, in order; null follows the catalog: the fallbacks of the model that answers. */
  readonly fallbackModelIds: string[] | null;
  /** 0..2. */
  readonly temperature: number;
  readonly maxOutputTokens: number;
  readonly retrieval: RetrievalSettings;
  readonly toolNames: string[];
  readonly graph: GraphDefinition;
  readonly cacheAnswers: boolean;
}

/** Finds passages, asks the model with them, and writes the answer down. */
export const defaultGraph: GraphDefinition = {
  name: 'Answer with passages',
  version: 1,
  nodes: [
    { id: 'retrieval', type: 'retrieval' },
    { id: 'prompt', type: 'prompt' },
    { id: 'output', type: 'output' },
  ],
  edges: [
    { from: START, to: 'retrieval' },
    { from: 'retrieval', to: 'prompt' },
    { from: 'prompt', to: 'output' },
    { from: 'output', to: END },
  ],
};

/** As the default graph, for a profile whose model may call tools. */
export const toolGraph: GraphDefinition = {
  name: 'Answer with passages and tools',
  version: 1,
  nodes: [
    { id: 'retrieval', type: 'retrieval' },
    { id: 'agent', type: 'toolCaller' },
    { id: 'output', type: 'output' },
  ],
  edges: [
    { from: START, to: 'retrieval' },
    { from: 'retrieval', to: 'agent' },
    { from: 'agent', to: 'output' },
    { from: 'output', to: END },
  ],
};

/** The graph of a profile that names none of its own. */
export function usualGraph(toolNames: readonly string[]): GraphDefinition {
  return toolNames.length === 0 ? defaultGraph : toolGraph;
}

/** Sizes in tokens. */
export const defaultRetrieval: RetrievalSettings = {
  mode: 'AUTO',
  searchMode: 'HYBRID',
  topK: 6,
  minScore: 0,
  rerank: false,
  rerankModelId: null,
  chunkSize: 512,
  chunkOverlap: 40,
  maxContextTokens: 3000,
  onFailure: 'ANSWER_WITHOUT_CONTEXT',
};

/** The settings of a profile that is told nothing. */
export const defaultSettings: VersionSettings = {
  systemPrompt: '',
  modelId: null,
  fallbackModelIds: null,
  temperature: 0.2,
  maxOutputTokens: 2000,
  retrieval: defaultRetrieval,
  toolNames: [],
  graph: defaultGraph,
  cacheAnswers: false,
};

/** Whether answers come from the cache where nobody has said so: the same question has the same answer only at temperature 0. */
export function cachesByDefault(temperature: number): boolean {
  return temperature === 0;
}
