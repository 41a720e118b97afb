import { type Address, bitsOf, parseAddress } from './address.js';
import type { Family } from './socket.js';

/** What is wrong with a value, and where in it: the path from the outside in. */
export interface Problem {
  path: (string | number)[];
  /** What is there and what should be, as `'10.0.0', not an IP address`. */
  message: string;
}

/** Looks at a value of unknown form: `null` where it is of the form meant. */
export type Shape = (value: unknown) => Problem | null;

/** A path as JavaScript writes it: `interfaces[2].name`. */
export function formatPath(path: readonly (string | number)[]): string {
  return path
    .map((step) =>
      typeof step === 'number'
        ? `[${step}]`
        : /^\w+$/.test(step)
          ? `.${step}`
          : `[${JSON.stringify(step)}]`,
    )
    .join('')
    .replace(/^\./, '');
}

/** A value as a message shows it: on one line, cut where it is long. */
export function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function not(value: unknown, what: string): Problem {
  return { path: [], message: `is ${show(value)}, not ${what}` };
}

/** A form by a test and its name, as `a number`. */
export function shape(what: string, holds: (value: unknown) => boolean): Shape {
  return (value) => (holds(value) ? null : not(value, what));
}

export const text = shape('text', (value) => typeof value === 'string');
export const bool = shape('true or false', (value) => typeof value === 'boolean');

/** A whole number from one to another, both included. */
export function whole(from: number, to: number): Shape {
  return shape(
    `a whole number from ${from} to ${to}`,
    (value) => Number.isInteger(value) && (value as number) >= from && (value as number) <= to,
  );
}

export const byte = whole(0, 255);
export const port = whole(0, 65535);
export const word = whole(0, 0xffffffff);
/** The kernel's int. */
export const int = whole(-0x80000000, 0xffffffff);

export function oneOf(...values: readonly string[]): Shape {
  return shape(`one of ${values.join(', ')}`, (value) => values.includes(value as string));
}

export function orNull(inner: Shape): Shape {
  return (value) => (value === null ? null : inner(value));
}

export function optional(inner: Shape): Shape {
  return (value) => (value === undefined ? null : inner(value));
}

export function listOf(inner: Shape): Shape {
  return (value) => {
    if (!Array.isArray(value)) return not(value, 'a list');
    for (const [index, item] of value.entries()) {
      const problem = inner(item);
      if (problem) return { ...problem, path: [index, ...problem.path] };
    }
    return null;
  };
}

/** An object with at least these fields; `also` looks at them together once each is right. */
export function record(fields: Record<string, Shape>, also?: Shape): Shape {
  const entries = Object.entries(fields);
  return (value) => {
    if (!isObject(value)) return not(value, 'an object');
    for (const [key, inner] of entries) {
      const problem = inner(Object.hasOwn(value, key) ? value[key] : undefined);
      if (problem) return { ...problem, path: [key, ...problem.path] };
    }
    return also?.(value) ?? null;
  };
}

/** An object of any keys with values of one form. */
export function dictionary(inner: Shape): Shape {
  return (value) => {
    if (!isObject(value)) return not(value, 'an object');
    for (const [key, item] of Object.entries(value)) {
      const problem = inner(item);
      if (problem) return { ...problem, path: [key, ...problem.path] };
    }
    return null;
  };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const address = shape('an IP address', (value) => parsed(value) !== null);

/** A prefix in CIDR notation, its length written out. */
export const prefix = shape(
  'a prefix such as 192.0.2.0/24',
  (value) => prefixFamily(value) !== null,
);

/** The family of an address text; `null` where it is none. */
export function addressFamily(value: unknown): Family | null {
  return parsed(value)?.family ?? null;
}

/** The family of a prefix text; `null` where it is none. */
export function prefixFamily(value: unknown): Family | null {
  if (typeof value !== 'string') return null;
  const [base, length, ...rest] = value.split('/');
  const family = addressFamily(base);
  if (!family || length === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length)) return null;
  return Number(length) <= bitsOf(family) ? family : null;
}

function parsed(value: unknown): Address | null {
  return typeof value === 'string' ? parseAddress(value) : null;
}
