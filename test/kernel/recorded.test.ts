import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import { decodeAddresses, joinAddresses } from '#earshot/kernel/addresses.js';
import { decodeLinks, interfaceNames } from '#earshot/kernel/links.js';
import { decodeNexthops } from '#earshot/kernel/nexthops.js';
import { decodeChains } from '#earshot/kernel/nftables/chains.js';
import { decodeRules as decodeNftRules } from '#earshot/kernel/nftables/rules.js';
import { decodeGeneration, decodeTables } from '#earshot/kernel/nftables/tables.js';
import { decodeFilterPoints, holdsFilter } from '#earshot/kernel/qdiscs.js';
import { decodeRoutes } from '#earshot/kernel/routes.js';
import { decodeRules } from '#earshot/kernel/rules.js';
import { recorded, witness } from './support/fixtures.js';
import {
  addressesAsWords,
  addressesOfIp,
  linksAsWords,
  linksOfIp,
  routesAsWords,
  routesOfIp,
  rulesOfIp,
} from './support/iproute.js';
import { LAN0_SETTINGS } from './support/rich-network.js';

const LITTLE_ENDIAN = true;
const links = decodeLinks(recorded('links'), LITTLE_ENDIAN);
const names = interfaceNames(links);
const nexthops = decodeNexthops(recorded('nexthops'), names, LITTLE_ENDIAN);

test('links are read as ip(8) reads them', (t) => {
  t.deepEqual(linksAsWords(links), linksOfIp(witness('links')));
  t.true(links.some(({ xdp }) => xdp.includes('generic')));
});

test("each of a link's settings is the one that sysctl(8) set", (t) => {
  const lan0 = links.find(({ name }) => name === 'lan0')!;
  for (const [sysctl, value] of Object.entries(LAN0_SETTINGS)) {
    const [, family, , name, setting] = sysctl.split('.');
    if (name !== 'lan0') continue;
    const settings = lan0[family as 'ipv4' | 'ipv6'] as unknown as Record<string, number>;
    t.is(settings[setting!], value, sysctl);
  }
  t.is(links.find(({ name }) => name === 'pair1')!.ipv6?.disable_ipv6, 1);
  t.is(lan0.ipv6?.disable_ipv6, 0);
});

test('addresses are read as ip(8) reads them', (t) => {
  joinAddresses(links, decodeAddresses(recorded('addresses'), LITTLE_ENDIAN));
  t.deepEqual(addressesAsWords(links), addressesOfIp(witness('addresses')));
});

for (const [family, number] of [
  ['ipv4', 4],
  ['ipv6', 6],
] as const) {
  test(`${family} routes are read as ip(8) reads them`, (t) => {
    const bytes = recorded(`routes${number}`);
    const routes = decodeRoutes(bytes, family, names, nexthops, LITTLE_ENDIAN);
    t.deepEqual(routesAsWords(routes), routesOfIp(witness(`routes${number}`), family));
    t.true(routes.length > 25);
  });

  test(`${family} rules are read as ip(8) reads them`, (t) => {
    const rules = decodeRules(recorded(`rules${number}`), family, LITTLE_ENDIAN);
    t.deepEqual(rules, rulesOfIp(witness(`rules${number}`), family));
  });

  test(`a kernel that answers a question for ${family} with the other family adds nothing`, (t) => {
    const [routes, rules] = [recorded(`routes${number}`), recorded(`rules${number}`)];
    const other = family === 'ipv4' ? 'ipv6' : 'ipv4';
    t.deepEqual(decodeRoutes(routes, other, names, nexthops, LITTLE_ENDIAN), []);
    t.deepEqual(decodeRules(rules, other, LITTLE_ENDIAN), []);
  });
}

test('a selector that is not known, as tun_id, is named by its number', (t) => {
  const rules = decodeRules(recorded('rules4'), 'ipv4', LITTLE_ENDIAN);
  t.deepEqual(rules.find(({ priority }) => priority === 121)?.unknownAttributes, [12]);
});

test('nexthop groups are resolved into their members, with weights', (t) => {
  for (const object of witness('nexthops')) {
    const { nexthops: resolved } = nexthops.get(object.id)!;
    const members: { id: number; weight?: number }[] = object.group ?? [];
    if (object.group) {
      t.deepEqual(
        resolved.map(({ weight }) => weight),
        members.map(({ weight = 1 }) => weight),
      );
    } else if ('blackhole' in object) {
      t.deepEqual(resolved, []);
    } else {
      t.deepEqual(resolved, [
        {
          interface: object.dev,
          gateway: object.gateway ?? null,
          weight: 1,
          flags: object.flags,
        },
      ]);
    }
  }
});

test('clsact has filters both ways, ingress one way, and an ordinary qdisc none', (t) => {
  const points = decodeFilterPoints(recorded('qdiscs'), LITTLE_ENDIAN);
  t.deepEqual(points.map(({ index, direction }) => `${names.get(index)} ${direction}`).sort(), [
    'br0 ingress',
    'lan0 egress',
    'lan0 ingress',
    'pair0 egress',
    'pair0 ingress',
  ]);
  t.true(holdsFilter(recorded('filters-lan0-ingress'), LITTLE_ENDIAN));
  t.false(holdsFilter(recorded('filters-lan0-egress'), LITTLE_ENDIAN));
});

