import { type Address, parseAddress } from '#earshot/model/address.js';
import type { Nftables, NftChain } from '#earshot/model/firewall.js';
import type { NftExpression, NftRule, NftSet, NftVerdict } from '#earshot/model/ruleset.js';
import { Connection } from '#earshot/reach/nftables/connection.js';
import type { Frame } from '#earshot/reach/nftables/frame.js';
import { makeFrame } from '#earshot/reach/nftables/headers.js';
import { host, setOf } from './run.js';

/* Rule sets and packets by chance, in which the same few values come again and again. */

export type Random = (below: number) => number;

const pick = <Value>(random: Random, values: readonly Value[]): Value =>
  values[random(values.length)]!;

export const verdict = (said: NftVerdict): NftExpression => ({
  kind: 'immediate',
  destination: 'verdict',
  data: { verdict: said },
});
export const meta = (key: number, destination: number): NftExpression => ({
  kind: 'meta',
  destination,
  key,
});
export const payload = (
  base: 'network' | 'transport',
  offset: number,
  length: number,
  destination: number,
): NftExpression => ({ kind: 'payload', destination, base, offset, length });
export const cmp = (
  source: number,
  data: string,
  op: 'eq' | 'neq' | 'lt' | 'gte' = 'eq',
): NftExpression => ({ kind: 'cmp', source, op, data });

const ipv4Addresses = ['0a000001', '0a000002', '0a000103', 'c0a80114', 'c0a8010a'];
const ipv6Addresses = [
  '20010db8000100000000000000000020',
  '20010db8000100000000000000000010',
  'fd000000000000000000000000000001',
];
const ports = ['0016', '0050', '01bb', '9c40', '9c41'];
const names = ['eth0', 'eth1', 'lo'].map((name) =>
  Buffer.from(name.padEnd(16, '\0')).toString('hex'),
);

const KINDS = 16;

/** A comparison of one kind of sixteen; some of them nobody can decide. */
function comparison(random: Random, kind: number): NftExpression[] {
  const word = pick(random, [0, 4, 8]);
  const op = pick(random, ['eq', 'eq', 'eq', 'eq', 'neq', 'lt', 'gte'] as const);
  const port = (): string => pick(random, ports);
  switch (kind) {
    case 0:
    case 1: {
      const length = pick(random, [4, 4, 3, 2]);
      const offset = pick(random, [12, 16]);
      const data = pick(random, ipv4Addresses).slice(0, 2 * length);
      return [payload('network', offset, length, word), cmp(word, data, op)];
    }
    case 2: {
      const masks = { mask: 'fffffe00', xor: '00000000', data: null };
      const registers = { source: word, source2: null, destination: word };
      return [
        payload('network', pick(random, [12, 16]), 4, word),
        { kind: 'bitwise', ...registers, length: 4, op: 'mask-xor', ...masks },
        cmp(word, pick(random, ['0a000000', 'c0a80000']), op),
      ];
    }
    case 3:
    case 4: {
      const address = pick(random, ipv6Addresses);
      return [
        meta(15, 0),
        cmp(0, '0a'),
        payload('network', pick(random, [8, 24]), 16, word),
        cmp(word, address, op),
      ];
    }
    case 5:
      return [meta(15, 0), cmp(0, pick(random, ['02', '0a']))];
    case 6:
    case 7:
      return [
        meta(16, 0),
        cmp(0, pick(random, ['06', '11'])),
        payload('transport', pick(random, [0, 2]), 2, word),
        cmp(word, port(), op),
      ];
    case 8: {
      const [from, to] = [port(), port()].sort() as [string, string];
      const said = pick(random, ['eq', 'eq', 'neq'] as const);
      return [
        payload('transport', 2, 2, word),
        { kind: 'range', source: word, op: said, from, to },
      ];
    }
    case 9:
      return [meta(6, word), cmp(word, pick(random, names), op)];
    case 10:
      return [
        meta(3, word),
        cmp(word, pick(random, ['00000000', '01000000', '02000000', '03000000']), op),
      ];
    case 11:
      return [
        { kind: 'ct', destination: word, key: pick(random, [0, 3]), direction: null },
        cmp(word, pick(random, ['00000000', '01000000', '02000000', '08000000']), op),
      ];
    case 12: // the time to live, and a sequence number
      return pick(random, [
        [payload('network', 8, 1, word), cmp(word, pick(random, ['3f', '40', '80']), op)],
        [
          payload('transport', 4, 4, word),
          cmp(word, pick(random, ['00000000', '00000001', '00000002']), op),
        ],
      ]);
    case 13:
    case 14: {
      const set = pick(random, ['ports', 'spans', 'changed', 'limited', 'verdicts', 'rest']);
      const destination = set === 'verdicts' ? ('verdict' as const) : null;
      const invert = destination === null && random(4) === 0;
      return [
        payload('transport', pick(random, [0, 2]), 2, word),
        { kind: 'lookup', set, source: word, destination, invert },
      ];
    }
    default:
      return [
        payload('network', 12, 4, 0),
        payload('transport', 2, 2, 1),
        { kind: 'lookup', set: 'pairs', source: 0, destination: null, invert: false },
      ];
  }
}

