// Text of models as it can be stored: PostgreSQL takes neither NUL nor half of a surrogate pair, and what readers see while
// it streams must be what is stored. Pure.

/** Makes the pieces of one text storable, one after the other. */
export interface TextGate {
  /** What of the text so far can leave now; a piece may end in half of a pair, which waits for the next. */
  pass(piece: string): string;
  /** What still waited. */
  end(): string;
}

export function createTextGate(): TextGate {
  let waiting = '';
  return {
    pass(piece) {
      const text = waiting + piece;
      const last = text.charCodeAt(text.length - 1);
      waiting = last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : '';
      return storable(waiting === '' ? text : text.slice(0, -1));
    },
    end() {
      const rest = storable(waiting);
      waiting = '';
      return rest;
    },
  };
}

/** The same of every text within a value of JSON, names of fields included. */
export function storableJson(value: unknown): unknown {
  if (typeof value === 'string') return storable(value);
  if (Array.isArray(value)) return value.map(storableJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [storable(name), storableJson(each)]));
}

/** With U+FFFD in place of what cannot be stored. */
export function storable(text: string): string {
  const formed = text.isWellFormed() ? text : text.toWellFormed();
  return formed.includes('\0') ? formed.replaceAll('\0', '\uFFFD') : formed;
}
