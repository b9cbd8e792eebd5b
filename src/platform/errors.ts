// Expected failures. Each class is a GraphQL type of the same name, so that a mutation answers it as data
// (`userErrors`) and a query or subscription as an error with `extensions.code`. Anything else is unexpected:
// it is logged once, masked, and carries the request's id.
import { z } from 'zod';
import type { LimitStatus } from './limits.ts';

export const errorCodes = [
  'VALIDATION_FAILED', 'NOT_FOUND', 'CONFLICT', 'ALREADY_EXISTS', 'UNAUTHENTICATED', 'INVALID_CREDENTIALS', 'FORBIDDEN',
  'RATE_LIMITED', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'DOCUMENT_NOT_READY', 'DOCUMENT_ENCRYPTED',
  'DOCUMENT_HAS_NO_TEXT', 'DOCUMENT_CORRUPT', 'DOCUMENT_TOO_COMPLEX', 'RUN_IN_PROGRESS', 'RUN_NOT_ACTIVE',
  'INTERRUPT_ALREADY_RESOLVED', 'PROVIDER_UNAVAILABLE', 'PROVIDER_REJECTED', 'CIRCUIT_OPEN', 'TIMEOUT',
  'CONTEXT_TOO_LONG', 'LIMIT_EXCEEDED', 'QUERY_TOO_COMPLEX', 'SHUTTING_DOWN', 'INTERNAL',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

/** What a role may do; a member's role decides (accounts). */
export const permissions = [
  'PROFILE_READ', 'PROFILE_WRITE', 'DOCUMENT_READ', 'DOCUMENT_WRITE', 'CHAT', 'TASK', 'CONFIG_READ', 'CONFIG_WRITE', 'MEMBER_ADMIN',
] as const;
export type Permission = (typeof permissions)[number];

/** Where in a mutation's `input` the value at fault stands, e.g. ['patch', 'name']; null when tied to no field. */
export type FieldPath = readonly string[] | null;

/** An expected failure: `message` says what happened, with which value, and what to do next. */
export class UserError extends Error {
  readonly code: ErrorCode;
  readonly field: FieldPath;
  constructor(code: ErrorCode, message: string, field: FieldPath = null, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.field = field;
  }
}

/** Any expected failure without further data. */
export class GenericError extends UserError {}

/** One rule that a value breaks; `constraint` names the rule for programs, e.g. "minLength". */
export class ValidationError extends UserError {
  readonly constraint: string | null;
  constructor(message: string, field: FieldPath = null, constraint: string | null = null) {
    super('VALIDATION_FAILED', message, field);
    this.constraint = constraint;
  }
}

/** An id that names nothing the viewer may see: absent and foreign answer alike. */
export class NotFoundError extends UserError {
  readonly typeName: string;
  readonly nodeId: string | null;
  constructor(typeName: string, nodeId: string | null = null, field: FieldPath = ['id']) {
    super('NOT_FOUND', `No ${typeName} with this id. It may have been deleted, or the id may be of another type.`, field);
    this.typeName = typeName;
    this.nodeId = nodeId;
  }
}

/** A state that excludes the change; `existing` is the node in the way, as { type, id }. */
export class ConflictError extends UserError {
  readonly existing: { readonly type: string; readonly id: string } | null;
  constructor(message: string, field: FieldPath = null, existing: ConflictError['existing'] = null, code: ErrorCode = 'CONFLICT') {
    super(code, message, field);
    this.existing = existing;
  }
}

/** A permission that the viewer's role does not include. */
export class ForbiddenError extends UserError {
  readonly requiredPermission: Permission;
  constructor(requiredPermission: Permission) {
    super('FORBIDDEN', `This needs the permission ${requiredPermission}. Ask an owner or admin of the workspace for it.`);
    this.requiredPermission = requiredPermission;
  }
}

/** A limit that is used up for now; `retryAfterSeconds` is at least 1. */
export class RateLimitError extends UserError {
  readonly retryAfterSeconds: number;
  readonly limit: LimitStatus;
  constructor(limit: LimitStatus, windowSeconds: number, retryAfterSeconds: number) {
    super('RATE_LIMITED', `Too many requests: ${limit.limit} in ${windowSeconds} seconds are allowed (${limit.bucket}). Try again in ${retryAfterSeconds} seconds.`);
    this.retryAfterSeconds = retryAfterSeconds;
    this.limit = limit;
  }
}

/** Several expected failures at once, e.g. one per broken rule. */
export class UserErrors extends Error {
  readonly errors: readonly UserError[];
  constructor(errors: readonly UserError[]) {
    super(errors.map((error) => error.message).join(' '));
    this.name = 'UserErrors';
    this.errors = errors;
  }
}

/** UNAUTHENTICATED: no token, an expired one, or one that was revoked. */
export function unauthenticated(message = 'Sign in first: send a valid access token as "authorization: Bearer …".'): GenericError {
  return new GenericError('UNAUTHENTICATED', message);
}

/** SHUTTING_DOWN: the process is about to stop, and what would outlast it is refused. */
export function shuttingDown(): GenericError {
  return new GenericError('SHUTTING_DOWN', 'This instance is about to stop. Send again; another one will take it.');
}

/** The expected failures inside whatever was thrown; null when it was unexpected. */
export function expectedErrors(thrown: unknown): readonly UserError[] | null {
  if (thrown instanceof UserError) return [thrown];
  if (thrown instanceof UserErrors) return thrown.errors;
  return null;
}

/** Reads `value` by `schema`; throws one ValidationError per broken rule, with the field's path below `at`. */
export function validate<S extends z.ZodType>(schema: S, value: unknown, at: readonly string[] = []): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UserErrors(
    result.error.issues.map((issue) => {
      const path = [...at, ...issue.path.map(String)];
      return new ValidationError(issue.message, path.length > 0 ? path : null, constraintOf(issue));
    }),
  );
}

/** The name of the rule that was broken; a rule of one's own names itself as `params.constraint`. */
export function constraintOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom' && typeof issue.params?.['constraint'] === 'string') return issue.params['constraint'];
  if (issue.code === 'too_small') return issue.origin === 'string' ? 'minLength' : 'minimum';
  if (issue.code === 'too_big') return issue.origin === 'string' ? 'maxLength' : 'maximum';
  return issue.code;
}