const recordedRules = decodeNftRules(recorded('nft-rules'), LITTLE_ENDIAN);

/** The devices of the chains in the rule set, in the order of the kernel. */
const DEVICES: Record<string, string[]> = {
  'netdev edge in': ['pair0', 'lan0'],
  'netdev edge one': ['br0'],
  'netdev edge out': ['lan0'],
};

test('tables and chains of nftables are read as nft(8) reads them', (t) => {
  // biome-ignore lint/suspicious/noExplicitAny: what nft(8) prints has no declared form
  const objects: any[] = witness('nft').nftables;
  const rules = objects.filter(({ rule }) => rule).map(({ rule }) => rule);
  const tables = decodeTables(recorded('nft-tables'), LITTLE_ENDIAN);
  t.deepEqual(
    tables.map(({ family, name, handle, flags }) => ({ family, name, handle, flags })),
    objects
      .filter(({ table }) => table)
      .map(({ table: { family, name, handle } }) => ({
        family,
        name,
        handle,
        flags: name === 'sleeping' ? ['dormant'] : [], // nft 1.0 does not say it in JSON
      })),
  );
  const chains = decodeChains(recorded('nft-chains'), recordedRules, LITTLE_ENDIAN).map(
    (chain) => ({
      ...chain,
      rules: chain.rules.length,
    }),
  );
  const key = (chain: { family: string; table: string; name: string }): string =>
    `${chain.family} ${chain.table} ${chain.name}`;
  t.deepEqual(
    new Map(chains.map((chain) => [key(chain), chain])),
    new Map(
      objects
        .filter(({ chain }) => chain)
        .map(({ chain }) => [
          key(chain),
          {
            family: chain.family,
            table: chain.table,
            name: chain.name,
            handle: chain.handle,
            base: chain.hook
              ? {
                  hook: chain.hook,
                  priority: chain.prio,
                  policy: chain.policy,
                  type: chain.type,
                  devices: DEVICES[key(chain)] ?? [], // nft 1.0 does not say them in JSON
                }
              : null,
            rules: rules.filter(
              ({ family, table, chain: name }) => key({ family, table, name }) === key(chain),
            ).length,
          },
        ]),
    ),
  );
  t.true(decodeGeneration(recorded('nft-generation'), LITTLE_ENDIAN) > 0);
});

const decoders: Record<string, (bytes: Uint8Array) => unknown> = {
  links: (bytes) => decodeLinks(bytes, LITTLE_ENDIAN),
  addresses: (bytes) => decodeAddresses(bytes, LITTLE_ENDIAN),
  nexthops: (bytes) => decodeNexthops(bytes, names, LITTLE_ENDIAN),
  routes4: (bytes) => decodeRoutes(bytes, 'ipv4', names, nexthops, LITTLE_ENDIAN),
  routes6: (bytes) => decodeRoutes(bytes, 'ipv6', names, nexthops, LITTLE_ENDIAN),
  rules4: (bytes) => decodeRules(bytes, 'ipv4', LITTLE_ENDIAN),
  rules6: (bytes) => decodeRules(bytes, 'ipv6', LITTLE_ENDIAN),
  qdiscs: (bytes) => decodeFilterPoints(bytes, LITTLE_ENDIAN),
  'filters-lan0-ingress': (bytes) => holdsFilter(bytes, LITTLE_ENDIAN),
  'nft-generation': (bytes) => decodeGeneration(bytes, LITTLE_ENDIAN),
  'nft-tables': (bytes) => decodeTables(bytes, LITTLE_ENDIAN),
  'nft-chains': (bytes) => decodeChains(bytes, recordedRules, LITTLE_ENDIAN),
  'nft-rules': (bytes) => decodeNftRules(bytes, LITTLE_ENDIAN),
};

/** What came of reading bytes: rows, or an error that says what is wrong with them. */
function outcomeOf(decode: () => unknown): 'rows' | 'refused' {
  try {
    decode();
    return 'rows';
  } catch (error) {
    if (error instanceof EarshotError && error.code === 'ERR_KERNEL') return 'refused';
    throw error;
  }
}

for (const [name, decode] of Object.entries(decoders)) {
  const parts = messagesOf(recorded(name));

  test(`${name}: a message cut short at any byte is refused`, (t) => {
    const accepted = parts.flatMap((message, number) =>
      Array.from(message.keys())
        // A copy of its own, so that a read past the end has nothing to read. No byte is no message.
        .filter(
          (length) => length > 0 && outcomeOf(() => decode(message.slice(0, length))) === 'rows',
        )
        .map((length) => `message ${number} cut to ${length}`),
    );
    t.deepEqual(accepted, []);
    t.true(parts.length > 0);
  });

  test(`${name}: a message with any byte spoiled is refused or gives rows`, (t) => {
    for (const message of parts) {
      for (const [at, was] of message.entries()) {
        for (const value of [0, 1, 3, 0x7f, 0xff]) {
          message[at] = value;
          outcomeOf(() => decode(message));
        }
        message[at] = was;
      }
      t.is(
        outcomeOf(() => decode(message)),
        'rows',
      );
    }
  });
}

/** Each message of a dump by itself. */
function messagesOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, LITTLE_ENDIAN);
    parts.push(Uint8Array.from(bytes.subarray(at, at + length)));
    at += (length + 3) & ~3;
  }
  return parts;
}
