// How a graph can fail: before a run, because its definition is wrong, and during one, because a node is.
import { UserError, UserErrors, ValidationError } from '../platform/errors.ts';
import type { Question } from './scope.ts';

/** One rule that a definition breaks; `path` leads to the value at fault, `constraint` names the rule for programs. */
export interface DefinitionFault {
  readonly path: readonly (string | number)[];
  readonly constraint: string;
  readonly message: string;
}

/** A definition that cannot be built: every fault at once, each also as a ValidationError with its path below `at`. */
export class InvalidGraphError extends UserErrors {
  readonly faults: readonly DefinitionFault[];
  constructor(faults: readonly DefinitionFault[], at: readonly string[] = []) {
    super(faults.map(({ message, path, constraint }) => new ValidationError(message, [...at, ...path.map(String)], constraint)));
    this.name = 'InvalidGraphError';
    this.faults = faults;
  }
}

/** A node that gave up; `cause` is what it threw, `retryable` whether the same input may succeed later. */
export class NodeFailedError extends Error {
  readonly nodeId: string;
  readonly nodeType: string;
  readonly retryable: boolean;
  constructor(nodeId: string, nodeType: string, cause: unknown) {
    super(`Node "${nodeId}" (${nodeType}) failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'NodeFailedError';
    this.nodeId = nodeId;
    this.nodeType = nodeType;
    this.retryable = isRetryable(cause);
  }
}

/** A node whose time is up. It is not retried: the limit bounds the step, not one attempt among many. */
export class NodeTimedOutError extends UserError {
  constructor(nodeId: string, timeoutMs: number) {
    super('TIMEOUT', `Node "${nodeId}" did not finish within ${timeoutMs} ms. Ask again, or ask for less at once.`);
  }
}

/** A loop that went round as often as it may. */
export class StepLimitError extends UserError {
  constructor(message: string) {
    super('LIMIT_EXCEEDED', message);
  }
}

/** Input or output of a node that does not fit the schema it declares: a fault of a node type, not of its user. */
export class NodeContractError extends Error {
  readonly side: 'input' | 'output';
  constructor(side: 'input' | 'output', detail: string, options?: ErrorOptions) {
    super(`The ${side} does not fit the schema of the node type: ${detail}`, options);
    this.name = 'NodeContractError';
    this.side = side;
  }
}

/** A run that stopped to ask; run the same thread again once its scope has the answer. */
export class RunInterruptedError extends Error {
  readonly questions: readonly Question[];
  constructor(questions: readonly Question[]) {
    super(`The run waits for ${questions.length === 1 ? 'an answer' : `${questions.length} answers`}.`);
    this.name = 'RunInterruptedError';
    this.questions = questions;
  }
}

/** Whether an error says of itself that trying again may help (`retryable: true`). */
export function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { retryable?: unknown }).retryable === true;
}
