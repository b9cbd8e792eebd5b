// docker-compose.yml as Compose reads it: anchors merged, variables put in.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** What the tests look at of a service; the rest is held by the specification's schema. */
export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly user?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly init?: boolean;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly networks?: readonly string[];
  readonly ports?: readonly { readonly host_ip?: string; readonly published: string; readonly target: number }[];
  readonly stop_grace_period?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[]; readonly interval: string; readonly timeout: string; readonly retries: number };
  readonly logging?: { readonly options: Readonly<Record<string, string>> };
  readonly deploy?: {
    readonly replicas?: string;
    readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string; readonly pids: number } };
  };
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly configs: Readonly<Record<string, { readonly file: string }>>;
}

/** The text of the file. */
export const composeText = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8');

const variable = /\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})/g;

/** Names of all variables that the file asks for. */
export function composeVariables(): string[] {
  return [...new Set([...composeText.matchAll(variable)].flatMap(([, name]) => name ?? []))];
}

/** The file with variables put in as Compose does; throws the message of a required one that is absent or empty. */
export function readCompose(env: Readonly<Record<string, string>>): Compose {
  return fill(parse(composeText, { merge: true }), env) as Compose;
}

/** https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md, as far as the file uses it. */
function fill(value: unknown, env: Readonly<Record<string, string>>): unknown {
  if (Array.isArray(value)) return value.map((item) => fill(item, env));
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, env)]));
  if (typeof value !== 'string') return value;
  return value.replace(variable, (_, name?: string, operator?: string, rest = '') => {
    if (name === undefined) return '$';
    const given = env[name] ?? '';
    if (given !== '' || operator === undefined) return given;
    if (operator === '-') return rest;
    throw new Error(`required variable ${name} is missing a value: ${rest}`);
  });
}
