// What an operation may ask for: how long its text and how deep its nesting may be, what it may cost, and who may look at
// the schema. All of it is decided before anything runs.
import {
  GraphQLError, Lexer, Source, TokenKind, Kind, getOperationAST, parse, visit, BREAK, type DocumentNode, type ExecutionArgs, type ParseOptions,
} from 'graphql';
import { complexityFromQuery } from '@pothos/plugin-complexity';
import type { Context } from '../context.ts';

/** More tokens than any sensible operation has; a bound for the parser and all that walks its result. */
const maxTokens = 10_000;

/** More brackets within each other than any allowed depth needs: parser and validation recurse, and the stack is finite. */
const maxBrackets = 250;

/** Parses an operation; throws QUERY_TOO_COMPLEX for one that is too long or too deeply nested to be looked at. */
export function parseWithinBounds(text: string | Source, options?: ParseOptions): DocumentNode {
  const source = typeof text === 'string' ? new Source(text) : text;
  const lexer = new Lexer(source);
  let depth = 0;
  for (let tokens = 1; lexer.advance().kind !== TokenKind.EOF; tokens++) {
    const { kind } = lexer.token;
    if (opening.has(kind)) depth++;
    else if (closing.has(kind)) depth--;
    if (tokens > maxTokens) throw tooComplex(`The operation has more than ${maxTokens} words and signs. Split it, and pass long values as variables.`);
    if (depth > maxBrackets) throw tooComplex(`The operation has more than ${maxBrackets} brackets within each other. Ask for less at once.`);
  }
  return parse(source, options);
}

/** Why an operation may not run: too deep, too costly, or a guest's look at the schema in production; null when it may. */
export function refusalOf(args: ExecutionArgs & { contextValue: Context }): GraphQLError | null {
  const { app, viewer } = args.contextValue;
  if (app.config.environment === 'production' && !viewer && asksForSchema(args.document)) {
    return new GraphQLError('Sign in to look at the schema.', { extensions: { code: 'UNAUTHENTICATED', http: { spec: true, status: 401 } } });
  }
  const { maxQueryDepth, maxQueryCost } = app.config.limits;
  const measured = measure(args);
  if (!measured) return null;
  const cost = Math.ceil(measured.complexity);
  if (measured.depth > maxQueryDepth) {
    return tooComplex(`The operation is ${measured.depth} fields deep; at most ${maxQueryDepth} are answered. Ask for the rest by id.`, { depth: measured.depth });
  }
  if (cost > maxQueryCost) {
    return tooComplex(`The operation costs ${cost}; at most ${maxQueryCost} are answered. Ask for fewer fields, or for shorter pages by "first".`, { cost });
  }
  return null;
}

const opening = new Set<TokenKind>([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const closing = new Set<TokenKind>([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);

function tooComplex(message: string, measured: object = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'QUERY_TOO_COMPLEX', ...measured, http: { spec: true, status: 400 } } });
}

/** Depth and cost of the operation that would run; null where execution itself will say what is wrong with it. */
function measure({ document, operationName, schema, variableValues, contextValue }: ExecutionArgs): { depth: number; complexity: number } | null {
  const operation = getOperationAST(document, operationName);
  if (!operation) return null;
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  try {
    return complexityFromQuery({ ...document, definitions: [operation, ...fragments] }, {
      schema,
      ctx: contextValue as object,
      variables: variableValues as Record<string, unknown>,
    });
  } catch (error) {
    if (error instanceof GraphQLError) return null;
    throw error;
  }
}

function asksForSchema(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Field(field) {
      if (field.name.value !== '__schema' && field.name.value !== '__type') return undefined;
      found = true;
      return BREAK;
    },
  });
  return found;
}
