import test from 'ava';
import { type Address, parseAddress } from '#earshot/model/address.js';
import type { Nftables, NftChain } from '#earshot/model/firewall.js';
import { addressToNumber } from '#earshot/model/prefix-set.js';
import type { NftExpression, NftRule, NftSet, NftVerdict } from '#earshot/model/ruleset.js';
import { type ChainRun, runChain } from '#earshot/reach/nftables/chain.js';
import { Connection } from '#earshot/reach/nftables/connection.js';
import { FieldValues } from '#earshot/reach/nftables/field.js';
import type { Frame } from '#earshot/reach/nftables/frame.js';
import { makeFrame } from '#earshot/reach/nftables/headers.js';
import { PeerWatch } from '#earshot/reach/nftables/peer-watch.js';
import { Registers } from '#earshot/reach/nftables/registers.js';
import { type CompiledChain, type CompiledRule, Ruleset } from '#earshot/reach/nftables/ruleset.js';
import type { CompiledSet } from '#earshot/reach/nftables/sets.js';
import { randomFrom } from '../../native/support.js';
import { host } from './support/run.js';

/* Holding a packet against the rules that the index chooses is holding it against every rule. */

type Random = (below: number) => number;

const pick = <Value>(random: Random, values: readonly Value[]): Value =>
  values[random(values.length)]!;

