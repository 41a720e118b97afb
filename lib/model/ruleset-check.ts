import type { NftExpression } from './ruleset.js';
import {
  bool,
  byte,
  int,
  isObject,
  listOf,
  oneOf,
  orNull,
  port,
  record,
  type Shape,
  shape,
  text,
  whole,
  word,
} from './shape.js';

/* The form of what lib/model/ruleset.ts holds. */

const amount = shape(
  'a number not below 0',
  (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0,
);
const handle = whole(0, Number.MAX_SAFE_INTEGER);
const register = whole(0, 15);
const registerOrNull = orNull(register);
const destination = shape(
  'a register from 0 to 15, or verdict',
  (value) => value === 'verdict' || register(value) === null,
);
const hex = shape(
  'bytes in hexadecimal',
  (value) => typeof value === 'string' && /^(?:[0-9a-f]{2})*$/.test(value),
);

const family = oneOf('ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev');
const ipFamily = oneOf('ipv4', 'ipv6');
const direction = orNull(oneOf('original', 'reply'));
const headers = oneOf('ipv6', 'tcpopt', 'ipv4', 'sctp', 'dccp');
const bases = oneOf('link', 'network', 'transport', 'inner', 'tunnel');

const simpleVerdict = record({
  code: oneOf('accept', 'drop', 'continue', 'break', 'return', 'queue', 'stolen'),
});
const chainVerdict = record({ code: oneOf('jump', 'goto'), chain: text });
const verdict: Shape = (value) =>
  isObject(value) && (value.code === 'jump' || value.code === 'goto')
    ? chainVerdict(value)
    : simpleVerdict(value);

const data: Shape = (value) =>
  isObject(value) && 'verdict' in value
    ? record({ verdict })(value)
    : record({ value: hex })(value);

const portRange = { portMin: registerOrNull, portMax: registerOrNull, flags: word };

const xtables = { name: text, revision: word, info: hex };

/** Another expression's list: a function, for it is the list of what is being defined. */
const expressions: Shape = (value) => listOf(expression)(value);

/** The fields of each kind. */
const FIELDS: Record<NftExpression['kind'], Record<string, Shape>> = {
  immediate: { destination, data },
  cmp: { source: register, op: oneOf('eq', 'neq', 'lt', 'lte', 'gt', 'gte'), data: hex },
  range: { source: register, op: oneOf('eq', 'neq'), from: hex, to: hex },
  bitwise: {
    source: register,
    source2: registerOrNull,
    destination: register,
    length: word,
    op: oneOf('mask-xor', 'lshift', 'rshift', 'and', 'or', 'xor'),
    mask: orNull(hex),
    xor: orNull(hex),
    data: orNull(hex),
  },
  byteorder: {
    source: register,
    destination: register,
    op: oneOf('ntoh', 'hton'),
    length: word,
    size: word,
  },
  payload: { destination: register, base: bases, offset: word, length: word },
  'payload-set': {
    source: register,
    base: bases,
    offset: word,
    length: word,
    checksumType: word,
    checksumOffset: word,
    checksumFlags: word,
  },
  meta: { destination: register, key: word },
  'meta-set': { source: register, key: word },
  ct: { destination: register, key: word, direction },
  'ct-set': { source: register, key: word, direction },
  rt: { destination: register, key: word },
  socket: { destination: register, key: word, level: word },
  fib: { destination: register, result: word, flags: word },
  exthdr: {
    destination: register,
    protocol: headers,
    type: byte,
    offset: word,
    length: word,
    flags: word,
  },
  'exthdr-set': { source: register, protocol: headers, type: byte, offset: word, length: word },
  lookup: { set: text, source: register, destination: orNull(destination), invert: bool },
  dynset: {
    set: text,
    op: oneOf('add', 'update', 'delete'),
    key: register,
    data: registerOrNull,
    timeout: amount,
    flags: word,
    expressions,
  },
  objref: { objectType: word, name: text },
  'objref-map': { set: text, source: register },
  counter: {},
  log: { prefix: text, group: orNull(port), level: orNull(word) },
  limit: { rate: amount, unitSeconds: amount, burst: word, bytes: bool, invert: bool },
  quota: { bytes: amount, consumed: amount, invert: bool },
  connlimit: { count: word, invert: bool },
  last: {},
  notrack: {},
  reject: { type: oneOf('icmp', 'tcp-reset', 'icmpx'), code: byte },
  nat: {
    type: oneOf('snat', 'dnat'),
    family: orNull(ipFamily),
    addressMin: registerOrNull,
    addressMax: registerOrNull,
    ...portRange,
  },
  masquerade: portRange,
  redirect: portRange,
  tproxy: { family: orNull(ipFamily), address: registerOrNull, port: registerOrNull },
  queue: { number: port, total: port, flags: word, source: registerOrNull },
  synproxy: {},
  'flow-offload': { table: text },
  dup: { address: registerOrNull, device: registerOrNull },
  fwd: { device: register, address: registerOrNull },
  hash: {
    source: registerOrNull,
    destination: register,
    length: word,
    modulus: word,
    seed: orNull(word),
    offset: word,
    type: oneOf('jenkins', 'symmetric'),
  },
  numgen: {
    destination: register,
    modulus: word,
    type: oneOf('incremental', 'random'),
    offset: word,
  },
  match: xtables,
  target: xtables,
  unknown: { name: text, data: hex },
};

const kind = record({ kind: oneOf(...Object.keys(FIELDS)) });
const byKind = new Map(Object.entries(FIELDS).map(([name, fields]) => [name, record(fields)]));

const expression: Shape = (value) =>
  kind(value) ?? byKind.get((value as NftExpression).kind)!(value);

/** Whole bytes in base64. */
const base64 = shape(
  'bytes in base64',
  (value) =>
    typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value),
);

