import type { NftExpression } from '../../model/ruleset.js';
import { effectOf, type XtExpression } from '../xtables/compile.js';
import { bitwise } from './expressions/bitwise.js';
import { byteorder } from './expressions/byteorder.js';
import { cmp } from './expressions/cmp.js';
import { ct, ctSet, notrack } from './expressions/ct.js';
import { dynset } from './expressions/dynset.js';
import { exthdr, exthdrSet } from './expressions/exthdr.js';
import { fib } from './expressions/fib.js';
import { immediate } from './expressions/immediate.js';
import { type ElementExpressions, lookup } from './expressions/lookup.js';
import { meta, metaSet } from './expressions/meta.js';
import { masquerade, nat, redirect } from './expressions/nat.js';
import { payload } from './expressions/payload.js';
import { payloadSet } from './expressions/payload-set.js';
import { range } from './expressions/range.js';
import { reject } from './expressions/reject.js';
import { registersOf } from './reads.js';
import { REGISTERS_SIZE } from './registers.js';
import type { Evaluate } from './run.js';
import type { CompiledSet } from './sets.js';

/** What the expressions of a table name: its sets and objects. */
export interface Names {
  set(name: string): CompiledSet | null;
  /** The expression an object acts as; null for one that never stops a packet, undefined for none. */
  object(type: number | null, name: string): NftExpression | null | undefined;
  /** A match or target of xtables, ready to be asked. */
  extension(expression: XtExpression): Evaluate;
}

const pass: Evaluate = () => 'continue';
const may: Evaluate = () => 'may';
const unknown: Evaluate = () => 'unknown';

/** An expression made ready to be asked. */
export function compile(expression: NftExpression, names: Names): Evaluate {
  if (!fitsRegisters(expression)) return unknown;
  const evaluate = evaluatorOf(expression, names);
  const watched = asksPeersItself(expression) ? evaluate : blurring(expression, names, evaluate);
  return asksPortsItself(expression) ? watched : blurringPort(expression, names, watched);
}

/** What it asks of a peer's address it notes itself, or it gives every peer the same answer. */
function asksPeersItself(expression: NftExpression): boolean {
  switch (expression.kind) {
    case 'cmp':
    case 'range':
    case 'lookup':
    case 'hash':
    case 'dynset':
      return true;
    case 'bitwise':
      return expression.op === 'mask-xor';
    default:
      return false;
  }
}

/** What it asks of a port it notes itself. */
function asksPortsItself({ kind }: NftExpression): boolean {
  return kind === 'cmp' || kind === 'range' || kind === 'lookup';
}

/** These may exchange the port, or ask for what belongs to it. */
const exchanging: ReadonlySet<NftExpression['kind']> = new Set([
  'nat',
  'masquerade',
  'redirect',
  'tproxy',
  'payload-set',
  'socket',
]);

/** Where it reads or exchanges the port that is asked for, no port fares like another one. */
function blurringPort(expression: NftExpression, names: Names, evaluate: Evaluate): Evaluate {
  const { reads } = readsOf(expression, names);
  const exchanges = exchanging.has(expression.kind);
  if (reads.length === 0 && !exchanges) return evaluate;
  return (run) => {
    const port = run.peer?.port;
    if (
      port &&
      (exchanges || reads.some(({ word, length }) => run.registers.hasPort(word, length)))
    )
      port.blur();
    return evaluate(run);
  };
}

function readsOf(expression: NftExpression, names: Names): ReturnType<typeof registersOf> {
  return registersOf(
    expression,
    (set) => names.set(set)?.keyLength ?? 0,
    (set) => names.set(set)?.set.dataLength ?? 0,
  );
}

/** Where it reads the peer's address, what it makes of it is told by no range of addresses. */
function blurring(expression: NftExpression, names: Names, evaluate: Evaluate): Evaluate {
  const { reads } = readsOf(expression, names);
  if (reads.length === 0) return evaluate;
  return (run) => {
    if (run.peer && reads.some(({ word, length }) => run.registers.hasPeer(word, length))) {
      run.looksAtPeer();
    }
    return evaluate(run);
  };
}

