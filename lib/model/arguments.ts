import { EarshotError } from '../errors.js';

/** The error for an argument that is not of its form. */
export function invalid(message: string): EarshotError {
  return new EarshotError('ERR_INVALID_ARGUMENT', message);
}

/** A value as a message shows it: as JavaScript writes it, short, on one line. */
export function show(value: unknown): string {
  const text = written(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function written(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'string') {
    return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
  }
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return 'an object'; // it contains itself, or a bigint
  }
}

/**
 * Refuses what is not a plain object, and a key that is not one of `keys`: a misspelled key that
 * was ignored would answer another question than the one asked.
 */
export function checkKeys(value: object, what: string, keys: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${what} is ${show(value)}, not an object`);
  }
  // Not Object.keys(), which makes an array: a flow is checked some 200,000 times a second.
  for (const key in value) {
    if (keys.includes(key)) continue;
    const near = nearest(key, keys);
    throw invalid(
      `${what} has no key '${key}': ${near ? `did you mean '${near}'?` : `there are ${keys.join(', ')}`}`,
    );
  }
}

/** Refuses what is not one of a closed set. */
export function checkOneOf<Value extends string>(
  value: unknown,
  what: string,
  values: readonly Value[],
): Value {
  if (values.includes(value as Value)) return value as Value;
  const near = typeof value === 'string' ? nearest(value, values) : null;
  throw invalid(
    `${what} is ${show(value)}${near ? ` (did you mean '${near}'?)` : ''}: there are ${values.join(', ')}`,
  );
}

/** The candidate that a misspelled word is nearest to, or `null` where none is near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** How many letters must be changed, put in or taken out (Levenshtein). */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const swap = row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[other.length]!;
}
