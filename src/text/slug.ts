// Names for addresses. Pure.

/** The text as a slug of at most `maxLength` characters: lower-case letters and digits with single hyphens between; empty when none are left. */
export function slugOf(text: string, maxLength: number): string {
  return text.normalize('NFKD').toLowerCase().replace(/\p{M}+/gu, '').replace(/[^a-z0-9]+/g, '-').slice(0, maxLength).replace(/^-+|-+$/g, '');
}
