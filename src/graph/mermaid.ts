// A definition as a Mermaid flowchart, for documents and for front ends that draw graphs.
import { END, START, type GraphDefinition } from './definition.ts';

/** The flowchart's source; ids and conditions of any form are shown as they are. */
export function mermaid({ nodes, edges }: GraphDefinition): string {
  // Mermaid has reserved words ("end" among them), so nodes get names of their own and show their ids as labels.
  const names = new Map<string, string>([
    [START, 'first'],
    ...nodes.map(({ id }, index): [string, string] => [id, `n${index}`]),
    [END, 'last'],
  ]);
  return [
    'flowchart TD',
    `  first(["${START}"])`,
    ...nodes.map(({ id, type }, index) => `  n${index}["${escaped(id)}<br/>${escaped(type)}"]`),
    `  last(["${END}"])`,
    ...edges.flatMap(({ from, to, condition }) => {
      const [tail, head] = [names.get(from), names.get(to)];
      if (tail === undefined || head === undefined) return [];
      return `  ${tail} -->${condition == null ? '' : `|"${escaped(condition)}"|`} ${head}`;
    }),
    '',
  ].join('\n');
}

/** Mermaid's entity codes for everything that is not plainly text, so that no label can end early or become markup. */
function escaped(label: string): string {
  return label.replace(/[\r\n\t]+/g, ' ').replace(/[^\p{L}\p{N} _.,:=!?+()-]/gu, (character) => `#${character.codePointAt(0)};`);
}