function evaluatorOf(expression: NftExpression, names: Names): Evaluate {
  switch (expression.kind) {
    case 'immediate':
      return immediate(expression);
    case 'cmp':
      return cmp(expression);
    case 'range':
      return range(expression);
    case 'bitwise':
      return bitwise(expression);
    case 'byteorder':
      return byteorder(expression);
    case 'payload':
      return payload(expression);
    case 'payload-set':
      return payloadSet(expression);
    case 'meta':
      return meta(expression);
    case 'meta-set':
      return metaSet(expression);
    case 'ct':
      return ct(expression);
    case 'ct-set':
      return ctSet(expression);
    case 'exthdr':
      return exthdr(expression);
    case 'exthdr-set':
      return exthdrSet(expression);
    case 'fib':
      return fib(expression);
    case 'lookup': {
      const set = names.set(expression.set);
      return set ? lookup(expression, set, elementExpressions(set, names)) : unknown;
    }
    case 'dynset': {
      const elements = expression.expressions.map((one) => compile(one, names));
      return dynset(expression, names.set(expression.set), elements);
    }
    case 'objref':
      return compileObject(names.object(expression.objectType, expression.name), names);
    case 'objref-map': {
      const set = names.set(expression.set);
      return set ? objectOfMap(expression.source, set, names) : unknown;
    }
    case 'reject':
      return reject(expression);
    case 'nat':
      return nat(expression);
    case 'masquerade':
      return masquerade(expression);
    case 'redirect':
      return redirect(expression);
    case 'notrack':
      return notrack();
    case 'counter':
    case 'log':
    case 'last':
    case 'dup':
    case 'flow-offload': // for packets of established connections only
      return pass;
    case 'limit':
    case 'quota':
    case 'connlimit':
      return may;
    case 'rt':
      return ({ registers }) => {
        registers.storeUnknown(expression.destination, 16);
        return 'may';
      };
    case 'socket':
      return ({ registers }) => {
        registers.storeUnknown(expression.destination, expression.key === 3 ? 8 : 4);
        return 'may';
      };
    case 'hash':
    case 'numgen':
      return ({ registers }) => {
        registers.storeUnknown(expression.destination, 4);
        return 'continue';
      };
    case 'queue':
      return (run) => {
        // The program that is asked says accept or drop; without one the packet is dropped.
        run.verdict = { code: run.choose(2) === 0 ? 'accept' : 'drop' };
        return 'verdict';
      };
    case 'match':
    case 'target':
      return names.extension(expression);
    case 'tproxy':
    case 'synproxy':
    case 'fwd':
    case 'unknown':
      return unknown;
  }
}

/** What runs with each element; null where no element has anything. */
function elementExpressions(set: CompiledSet, names: Names): ElementExpressions | null {
  const { expressionLists, expressionsOf, catchall } = set.set;
  const ready = (list: readonly NftExpression[]) => list.map((one) => compile(one, names));
  const lists = expressionLists.map(ready);
  const rest = ready(catchall?.expressions ?? []);
  if (lists.length + rest.length === 0) return null;
  return (place) => (place === -2 ? rest : (lists[expressionsOf?.[place] ?? -1] ?? []));
}

function compileObject(expression: NftExpression | null | undefined, names: Names): Evaluate {
  if (expression === undefined) return unknown;
  return expression === null ? pass : compile(expression, names);
}

function objectOfMap(source: number, set: CompiledSet, names: Names): Evaluate {
  return (run) => {
    const { registers } = run;
    if (!registers.isKnown(source, set.keyLength) || run.touched.has(set)) return 'unknown';
    const place = set.find(registers.bytes, source * 4);
    if (place === -1) return 'break';
    const name = set.objectOf(place);
    const object = name === null ? undefined : names.object(set.set.objectType, name);
    return object === undefined ? 'unknown' : compileObject(object, names)(run);
  };
}

/** Registers of a spoiled capture may lie outside of the 64 bytes there are. */
function fitsRegisters(expression: NftExpression): boolean {
  const fits = (word: number | string | null | undefined, length: number): boolean =>
    typeof word !== 'number' || (word >= 0 && word * 4 + length <= REGISTERS_SIZE);
  const length = 'length' in expression ? expression.length : 4;
  if (expression.kind === 'cmp') return fits(expression.source, expression.data.length / 2);
  if (expression.kind === 'immediate')
    return (
      'verdict' in expression.data || fits(expression.destination, expression.data.value.length / 2)
    );
  if (expression.kind === 'range') return fits(expression.source, expression.from.length / 2);
  if (expression.kind === 'hash') return fits(expression.destination, 4);
  const destination = 'destination' in expression ? expression.destination : null;
  const source = 'source' in expression ? expression.source : null;
  return fits(destination, length) && fits(source, length);
}

/**
 * Can the expression do something to the packet, beyond letting the rule go on or not? A rule is
 * not followed behind the last one that can.
 */
export function hasEffect(expression: NftExpression): boolean {
  switch (expression.kind) {
    case 'immediate':
      return 'verdict' in expression.data && expression.data.verdict.code !== 'continue';
    case 'lookup':
      return expression.destination === 'verdict';
    case 'cmp':
    case 'range':
    case 'bitwise':
    case 'byteorder':
    case 'payload':
    case 'meta':
    case 'ct':
    case 'rt':
    case 'socket':
    case 'fib':
    case 'exthdr':
    case 'counter':
    case 'log':
    case 'last':
    case 'limit':
    case 'quota':
    case 'connlimit':
    case 'hash':
    case 'numgen':
    case 'dup':
    case 'match':
      return false;
    case 'target':
      return effectOf(expression.name) !== 'nothing';
    default:
      return true;
  }
}

/** Can the rules behind it see the packet, or the sets, otherwise than before? */
export function changesPacket(expression: NftExpression): boolean {
  switch (expression.kind) {
    // These speak a verdict, or concern packets that come later.
    case 'immediate':
    case 'lookup':
    case 'flow-offload':
    case 'reject':
      return false;
    case 'target':
      return effectOf(expression.name) === 'changes';
    default:
      return hasEffect(expression);
  }
}