/** What rules do between comparisons and at their end. */
function statement(random: Random): NftExpression[] {
  const word = 12;
  const value: NftExpression = {
    kind: 'immediate',
    destination: word,
    data: { value: pick(random, ['01000000', '02000000']) },
  };
  switch (random(14)) {
    case 0:
      return [value, { kind: 'meta-set', source: word, key: 3 }];
    case 1:
      return [value, { kind: 'ct-set', source: word, key: 3, direction: null }];
    case 2:
      return [{ kind: 'notrack' }];
    case 3: {
      const limit = { rate: 1, unitSeconds: 1, burst: 5, bytes: false, invert: false };
      return [{ kind: 'limit', ...limit }];
    }
    case 4:
      return [
        payload('transport', 2, 2, word),
        {
          kind: 'dynset',
          set: 'changed',
          op: pick(random, ['add', 'delete'] as const),
          key: word,
          data: null,
          timeout: 0,
          flags: 0,
          expressions: [],
        },
      ];
    case 5:
      return random(4) === 0 ? [{ kind: 'unknown', name: 'new', data: '' }] : [];
    case 6:
      return [{ kind: 'log', prefix: '', group: null, level: null }];
    case 7: {
      const checksum = { checksumType: 0, checksumOffset: 0, checksumFlags: 0 };
      return [
        value,
        { kind: 'payload-set', source: word, base: 'network', offset: 8, length: 1, ...checksum },
      ];
    }
    default:
      return [{ kind: 'counter' }];
  }
}

/** A rule of a set in which a few kinds of comparisons prevail, as in those that people write. */
function ruleOf(
  random: Random,
  handle: number,
  targets: readonly string[],
  kinds: readonly number[],
): NftRule {
  const expressions: NftExpression[] = [];
  const compare = (): void => {
    expressions.push(...comparison(random, random(8) === 0 ? random(KINDS) : pick(random, kinds)));
  };
  for (let count = random(8) === 0 ? 0 : 1 + random(2); count > 0; count--) compare();
  if (random(3) === 0) expressions.push(...statement(random));
  if (random(6) === 0) compare();
  const end = random(10);
  if (end < 2) expressions.push(verdict({ code: pick(random, ['accept', 'drop']) }));
  else if (end < 6 && targets.length > 0)
    expressions.push(
      verdict({ code: pick(random, ['jump', 'jump', 'goto']), chain: pick(random, targets) }),
    );
  else if (end === 6) expressions.push(verdict({ code: 'return' }));
  else expressions.push(...statement(random));
  return { handle, expressions, comment: null };
}

const set = (name: string, keys: string[], changes: Partial<NftSet> = {}): NftSet =>
  setOf(keys, { name, ...changes });

const connlimit: NftExpression = { kind: 'connlimit', count: 3, invert: false };

const sets: NftSet[] = [
  set('ports', ['0016', '01bb']),
  // [22, 80) [80, 443) and from 40001 on
  set('spans', ['0016', '0050', '0050', '01bb', '9c41'], {
    flags: ['interval'],
    ends: Buffer.of(0b01010).toString('base64'),
  }),
  set('changed', ['0016', '0050']),
  set('limited', ['0050', '9c40'], {
    expressionLists: [[connlimit]],
    expressionsOf: [0, -1],
    expressions: [connlimit],
  }),
  set('verdicts', ['0050', '9c40'], {
    flags: ['map'],
    dataType: 0xffffff00,
    verdicts: [{ code: 'continue' }, { code: 'jump', chain: 'c2' }],
    verdictOf: [0, 1],
  }),
  set('rest', ['0050'], { catchall: { data: null, object: null, expressions: [] } }),
  set('pairs', ['0a00000100500000', 'c0a8011401bb0000'].sort(), { fields: [4, 2] }),
];

