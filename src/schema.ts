// The whole schema: each room adds its part to the builder, here they are put together. Printed to schema.graphql.
import './system/schema.ts';
import './accounts/schema.ts';
import './providers/schema.ts';
import './usage/schema.ts';
import './graph/schema.ts';
import './profiles/schema.ts';
import './documents/schema.ts';
import './documents/workspace-schema.ts';
import './search/schema.ts';
import './tasks/schema.ts';
import './chat/schema.ts';
import { builder } from './builder.ts';

export const schema = builder.toSchema();
