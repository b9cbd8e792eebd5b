// Types for the operations of the tests, from the printed schema: `npm run codegen` after `npm run schema`.
import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['test/**/*.ts', '!test/support/graphql/**'],
  emitLegacyCommonJSImports: false,
  importExtension: '.ts',
  generates: {
    'test/support/graphql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        // Node strips types; it cannot make enums.
        enumsAsTypes: true,
        useTypeImports: true,
        strictScalars: true,
        scalars: { DateTime: 'string', JSON: 'unknown', Upload: 'File', EventCursor: 'string' },
      },
    },
  },
};

export default config;
