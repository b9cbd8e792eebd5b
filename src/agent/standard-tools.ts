// Tools that every installation has: to look into the profile's documents, and at the clock.
import { z } from 'zod';
import { timeZoneName } from '../platform/time-zone.ts';
import { retrieve } from '../search/service.ts';
import { defineTool } from './tools.ts';

/** The tool `search_documents`. */
export const searchDocuments = defineTool({
  name: 'search_documents',
  description: 'Finds passages in the documents of this assistant. Call it when the answer may stand there, also several times with other words. Cite what you use as [n].',
  parameters: z.object({
    query: z.string().min(1).max(2_000).describe('What to look for, in the words of the documents.'),
    limit: z.int().min(1).max(10).default(5).describe('Passages at most.'),
  }),
  permission: 'DOCUMENT_READ',
  requiresApproval: false,
  hasEffects: false,
  async execute({ query, limit }, { ctx, run, signal, cite }) {
    const { profileId, retrieval } = run.settings;
    const { passages } = await retrieve(ctx, {
      question: query,
      profileId,
      settings: { ...retrieval, topK: limit },
      signal,
      spent: (spent) => run.emit({ type: 'spent', spent }),
    });
    const numbers = cite(passages);
    return passages.map(({ documentName, page, text }, index) => ({ n: numbers[index] as number, document: documentName, page, text }));
  },
});

/** The tool `current_time`. */
export const currentTime = defineTool({
  name: 'current_time',
  description: 'The current date and time.',
  parameters: z.object({ timeZone: timeZoneName.optional().describe("IANA name, such as Europe/Berlin; the user's own when absent.") }),
  permission: null,
  requiresApproval: false,
  hasEffects: false,
  async execute({ timeZone }, { run }) {
    const now = new Date();
    const zone = timeZone ?? run.settings.timeZone;
    const local = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long', timeZone: zone }).format(now);
    return { utc: now.toISOString(), timeZone: zone, local };
  },
});
