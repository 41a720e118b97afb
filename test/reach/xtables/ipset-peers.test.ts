import test from 'ava';
import { formatAddress, parseAddress, parsePrefix, prefixHolds } from '#earshot/model/address.js';
import type { IpSet } from '#earshot/model/ipset.js';
import { addressFromNumber, addressToNumber, rangesToPrefixes } from '#earshot/model/prefix-set.js';
import type { Family } from '#earshot/model/socket.js';
import { type FieldKind, type Key, SetIndex } from '#earshot/reach/xtables/ipset/set.js';
import { randomFrom } from '../../native/support.js';

/* Which peers a set of ipset has is worked out at once for all of them: each by itself is found so too. */

type Random = (below: number) => number;

const types: readonly (readonly FieldKind[])[] = [
  ['ip'],
  ['net'],
  ['ip', 'port'],
  ['net', 'port'],
  ['net', 'iface'],
  ['ip', 'port', 'ip'],
  ['ip', 'port', 'net'],
];

const names = ['eth0', 'eth1', 'wg0'];

/** Of a few addresses, so that networks lie in each other and keys are met. */
function addressText(random: Random, family: Family): string {
  const low = random(64);
  return family === 'ipv4' ? `10.0.0.${low}` : `2001:db8::${low.toString(16)}`;
}

function networkText(random: Random, family: Family): string {
  const length = (family === 'ipv4' ? 32 : 128) - random(8);
  const { address } = parsePrefix(`${addressText(random, family)}/${length}`)!;
  return `${formatAddress(address)}/${length}`;
}

function fieldText(random: Random, field: FieldKind, family: Family): string {
  if (field === 'ip') return addressText(random, family);
  if (field === 'net') return networkText(random, family);
  if (field === 'port') return `${['tcp', 'udp'][random(2)]}:${80 + random(2)}`;
  return ['eth', 'w', ...names][random(5)]!;
}

function elementOf(random: Random, fields: readonly FieldKind[], family: Family): string {
  const parts = fields.map((field) => fieldText(random, field, family));
  const nomatch = fields.includes('net') && random(4) === 0 ? ' nomatch' : '';
  const wildcard = /^(eth|w)$/.test(parts.at(-1)!) ? ' wildcard' : '';
  return `${parts.join()}${nomatch}${wildcard}`;
}

function keyOf(random: Random, field: FieldKind, family: Family): Key {
  if (field === 'port')
    return { kind: 'port', protocol: [6, 17][random(2)]!, port: 80 + random(2) };
  if (field === 'iface') return { kind: 'interface', name: names[random(3)]! };
  return { kind: 'address', address: parseAddress(addressText(random, family))! };
}

test('the peers that a set has are those whom it is found to have, one by one', (t) => {
  const seed = Date.now() % 1_000_000_000;
  t.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const counts = { match: 0, nomatch: 0, nothing: 0 };
  for (let round = 0; round < 400; round++) {
    const family = (['ipv4', 'ipv6'] as const)[random(2)]!;
    const fields = types[random(types.length)]!;
    const bits = family === 'ipv4' ? 32 : 128;
    const netmask = fields.length === 1 && fields[0] === 'ip' && random(3) === 0 ? bits - 3 : null;
    // The kernel has none twice, be it as it is or left out.
    const drawn = Array.from({ length: 1 + random(20) }, () => elementOf(random, fields, family));
    const elements = [...new Map(drawn.map((one) => [one.replace(' nomatch', ''), one])).values()];
    const type = `hash:${fields.join()}`;
    const set: IpSet = { name: 's', index: 1, type, family, netmask, elements };
    const index = new SetIndex(set, fields);
    const keys = fields.map((field) => keyOf(random, field, family));
    const places = keys.flatMap(({ kind }, place) => (kind === 'address' ? [place] : []));
    const place = places[random(places.length)]!;
    for (const found of ['match', 'nomatch'] as const) {
      const { ranges } = index.peersLike(keys, place, found);
      const prefixes = rangesToPrefixes(ranges(), family).map((text) => parsePrefix(text)!);
      const first = addressToNumber(
        parseAddress(
          family === 'ipv4' ? '9.255.255.255' : '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff',
        )!,
      );
      for (let offset = 0n; offset < 200n; offset++) {
        const address = addressFromNumber(first + offset, family);
        const asked = keys.map(
          (key, at): Key => (at === place ? { kind: 'address', address } : key),
        );
        const really = index.find(asked);
        counts[really]++;
        t.is(
          prefixes.some((prefix) => prefixHolds(prefix, address)),
          really === found,
          `${type} { ${elements.join(' ')} } ${formatAddress(address)} ${found}`,
        );
      }
    }
  }
  t.true(Math.min(...Object.values(counts)) > 500, JSON.stringify(counts));
});
