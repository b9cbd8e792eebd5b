import { describe, expect, it } from 'vitest';
import { conditionNode } from '../../src/agent/condition-node.ts';
import { buildGraph } from '../../src/graph/build.ts';
import type { NodeType } from '../../src/graph/node.ts';
import { runGraph } from '../../src/graph/run.ts';
import { initialState } from '../../src/graph/state.ts';
import { validateDefinition } from '../../src/graph/validate.ts';
import { define, openScope, registryWith } from '../graph/support.ts';

const registry = registryWith(conditionNode as unknown as NodeType);

/** Finds passages and an intent, then chooses a branch and says its name. */
function choosing(config: unknown, find = 1) {
  const said = (mark: string) => ({ type: 'echo', config: { mark } });
  return define(
    { find: { type: 'finder', config: { find } }, classify: 'classifier', choose: { type: 'condition', config }, one: said('one'), two: said('two'), other: said('other') },
    ['start -> find', 'find -> classify', 'classify -> choose', "choose -> one if values.branch == 'one'", "choose -> two if values.branch == 'two'", 'choose -> other', 'one -> end', 'two -> end', 'other -> end'],
  );
}

describe('a condition node', () => {
  const cases = [
    { when: 'passages.length > 1', value: 'one' },
    { when: "values.intent == 'create' && question.length > 3", value: 'two' },
  ];
  it.each([
    ['the first case that holds', 'When?', 2, 'one'],
    ['the next one when the first does not', 'When?', 1, 'two'],
    ['what is left when none does', 'W?', 0, 'other'],
  ])('leads to %s', async (_, question, find, expected) => {
    const scope = openScope();
    const state = await runGraph(buildGraph(choosing({ cases, otherwise: 'none' }, find), registry), initialState(question), scope);
    expect(scope.text()).toBe(expected);
    expect(state.values['branch']).toBe(expected === 'other' ? 'none' : expected);
  });

  it('is refused with the case and the place in its text', () => {
    const faults = validateDefinition(choosing({ cases: [cases[0], { when: 'passages.length >', value: 'x' }, { when: 'steps.find > 1', value: 'y' }], otherwise: '' }), registry);
    expect(faults.map(({ path, constraint }) => `${path.join('.')} ${constraint}`)).toEqual([
      'nodes.2.config.cases.1.when syntax',
      'nodes.2.config.cases.2.when exists',
      'nodes.2.config.otherwise minLength',
    ]);
    expect(faults[0]?.message).toBe('Node "choose": Expected a path, a text, a number or "(", found the end (at character 18)');
    expect(faults[1]?.message).toContain('There is no "steps" to read (at character 1). There is question, passages, values.');
    expect(validateDefinition(choosing({ otherwise: 'x' }), registry)[0]?.path).toEqual(['nodes', 2, 'config', 'cases']);
  });

  it('is refused when it reads a value that nobody has given by then', () => {
    const misspelt = choosing({ cases: [cases[1], { when: "question && values.intnet == 'create'", value: 'x' }], otherwise: 'y' });
    expect(validateDefinition(misspelt, registry)).toEqual([
      { path: ['nodes', 2, 'config', 'cases', 1, 'when'], constraint: 'exists', message: 'No node before this node gives "values.intnet".' },
    ]);
  });
});
