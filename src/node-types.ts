// Every type of node: one file each, and one line here.
export { askNode } from './agent/ask-node.ts';
export { conditionNode } from './agent/condition-node.ts';
export { outputNode } from './agent/output-node.ts';
export { promptNode } from './agent/prompt-node.ts';
export { toolCallerNode } from './agent/tool-caller-node.ts';
export { retrievalNode } from './search/retrieval-node.ts';
export { taskCrudNode } from './tasks/crud-node.ts';
export { taskDisambiguateNode } from './tasks/disambiguate-node.ts';
export { taskParseNode } from './tasks/parse-node.ts';
export { taskRespondNode } from './tasks/respond-node.ts';
export { taskSuggestNode } from './tasks/suggest-node.ts';
