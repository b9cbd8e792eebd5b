// What rooms further along the line lend to profiles; app.ts registers it.
import type { App, Context } from '../context.ts';

/** Something that a model may call while it answers. */
export interface ToolDescription {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: unknown;
  /** Whether a person is asked before it is called. */
  readonly requiresApproval: boolean;
}

export interface ProfileHooks {
  /** Lets a profile use these documents, inside the transaction that makes it; throws NotFoundError below `documentIds`. */
  attachDocuments?: (tx: Context, profileId: string, documentIds: readonly string[]) => Promise<void>;
  /** The tools that a profile may name. */
  tools?: (app: App) => readonly ToolDescription[];
}

/** Empty until a room is there that fills it. */
export const profileHooks: ProfileHooks = {};

/** The tools that a profile may name, by name. */
export function knownTools(app: App): ReadonlyMap<string, ToolDescription> {
  return new Map((profileHooks.tools?.(app) ?? []).map((tool) => [tool.name, tool]));
}