/** A table of a base chain and two that it jumps to, and its sets. */
export function ruleSet(random: Random): Nftables {
  const base: NftChain['base'] = {
    hook: 'input',
    priority: 0,
    policy: 'accept',
    type: 'filter',
    devices: [],
  };
  const sizes = [8 + random(60), 8 + random(12), random(8)];
  const kinds = Array.from({ length: 1 + random(3) }, () => random(KINDS));
  let handle = 0;
  const chains = sizes.map((size, number): NftChain => {
    // A chain jumps to those behind it, so that every walk ends.
    const targets = ['c0', 'c1', 'c2'].slice(number + 1);
    const rules = Array.from({ length: size }, () => ruleOf(random, ++handle, targets, kinds));
    const names = { family: 'inet', table: 't', name: `c${number}` } as const;
    return { ...names, handle: number, base: number === 0 ? base : null, rules };
  });
  return {
    generation: 1,
    byteOrder: 'little',
    tables: [{ family: 'inet', name: 't', handle: 1, flags: [] }],
    chains,
    sets,
    objects: [],
    flowtables: [],
  };
}

/** Rules that all ask for a port, and some of them for a peer: what an index sorts by port. */
export function portRules(random: Random): Nftables {
  const nftables = ruleSet(random);
  const two = (port: number): string => port.toString(16).padStart(4, '0');
  const rules = Array.from({ length: 20 + random(40) }, (_, handle): NftRule => {
    const port = pick(random, [21, 22, 80, 81, 443, 3000, 40000]);
    const peer = [payload('network', 12, 4, 0), cmp(0, pick(random, ipv4Addresses))];
    const range = { from: two(port), to: two(port + random(3)) };
    const expressions: NftExpression[] = [
      ...(random(2) === 0 ? [meta(15, 0), cmp(0, pick(random, ['02', '0a']))] : []),
      ...(random(2) === 0 ? [meta(16, 0), cmp(0, pick(random, ['06', '11']))] : []),
      payload('transport', 2, 2, 0),
      random(3) === 0 ? { kind: 'range', source: 0, op: 'eq', ...range } : cmp(0, two(port)),
      ...(random(2) === 0 ? peer : []),
      verdict({ code: pick(random, ['accept', 'drop']) }),
    ];
    return { handle: handle + 1, expressions, comment: null };
  });
  const [first] = nftables.chains;
  const base = { ...first!.base!, policy: pick(random, ['accept', 'drop'] as const) };
  return { ...nftables, chains: [{ ...first!, base, rules }] };
}

/** Addresses that rules and packets have. */
export const texts = {
  ipv4: ['10.0.0.1', '10.0.0.2', '10.0.1.3', '192.168.1.20', '192.168.1.10', '172.16.0.1'],
  ipv6: ['2001:db8:1::20', '2001:db8:1::10', 'fd00::1', 'fd00::2'],
} as const;

/** The same packet each time it is called, but for the address of who sends it. */
export function packetOf(random: Random): (source?: Address) => Frame {
  const family = pick(random, ['ipv4', 'ipv6'] as const);
  const address = () => parseAddress(pick(random, texts[family]))!;
  const port = () => pick(random, [22, 40, 80, 100, 443, 3000, 40000, 40001, 50000]);
  const tuple = {
    source: address(),
    sourcePort: port(),
    destination: address(),
    destinationPort: port(),
  };
  const kind = pick(random, ['syn', 'syn', 'ack', 'syn-ack', 'udp', 'udp', 'icmp-error'] as const);
  const ttl = pick(random, [null, 64]);
  const mark = pick(random, [0, 1, null]);
  const device = host.devices.get(pick(random, ['eth0', 'lo']))!;
  const tracked = random(3);
  return (source = tuple.source) => {
    const ends = { ...tuple, source };
    const frame = makeFrame(kind, family, ends, { ttl, mtu: 1500 }, false);
    frame.input = device;
    frame.mark = mark;
    const connection = Connection.of(frame.tuple, frame.protocol, 0);
    if (tracked === 1) frame.tracking = { connection, state: 'new', direction: 'original' };
    if (tracked === 2) frame.tracking = 'untracked';
    return frame;
  };
}