const index = whole(-1, Number.MAX_SAFE_INTEGER);

const setFields = record({
  family,
  table: text,
  name: text,
  handle,
  flags: listOf(text),
  keyType: word,
  keyLength: whole(0, 64),
  fields: listOf(byte),
  dataType: orNull(word),
  dataLength: whole(0, 64),
  objectType: orNull(word),
  size: handle,
  keys: base64,
  keyEnds: orNull(base64),
  ends: orNull(base64),
  data: orNull(base64),
  verdictOf: orNull(listOf(index)),
  verdicts: listOf(verdict),
  objects: orNull(listOf(text)),
  catchall: orNull(record({ data: orNull(data), object: orNull(text), expressions })),
  expressionLists: listOf(expressions),
  expressionsOf: orNull(listOf(index)),
  expressions,
});

interface SetFields {
  size: number;
  keyLength: number;
  dataLength: number;
  keys: string;
  keyEnds: string | null;
  ends: string | null;
  data: string | null;
  verdictOf: number[] | null;
  verdicts: unknown[];
  objects: string[] | null;
  expressionLists: unknown[];
  expressionsOf: number[] | null;
}

/** A set whose columns are all as long as its size says, and whose indexes are within their lists. */
const set: Shape = (value) => {
  const problem = setFields(value);
  if (problem) return problem;
  const entry = value as SetFields;
  const bytes: [keyof SetFields, string | null, number][] = [
    ['keys', entry.keys, entry.size * entry.keyLength],
    ['keyEnds', entry.keyEnds, entry.size * entry.keyLength],
    ['ends', entry.ends, Math.ceil(entry.size / 8)],
    ['data', entry.data, entry.size * entry.dataLength],
  ];
  for (const [name, column, length] of bytes) {
    if (column === null || byteLength(column) === length) continue;
    return {
      path: [name],
      message: `is ${byteLength(column)} bytes, not the ${length} of ${entry.size} elements`,
    };
  }
  const rows: [keyof SetFields, unknown[] | null, number][] = [
    ['verdictOf', entry.verdictOf, entry.verdicts.length],
    ['objects', entry.objects, 0],
    ['expressionsOf', entry.expressionsOf, entry.expressionLists.length],
  ];
  for (const [name, column, limit] of rows) {
    if (column === null) continue;
    if (column.length !== entry.size) {
      return { path: [name], message: `has ${column.length} entries for ${entry.size} elements` };
    }
    const beyond = column.findIndex((at) => typeof at === 'number' && at >= limit);
    if (beyond < 0) continue;
    return { path: [name, beyond], message: `is ${String(column[beyond])} in a list of ${limit}` };
  }
  return null;
};

function byteLength(column: string): number {
  const padding = column.endsWith('==') ? 2 : column.endsWith('=') ? 1 : 0;
  return (column.length / 4) * 3 - padding;
}

/** The forms of the parts of a rule set. */
export const ruleset = {
  family,
  rule: record({ handle, expressions, comment: orNull(text) }),
  set,
  object: record({ family, table: text, name: text, type: word, expression: orNull(expression) }),
  flowtable: record({ family, table: text, name: text, priority: int, devices: listOf(text) }),
} as const;
