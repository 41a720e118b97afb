import test from 'ava';
import { parseAddress } from '#earshot/model/address.js';
import type { Nftables } from '#earshot/model/firewall.js';
import { addressToNumber } from '#earshot/model/prefix-set.js';
import type { NftExpression, NftRule } from '#earshot/model/ruleset.js';
import { type ChainRun, runChain } from '#earshot/reach/nftables/chain.js';
import { FieldValues } from '#earshot/reach/nftables/field.js';
import type { Frame } from '#earshot/reach/nftables/frame.js';
import { makeFrame } from '#earshot/reach/nftables/headers.js';
import { Peer, PeerWatch } from '#earshot/reach/nftables/peer-watch.js';
import { Registers } from '#earshot/reach/nftables/registers.js';
import { type CompiledChain, type CompiledRule, Ruleset } from '#earshot/reach/nftables/ruleset.js';
import type { CompiledSet } from '#earshot/reach/nftables/sets.js';
import { randomFrom } from '../../native/support.js';
import { cmp, meta, packetOf, payload, ruleSet, texts, verdict } from './support/random-rules.js';
import { host } from './support/run.js';

/* Holding a packet against the rules that the index chooses is holding it against every rule. */

/** Everything that can be told of a run afterwards. */
function storyOf(
  chain: CompiledChain,
  frame: Frame,
  seed: number,
  everyRule: boolean,
  peer: PeerWatch<CompiledRule> | null = null,
): unknown {
  const random = randomFrom(seed);
  const touched = new Set<object>();
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
    touched: [...touched].map((one) => (one as CompiledSet).set.name),
    frame: { bytes, unknown, mark, packetType, zone, tracking },
  };
}

function baseChain(nftables: Nftables): CompiledChain {
  const [entry] = new Ruleset({ nftables, legacy: null, ipsets: null }).at('input', 'ipv4', null);
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
      const watch = new PeerWatch<CompiledRule>(new Peer(packet().tuple.source));
      const story = storyOf(chain, packet(), choices, false, watch);
      t.deepEqual(story, storyOf(chain, packet(), choices, true));
      if (watch.blurredBy !== null) continue;
      for (const text of texts[watch.peer.address.family]) {
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
