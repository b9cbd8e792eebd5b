// The profiles that the installation's file gives to every new workspace. They are ordinary profiles from then on: nobody brings
// back what was changed or deleted.
import type { Workspace } from '../accounts/entity.ts';
import { scoped } from '../accounts/scoped.ts';
import type { App, Context } from '../context.ts';
import { faulty, type ReadInstallation } from '../models/installation.ts';
import { expectedErrors } from '../platform/errors.ts';
import { defaultSettings, type VersionSettings } from './defaults.ts';
import { Profile } from './entity.ts';
import { insertProfile } from './service.ts';
import { changeSettings } from './settings.ts';

/** A profile of the file, checked. */
export interface DefaultProfile {
  readonly slug: string;
  readonly name: string;
  readonly description: string | null;
  readonly settings: VersionSettings;
}

declare module '../context.ts' {
  interface App {
    /** What every new workspace starts with; the first is its default. */
    defaultProfiles: readonly DefaultProfile[];
  }
}

/** The profiles of the file as they will be stored; throws ConfigError with every fault. */
export function readDefaultProfiles(app: App, { profiles, file }: ReadInstallation): DefaultProfile[] {
  const faults: string[] = [];
  const read = profiles.flatMap(({ slug, name, description = null, graph: graphName, ...settings }, index): DefaultProfile[] => {
    const graph = app.graphTemplates.find((template) => template.name === graphName);
    if (graphName !== undefined && !graph) {
      faults.push(`profiles.${index}.graph: There is no graph ${JSON.stringify(graphName)}. Graphs: ${app.graphTemplates.map((template) => template.name).join(', ')}.`);
      return [];
    }
    try {
      return [{ slug, name: name.trim(), description, settings: changeSettings({ app, models: app.models }, defaultSettings, { ...settings, graph }, 1, ['profiles', String(index)]) }];
    } catch (thrown) {
      const expected = expectedErrors(thrown);
      if (!expected) throw thrown;
      faults.push(...expected.map(({ field, message }) => `${field?.join('.')}: ${message}`));
      return [];
    }
  });
  if (faults.length > 0) throw faulty(file, faults);
  return read;
}

/** Adds those whose slug the workspace does not know, deleted ones included; the first becomes the default where there is none. */
export async function seedProfiles(tx: Context, workspace: Workspace): Promise<void> {
  const { defaultProfiles } = tx.app;
  if (defaultProfiles.length === 0) return;
  await tx.em.flush();
  const known = await scoped(tx, Profile).select().select(['slug', 'archivedAt']).execute();
  const isKnown = (slug: string): boolean => known.some((other) => (other.archivedAt === null ? other.slug : other.slug.replace(/-[0-9a-f]{16}$/, '')) === slug);
  const made = defaultProfiles.filter(({ slug }) => !isKnown(slug)).map(({ settings, ...about }) => insertProfile(tx, about, settings));
  const [first] = made;
  if (first && workspace.defaultProfileId == null) workspace.defaultProfileId = first.id;
}
