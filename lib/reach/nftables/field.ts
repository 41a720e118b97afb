import type { NftExpression } from '../../model/ruleset.js';
import type { Family } from '../../model/socket.js';
import { META } from './expressions/meta.js';
import type { Evaluate, Run } from './run.js';

/** Bytes that rules compare, in an order of their own: up to four as a number, more as text. */
export type Key = number | string;

/** Not every bit of the value is known, or whether it is there. */
export const UNCERTAIN = -1;
/** There is no such value: a rule that loads it ends there. */
export const ABSENT = -2;

export function keyOf(bytes: Uint8Array, from: number, length: number): Key {
  if (length <= 4) {
    let key = 0;
    for (let index = from; index < from + length; index++) key = key * 256 + bytes[index]!;
    return key;
  }
  let key = '';
  for (let index = from; index < from + length; index++) key += String.fromCharCode(bytes[index]!);
  return key;
}

/** A value of a packet that rules compare: how it is loaded, and how much of it counts. */
export interface Field {
  readonly id: number;
  /** They load it into the first register. */
  readonly steps: readonly Evaluate[];
  readonly length: number;
  /** It may be made of the address of a peer. */
  readonly mayBePeers: boolean;
  /** It is the source's address in packets of this family, or what that begins with. */
  readonly sourceOf: Family | null;
  /** It is the protocol family. */
  readonly isFamily: boolean;
  /** Of a packet that has ports it is always known, or known not to be there. */
  readonly isSure: boolean;
}

/** The fields that the rules of one table compare, each once. */
export class Fields {
  readonly #known = new Map<string, Field>();

  constructor(private readonly compile: (expression: NftExpression) => Evaluate) {}

  /** `recipe`: a load into the first register, and what is done to it there. */
  of(recipe: readonly NftExpression[], length: number): Field {
    const text = `${length} ${JSON.stringify(recipe)}`;
    const known = this.#known.get(text);
    if (known) return known;
    const steps = recipe.map(this.compile);
    const [first] = recipe;
    const alone = recipe.length === 1 ? first! : null;
    const made = {
      id: this.#known.size,
      steps,
      length,
      mayBePeers: recipe.some(loadsAddress),
      sourceOf: alone && sourceOf(alone, length),
      isFamily: alone?.kind === 'meta' && alone.key === META.nfproto,
      isSure: alone !== null && isSure(alone),
    };
    this.#known.set(text, made);
    return made;
  }
}

/** Bytes where headers of IPv4 or of IPv6 have addresses. */
function loadsAddress(expression: NftExpression): boolean {
  if (expression.kind !== 'payload' || expression.base !== 'network') return false;
  return expression.offset < 40 && expression.offset + expression.length > 8;
}

/** Whose sources stand where an expression loads from. */
function sourceOf(expression: NftExpression, length: number): Family | null {
  if (expression.kind !== 'payload' || expression.base !== 'network') return null;
  if (expression.length !== length) return null;
  if (expression.offset === 12 && length <= 4) return 'ipv4';
  return expression.offset === 8 && length <= 16 ? 'ipv6' : null;
}

const sureMeta: ReadonlySet<number> = new Set([META.nfproto, META.l4proto]);

/** Addresses, ports, and the protocols of both. */
function isSure(expression: NftExpression): boolean {
  if (expression.kind === 'meta') return sureMeta.has(expression.key);
  if (expression.kind !== 'payload') return false;
  const { base, offset, length } = expression;
  return base === 'transport' ? offset + length <= 4 : loadsAddress(expression);
}

/** The values of one packet, each loaded when it is first asked for. */
export class FieldValues {
  /** Another one after each change to the packet. */
  version = 0;
  #values: (Key | undefined)[] = [];
  /** Those that are the port that is asked for: a bit for each field, the later ones in one. */
  #ports = 0;

  /** The packet was changed: what is known of it may not be so any more. */
  forget(): void {
    this.version++;
    this.#values = [];
    this.#ports = 0;
  }

  /** Is the field, whose value was asked for, the port that is asked for? */
  isPort({ id }: Field): boolean {
    return this.#ports !== 0 && (this.#ports & fieldBit(id)) !== 0;
  }

  /** The field's bytes, or UNCERTAIN, or ABSENT. Registers are overwritten. */
  of(field: Field, run: Run): Key {
    const known = this.#values[field.id];
    if (known !== undefined) return known;
    const value = load(field, run);
    this.#values[field.id] = value;
    if (run.registers.hasPort(0, field.length)) {
      if (field.length === 2) this.#ports |= fieldBit(field.id);
      else run.peer?.port?.blur();
    }
    return value;
  }
}

function fieldBit(id: number): number {
  return 1 << Math.min(id, 31);
}

function load({ steps, length }: Field, run: Run): Key {
  for (const step of steps) {
    const result = step(run);
    if (result === 'break') return ABSENT;
    if (result !== 'continue') return UNCERTAIN;
  }
  return run.registers.isKnown(0, length) ? keyOf(run.registers.bytes, 0, length) : UNCERTAIN;
}
