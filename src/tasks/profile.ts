// The profile of the task assistant, for workspaces that were not given it when they were made: an ordinary profile.
import type { Context } from '../context.ts';
import { expectedErrors } from '../platform/errors.ts';
import { addProfile, findProfileBySlug } from '../profiles/service.ts';
import { taskAssistantGraph } from './graph.ts';

const slug = 'task-assistant';

/** Id of the profile with the slug "task-assistant", which is made where there is none. */
export async function taskProfileId(ctx: Context): Promise<string> {
  const known = await findProfileBySlug(ctx, slug);
  if (known) return known.id;
  const about = { name: 'Task assistant', slug, description: 'Keeps tasks: creates, finds, changes and deletes them.', systemPrompt: 'You keep the tasks of the user.' };
  try {
    return (await addProfile(ctx, { ...about, graph: taskAssistantGraph, retrieval: { mode: 'OFF' } })).id;
  } catch (error) {
    // Asked at the same time somewhere else.
    const other = expectedErrors(error)?.some(({ code }) => code === 'ALREADY_EXISTS') ? await findProfileBySlug(ctx, slug) : null;
    if (other) return other.id;
    throw error;
  }
}