const verdict = (said: NftVerdict): NftExpression => ({
  kind: 'immediate',
  destination: 'verdict',
  data: { verdict: said },
});
const meta = (key: number, destination: number): NftExpression => ({
  kind: 'meta',
  destination,
  key,
});
const payload = (
  base: 'network' | 'transport',
  offset: number,
  length: number,
  destination: number,
): NftExpression => ({ kind: 'payload', destination, base, offset, length });
const cmp = (
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

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

function set(name: string, keys: string[], changes: Partial<NftSet> = {}): NftSet {
  return {
    family: 'inet',
    table: 't',
    name,
    handle: 1,
    flags: [],
    keyType: 0,
    keyLength: keys[0]!.length / 2,
    fields: [],
    dataType: null,
    dataLength: 0,
    objectType: null,
    size: keys.length,
    keys: base64(keys.join('')),
    keyEnds: null,
    ends: null,
    data: null,
    verdictOf: null,
    verdicts: [],
    objects: null,
    catchall: null,
    expressionLists: [],
    expressionsOf: null,
    expressions: [],
    ...changes,
  };
}

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

function ruleSet(random: Random): Nftables {
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

const texts = {
  ipv4: ['10.0.0.1', '10.0.0.2', '10.0.1.3', '192.168.1.20', '192.168.1.10', '172.16.0.1'],
  ipv6: ['2001:db8:1::20', '2001:db8:1::10', 'fd00::1', 'fd00::2'],
} as const;

/** The same packet each time it is called, but for the address of who sends it. */
function packetOf(random: Random): (source?: Address) => Frame {
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

/** Everything that can be told of a run afterwards. */
function storyOf(
  chain: CompiledChain,
  frame: Frame,
  seed: number,
  everyRule: boolean,
  peer: PeerWatch<CompiledRule> | null = null,
): unknown {
  const random = randomFrom(seed);
  const touched = new Set<CompiledSet>();
  const asked: string[] = [];
  const run: ChainRun = {
    host,
    frame,
    hook: 'input',
    family: 'inet',
    registers: new Registers(),
    values: new FieldValues(),
    peer,
    verdict: { code: 'continue' },
    refusal: null,
    touched,
    rule: null,
    looksAtPeer() {
      if (run.rule) peer?.blur(run.rule);
    },
    choose(ways) {
      asked.push(`${run.rule?.rule.handle}: ${ways}`);
      return random(ways);
    },
  };
  const outcome = runChain(chain, run, everyRule);
  const { bytes, unknown, mark, packetType, zone, tracking } = frame;
  return {
    kind: outcome.kind,
    rule: outcome.rule?.rule.handle ?? null,
    asked,
    touched: [...touched].map((one) => one.set.name),
    frame: { bytes, unknown, mark, packetType, zone, tracking },
  };
}

function baseChain(nftables: Nftables): CompiledChain {
  const [entry] = new Ruleset(nftables).at('input', 'ipv4', null);
  if (entry?.kind !== 'chain') throw new Error('the rule set has no chain at input');
  return entry.chain;
}

test('a packet fares alike against the rules that the index chooses and against every rule', (t) => {
  const seed = Date.now() % 1_000_000_000;
  t.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const ends = new Set<unknown>();
  for (let round = 0; round < 150; round++) {
    const nftables = ruleSet(random);
    const chain = baseChain(nftables);
    t.truthy(chain.index);
    // What is asked once is not worth an index.
    for (const one of chain.tables.chains.values())
      for (let times = 0; times < 10; times++) one.whenAsked(false);
    for (let count = 0; count < 40; count++) {
      const packet = packetOf(random);
      const choices = random(1_000_000);
      const indexed = storyOf(chain, packet(), choices, false);
      const walked = storyOf(chain, packet(), choices, true);
      ends.add((walked as { rule: unknown }).rule);
      t.deepEqual(indexed, walked, `rule set ${round}, packet ${count}`);
    }
  }
  t.true(ends.size > 30, 'packets end at many rules');
});

test('whoever meets the same conditions as a peer fares as it does', (t) => {
  const seed = Date.now() % 1_000_000_000;
  t.log(`seed ${seed}`);
  const random = randomFrom(seed);
  let [alike, apart] = [0, 0];
  for (let round = 0; round < 150; round++) {
    const chain = baseChain(ruleSet(random));
    for (const one of chain.tables.chains.values())
      for (let times = 0; times < 10; times++) one.whenAsked(false);
    for (let count = 0; count < 40; count++) {
      const packet = packetOf(random);
      const choices = random(1_000_000);
      const watch = new PeerWatch<CompiledRule>(packet().tuple.source);
      const story = storyOf(chain, packet(), choices, false, watch);
      t.deepEqual(story, storyOf(chain, packet(), choices, true));
      if (watch.blurredBy !== null) continue;
      for (const text of texts[watch.address.family]) {
        const other = parseAddress(text)!;
        const number = addressToNumber(other);
        const meets = watch.conditions.every(
          ({ ranges, inside }) =>
            inside === ranges.some(({ first, last }) => first <= number && number <= last),
        );
        if (meets) alike++;
        else apart++;
        if (meets) {
          const others = storyOf(chain, packet(other), choices, false);
          t.deepEqual(withoutSource(others), withoutSource(story), `rule set ${round}: ${text}`);
        }
      }
    }
  }
  t.true(alike > 5000 && apart > 100, `${alike} alike, ${apart} apart`);
});

/** A packet's own bytes differ where its sender's address does. */
function withoutSource(story: unknown): unknown {
  const { frame, ...rest } = story as { frame: Record<string, unknown> };
  const { mark, packetType, zone } = frame;
  return { ...rest, frame: { mark, packetType, zone } };
}

test('rules that read what another has left in a register are all asked', (t) => {
  const reads = [cmp(0, '0050'), verdict({ code: 'drop' })];
  const loads = [payload('transport', 2, 2, 0), cmp(0, '0016'), verdict({ code: 'accept' })];
  const nftables = ruleSet(randomFrom(1));
  const rules = [loads, ...Array<NftExpression[]>(9).fill(reads)].map(
    (expressions, handle): NftRule => ({ handle, expressions, comment: null }),
  );
  const chain = baseChain({ ...nftables, chains: [{ ...nftables.chains[0]!, rules }] });
  t.is(chain.index, null);
});

test('of a thousand rules for other peers and ports, a packet is held against those for it', (t) => {
  const two = (number: number): string => number.toString(16).padStart(4, '0');
  const rules = Array.from({ length: 1000 }, (_, handle): NftRule => {
    const end = verdict({ code: 'drop' });
    const begin =
      handle % 2 === 0
        ? [payload('network', 12, 4, 0), cmp(0, `0a01${two(handle)}`)]
        : [meta(16, 0), cmp(0, '06'), payload('transport', 2, 2, 0), cmp(0, two(1000 + handle))];
    return { handle, expressions: [...begin, { kind: 'counter' }, end], comment: null };
  });
  const nftables = ruleSet(randomFrom(1));
  const chain = baseChain({ ...nftables, chains: [{ ...nftables.chains[0]!, rules }] });
  const address = (text: string) => parseAddress(text)!;
  const asked = (source: string, destinationPort: number): number[] => {
    const tuple = {
      source: address(source),
      sourcePort: 40000,
      destination: address('10.0.0.1'),
      destinationPort,
    };
    const frame = makeFrame('syn', 'ipv4', tuple, { ttl: 64, mtu: 1500 }, false);
    const run = { frame, hook: 'input', family: 'inet', host, peer: null };
    const parts = { registers: new Registers(), values: new FieldValues() };
    const lists = chain.index!.select({ ...run, ...parts } as unknown as ChainRun);
    return lists.flatMap((list) => [...list]).sort((one, other) => one - other);
  };
  t.deepEqual(asked('10.1.0.8', 1501), [8, 501]);
  t.deepEqual(asked('10.1.0.7', 1500), []);
});
