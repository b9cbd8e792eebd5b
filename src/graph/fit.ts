// Whether what one node gives is what another takes, judged by their JSON Schemas before anything runs. Shapes are
// compared strictly; ranges (lengths, patterns, minima) are left to the check at run time, and so is what a schema
// leaves open.

/** The part of JSON Schema that zod's object schemas come out as. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | boolean;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly [keyword: string]: unknown;
}

/** Whether every shape that `given` allows is one that `taken` allows. */
export function fits(given: JsonSchema, taken: JsonSchema): boolean {
  const takers = alternatives(taken);
  return alternatives(given).every((one) => takers.some((taker) => fitsOne(one, taker)));
}

/** A schema's shapes in words, e.g. "string or null". */
export function shapeOf(schema: JsonSchema): string {
  const names = alternatives(schema).map((one) => ('const' in one ? JSON.stringify(one.const) : ((one.type as string | undefined) ?? 'anything')));
  return [...new Set(names)].join(' or ');
}

function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  const among = schema.anyOf ?? schema.oneOf;
  if (among) return among.flatMap(alternatives);
  if (schema.enum) return schema.enum.map((value) => ({ const: value, type: typeName(value) }));
  if ('const' in schema) return [{ const: schema.const, type: typeName(schema.const) }];
  if (Array.isArray(schema.type)) return schema.type.map((type: string) => ({ ...schema, type }));
  return [schema];
}

function fitsOne(given: JsonSchema, taken: JsonSchema): boolean {
  if (taken.type === undefined || given.type === undefined) return true;
  if (given.type !== taken.type && !(given.type === 'integer' && taken.type === 'number')) return false;
  if ('const' in given && 'const' in taken) return given.const === taken.const;
  if (given.type === 'array' && isSchema(given.items) && isSchema(taken.items)) return fits(given.items, taken.items);
  if (given.type === 'object') return fitsObject(given, taken);
  return true;
}

function fitsObject(given: JsonSchema, taken: JsonSchema): boolean {
  const has = given.properties;
  if (!has) return true;
  const missing = (taken.required ?? []).some((key) => !given.required?.includes(key) && !(given.additionalProperties !== false && !Object.hasOwn(has, key)));
  if (missing) return false;
  return Object.entries(taken.properties ?? {}).every(([key, schema]) => {
    const own = Object.hasOwn(has, key) ? has[key] : undefined;
    return own === undefined || fits(own, schema);
  });
}

function isSchema(value: JsonSchema | boolean | undefined): value is JsonSchema {
  return typeof value === 'object';
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}
