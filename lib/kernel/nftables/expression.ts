import type { NftExpression } from '../../model/ruleset.js';
import type { Bytes } from '../netlink-message.js';
import { Attributes, listOf, NotUnderstood, table } from './attributes.js';
import { hex } from './data.js';
import type { DecodeNested, ExpressionDecoder } from './expression-decoder.js';
import { bitwise, byteorder } from './expressions/arithmetic.js';
import { cmp, range } from './expressions/comparison.js';
import { hash, numgen } from './expressions/distribution.js';
import { dup, flowOffload, fwd } from './expressions/elsewhere.js';
import { ct, fib, meta, rt, socket } from './expressions/environment.js';
import { exthdr, payload } from './expressions/header.js';
import { connlimit, counter, last, limit, quota } from './expressions/meters.js';
import { masq, nat, redir, tproxy } from './expressions/nat.js';
import { log, notrack } from './expressions/notes.js';
import { dynset, lookup, objref } from './expressions/sets.js';
import { immediate, queue, reject, synproxy } from './expressions/verdicts.js';
import { match, target } from './expressions/xtables.js';

/** enum nft_expr_attributes */
const NFTA_EXPR = table('NFTA_EXPR', 'NAME', 'DATA');

/** By the name under which the kernel registers each (struct nft_expr_type). */
const DECODERS: ReadonlyMap<string, ExpressionDecoder> = new Map(
  Object.entries({
    bitwise,
    byteorder,
    cmp,
    connlimit,
    counter,
    ct,
    dup,
    dynset,
    exthdr,
    fib,
    flow_offload: flowOffload,
    fwd,
    hash,
    immediate,
    last,
    limit,
    log,
    lookup,
    masq,
    match,
    meta,
    nat,
    notrack,
    numgen,
    objref,
    payload,
    queue,
    quota,
    range,
    redir,
    reject,
    rt,
    socket,
    synproxy,
    target,
    tproxy,
  }),
);

/** The expressions of a list (NFTA_RULE_EXPRESSIONS and its like), in their order. */
export function decodeExpressions(list: Bytes): NftExpression[] {
  return listOf(list, decodeExpression);
}

/**
 * As `decodeExpressions`, for the lists of many rules: what is equal byte for byte, as the loads and
 * verdicts that most rules are made of, is read once, and is one object.
 */
export function expressionReader(): (list: Bytes) => NftExpression[] {
  const known = new Map<string, NftExpression>();
  const read = (bytes: Bytes): NftExpression => {
    const key = bytes.latin1();
    const met = known.get(key);
    if (met) return met;
    const made = decodeExpression(bytes);
    known.set(key, made);
    return made;
  };
  return (list) => listOf(list, read);
}

/** One expression: its name and what it says; one that is not understood is `unknown`. */
export function decodeExpression(bytes: Bytes): NftExpression {
  return decodeNamed(bytes, decodeNested);
}

/** What a named object's data say, read as the expression of this name. */
export function decodeAs(name: string, data: Bytes): NftExpression {
  return decode(name, data, unknownOf);
}

const decodeNested: DecodeNested = (bytes) => decodeNamed(bytes, unknownOf);

function decodeNamed(bytes: Bytes, nested: DecodeNested): NftExpression {
  const attributes = new Attributes(bytes, NFTA_EXPR);
  const name = attributes.text('NAME');
  // Not there for an expression without a dump function, as notrack.
  return decode(name, attributes.optional('DATA') ?? bytes.slice(bytes.length), nested);
}

function decode(name: string, data: Bytes, nested: DecodeNested): NftExpression {
  const decoder = DECODERS.get(name);
  if (!decoder) return { kind: 'unknown', name, data: hex(data) };
  try {
    return decoder(data, nested);
  } catch (error) {
    if (error instanceof NotUnderstood) return { kind: 'unknown', name, data: hex(data) };
    throw error;
  }
}

/** The kernel nests one level deep; whatever is deeper is kept as bytes. */
function unknownOf(bytes: Bytes): NftExpression {
  const attributes = new Attributes(bytes, NFTA_EXPR);
  const data = attributes.optional('DATA') ?? bytes.slice(bytes.length);
  return { kind: 'unknown', name: attributes.text('NAME'), data: hex(data) };
}
