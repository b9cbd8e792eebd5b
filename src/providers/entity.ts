// What is stored of providers: those that a workspace has set up itself. The installation's are read from its file at every start.
import { defineEntity, p } from '@mikro-orm/core';
import { randomUUIDv7 } from 'node:crypto';
import { Workspace } from '../accounts/entity.ts';
import type { ModelSettings } from '../models/provider.ts';

const ProviderSchema = defineEntity({
  name: 'Provider',
  uniques: [{ properties: ['workspaceId', 'key'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: () => p.manyToOne(Workspace).mapToPk().joinColumn('workspace_id').deleteRule('cascade'),
    /** Its id in the workspace's catalog, "my-server"; that of a provider of the installation stands in place of that one. */
    key: p.text(),
    name: p.text(),
    kind: p.text(),
    /** Null: that of the installation's provider in whose place it stands, else the usual one of its kind. */
    baseUrl: p.text().nullable(),
    /** Encrypted (secrets.ts). */
    sealedApiKey: p.text().nullable(),
    /** Null: the models of the installation's provider in whose place it stands. */
    models: p.json<readonly ModelSettings[]>().nullable(),
    /** Rises with every change, so that others see that something did. */
    revision: p.integer(),
    createdAt: p.datetime().onCreate(() => new Date()),
    updatedAt: p.datetime().onCreate(() => new Date()),
  },
});
export class Provider extends ProviderSchema.class {}
ProviderSchema.setClass(Provider);
