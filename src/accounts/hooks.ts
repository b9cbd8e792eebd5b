// What rooms further along the line lend to accounts; app.ts registers it.
import type { Context } from '../context.ts';
import type { Workspace } from './entity.ts';

export interface AccountHooks {
  /** Fills a new workspace, inside the transaction that makes it. */
  workspaceMade?: (tx: Context, workspace: Workspace) => Promise<void>;
}

/** Empty until a room is there that fills it. */
export const accountHooks: AccountHooks = {};
