import type { NftExpression } from '../../model/ruleset.js';
import { CT } from './expressions/ct.js';
import { META } from './expressions/meta.js';
import { REGISTERS_SIZE } from './registers.js';

/** A stretch of the registers: the word it begins at and its bytes. */
export interface Stretch {
  readonly word: number;
  readonly length: number;
}

/** Registers are written in whole words. */
export const wholeWords = (length: number): number => (length + 3) & ~3;

/** What an expression reads of the registers and then writes to them, at least. */
export function registersOf(
  expression: NftExpression,
  keyLengthOf: (set: string) => number,
  dataLengthOf: (set: string) => number,
): { reads: Stretch[]; writes: Stretch | null } {
  switch (expression.kind) {
    case 'immediate': {
      const { destination, data } = expression;
      const isValue = destination !== 'verdict' && 'value' in data;
      return { reads: [], writes: isValue ? at(destination, data.value.length / 2) : null };
    }
    case 'cmp':
      return { reads: [at(expression.source, expression.data.length / 2)], writes: null };
    case 'range':
      return { reads: [at(expression.source, expression.from.length / 2)], writes: null };
    case 'bitwise': {
      const { source, source2, destination, length } = expression;
      const reads = [at(source, length), ...stretch(source2, length)];
      return { reads, writes: at(destination, length) };
    }
    case 'byteorder': {
      const { source, destination, length } = expression;
      return { reads: [at(source, length)], writes: at(destination, length) };
    }
    case 'payload':
      return { reads: [], writes: at(expression.destination, expression.length) };
    case 'meta':
      return { reads: [], writes: at(expression.destination, metaLength(expression.key)) };
    case 'ct':
      return { reads: [], writes: at(expression.destination, ctLength(expression.key)) };
    case 'exthdr': {
      const present = 1; // NFT_EXTHDR_F_PRESENT
      const { destination, length, flags } = expression;
      return { reads: [], writes: at(destination, (flags & present) !== 0 ? 1 : length) };
    }
    case 'fib': {
      const interfaceName = 2; // NFT_FIB_RESULT_OIFNAME
      const present = 32; // NFTA_FIB_F_PRESENT
      const { destination, result, flags } = expression;
      const isName = result === interfaceName && (flags & present) === 0;
      return { reads: [], writes: at(destination, isName ? 16 : 4) };
    }
    case 'rt':
    case 'socket':
      return { reads: [], writes: at(expression.destination, 4) };
    case 'numgen':
      return { reads: [], writes: at(expression.destination, 4) };
    case 'hash': {
      const { source, destination, length } = expression;
      return { reads: stretch(source, length), writes: at(destination, 4) };
    }
    case 'lookup': {
      const { set, source, destination } = expression;
      const writes = typeof destination === 'number' ? at(destination, dataLengthOf(set)) : null;
      return { reads: [at(source, keyLengthOf(set))], writes };
    }
    case 'dynset': {
      const { set, key, data } = expression;
      const reads = [at(key, keyLengthOf(set)), ...stretch(data, dataLengthOf(set))];
      return { reads, writes: null };
    }
    case 'objref-map':
      return { reads: [at(expression.source, keyLengthOf(expression.set))], writes: null };
    case 'meta-set':
    case 'ct-set':
      return { reads: [at(expression.source, 4)], writes: null };
    case 'payload-set':
    case 'exthdr-set':
      return { reads: [at(expression.source, expression.length)], writes: null };
    case 'nat': {
      const { addressMin, addressMax, portMin, portMax } = expression;
      return { reads: words(addressMin, addressMax, portMin, portMax), writes: null };
    }
    case 'masquerade':
    case 'redirect':
      return { reads: words(expression.portMin, expression.portMax), writes: null };
    case 'tproxy':
      return { reads: words(expression.address, expression.port), writes: null };
    case 'dup':
      return { reads: words(expression.address, expression.device), writes: null };
    case 'fwd':
      return { reads: words(expression.device, expression.address), writes: null };
    case 'queue':
      return { reads: words(expression.source), writes: null };
    case 'objref':
    case 'counter':
    case 'log':
    case 'limit':
    case 'quota':
    case 'connlimit':
    case 'last':
    case 'notrack':
    case 'reject':
    case 'synproxy':
    case 'flow-offload':
    case 'match':
    case 'target':
    case 'unknown':
      return { reads: [], writes: null };
  }
}

/** Does each rule load what it reads? Linux refuses rules that do not, since it tracks registers. */
export function loadsWhatItReads(
  expressions: readonly NftExpression[],
  keyLengthOf: (set: string) => number,
  dataLengthOf: (set: string) => number,
): boolean {
  let written = 0;
  for (const expression of expressions) {
    const { reads, writes } = registersOf(expression, keyLengthOf, dataLengthOf);
    const all = writes ? [...reads, writes] : reads;
    if (!all.every(isInside)) return false; // a spoiled capture
    if (reads.some((one) => (wordsOf(one) & ~written) !== 0)) return false;
    if (writes) written |= wordsOf(writes);
  }
  return true;
}

function isInside({ word, length }: Stretch): boolean {
  return word >= 0 && word * 4 + wholeWords(length) <= REGISTERS_SIZE;
}

/** A bit for each word. */
function wordsOf({ word, length }: Stretch): number {
  let bits = 0;
  for (let offset = 0; offset < wholeWords(length); offset += 4) bits |= 1 << (word + offset / 4);
  return bits;
}

function at(word: number, length: number): Stretch {
  return { word, length };
}

function stretch(word: number | null, length: number): Stretch[] {
  return word === null ? [] : [at(word, length)];
}

function words(...all: (number | null)[]): Stretch[] {
  return all.flatMap((word) => stretch(word, 4));
}

function metaLength(key: number): number {
  switch (key) {
    case META.iifname:
    case META.oifname:
    case META.sdifname:
    case META.iifkind:
    case META.oifkind:
      return 16;
    case META.time:
      return 8;
    default:
      return 4;
  }
}

/** Addresses by the old keys are as long as the packet's family has them. */
function ctLength(key: number): number {
  switch (key) {
    case CT.srcIp6:
    case CT.dstIp6:
    case CT.labels:
      return 16;
    case CT.pkts:
    case CT.bytes:
    case CT.avgpkt:
      return 8;
    default:
      return 4;
  }
}
