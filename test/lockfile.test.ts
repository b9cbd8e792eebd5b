// The lockfile: no version with a known hole, and nothing of the place where it was made.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface Lockfile {
  readonly lockfileVersion: number;
  readonly packages: Record<string, { version?: string; resolved?: string; integrity?: string; link?: boolean }>;
}

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const lockfile = JSON.parse(read('package-lock.json')) as Lockfile;
const manifest = JSON.parse(read('package.json')) as Record<'dependencies' | 'devDependencies' | 'overrides', Record<string, string>>;

/** The first versions without a known hole. */
const safe: Record<string, string> = {
  ws: '8.21.1',
  '@xmldom/xmldom': '0.8.13',
  mammoth: '1.11.0',
  jszip: '3.8.0',
  busboy: '1.6.0',
  '@langchain/core': '1.1.8',
  '@langchain/langgraph-checkpoint-postgres': '1.0.5',
};

const installed = (name: string): string[] =>
  Object.entries(lockfile.packages).flatMap(([path, { version }]) => (path.endsWith(`node_modules/${name}`) && version ? [version] : []));

it.each(Object.entries(safe))('%s, where it is installed, is at least %s', (name, minimum) => {
  expect(installed(name).filter((version) => isBefore(version, minimum))).toEqual([]);
});

it('an older version would be noticed', () => {
  expect([isBefore('8.21.0', '8.21.1'), isBefore('8.9.9', '8.21.1'), isBefore('1.6.0-beta.1', '1.6.0')]).toEqual([true, true, true]);
  expect(installed('ws')).not.toEqual([]);
  expect([isBefore('8.21.1', '8.21.1'), isBefore('9.0.0', '8.21.1'), isBefore('8.22.0-beta.1', '8.21.1')]).toEqual([false, false, false]);
});

it('it names no download address, so that it installs from any registry', () => {
  expect(lockfile.lockfileVersion).toBe(3);
  expect(Object.entries(lockfile.packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});

it('every package is held to its content', () => {
  const loose = Object.entries(lockfile.packages).filter(([path, { integrity, link }]) => path !== '' && !link && !integrity?.startsWith('sha512-'));
  expect(loose.map(([path]) => path)).toEqual([]);
});

it('versions that belong together are exact', () => {
  const ranges = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.overrides }).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version));
  expect(ranges).toEqual([]);
  expect(installed('graphql')).toHaveLength(1);
  const orm = Object.entries(manifest.dependencies).filter(([name]) => name.startsWith('@mikro-orm/'));
  expect(new Set(orm.map(([, version]) => version)).size).toBe(1);
});

function isBefore(version: string, minimum: string): boolean {
  const [numbers, suffix] = partsOf(version);
  const [others, otherSuffix] = partsOf(minimum);
  for (let index = 0; index < 3; index++) {
    const difference = (numbers[index] ?? 0) - (others[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return suffix !== '' && otherSuffix === '';
}

function partsOf(version: string): [numbers: number[], suffix: string] {
  const [core = '', ...suffix] = version.split('-');
  return [core.split('.').map(Number), suffix.join('-')];
}
