import type { Draft } from './draft.js';
import type { LinkSpec, PeerSpec } from './scenario.js';

/** The host's interfaces, one to three, and who stands on the other side. */
export function addLinks(draft: Draft): void {
  const count = draft.random.between(1, 3);
  for (let index = 1; index <= count; index++) addLink(draft, index);
  for (const { name, kind, segment } of draft.links) {
    // A frame for all comes in twice on a macvlan (there, and on the card below it), and on every
    // interface of a segment.
    const once = kind !== 'macvlan' && kind !== 'unplugged' && segment === undefined;
    if (once) draft.broadcasts.push(`10.${name.slice(3)}.0.255`);
    if (draft.often(0.08, 'links')) draft.ip.push(`link set ${name} group 7`);
  }
}

/** What may happen to interfaces after everything else was set up. */
export function disturbLinks(draft: Draft): void {
  const { random, ip, links } = draft;
  if (draft.often(0.15, 'links')) ip.push(`link set ${random.pick(links).name} down`);
  if (draft.often(0.06, 'links', 'local')) ip.push('link set lo down');
  // Too small for IPv6, which leaves the interface then (addrconf_notify, IPV6_MIN_MTU).
  if (draft.often(0.08, 'links')) ip.push(`link set ${random.pick(links).name} mtu 1200`);
}

function addLink(draft: Draft, index: number): void {
  const { random, links } = draft;
  const name = `eth${index}`;
  const kinds = ['veth', 'veth', 'veth', 'bridge', 'macvlan', 'tun'] as const;
  const unplugged = index > 1 && draft.often(0.3, 'links');
  const kind = unplugged ? 'unplugged' : random.pick(kinds);
  const link: LinkSpec = {
    name,
    kind,
    addresses: [`10.${index}.0.1/24`, `fd00:${index}::1/64`, `fe80::${index}:1/64`],
    peers: [],
  };
  const before = links.at(-1);
  const cards: readonly string[] = ['veth', 'macvlan'];
  if (before && cards.includes(before.kind) && cards.includes(kind) && random.chance(0.4)) {
    before.segment = 'lan';
    link.segment = 'lan';
    if (random.chance(0.5)) link.addresses.push(`10.${index - 1}.0.2${index}/24`);
  }
  if (random.chance(0.3)) link.addresses.push(`10.${index}.0.9/24`); // secondary
  if (random.chance(0.2)) link.addresses.push(`fd00:${index}::9/64`);
  if (random.chance(0.2)) link.addresses.push(`192.168.${index}.1/32`);
  const many = kind === 'unplugged' ? 0 : kind === 'tun' ? 1 : random.between(1, 2);
  for (let place = 0; place < many; place++) link.peers.push(makePeer(draft, index, place, link));
  links.push(link);
  draft.own.set(
    name,
    link.addresses.map((address) => address.split('/')[0]!),
  );
}

function makePeer(draft: Draft, index: number, place: number, link: LinkSpec): PeerSpec {
  const host = place + 2;
  const peer: PeerSpec = {
    machine: `p${index}${place}`,
    addresses: [
      `10.${index}.0.${host}/24`,
      `fd00:${index}::${host}/64`,
      `203.0.${index}${place}.5/32`,
      `2001:db8:${index}${place}::5/128`,
      `fe80::${index}:${host}/64`,
    ],
    byGateway: [],
  };
  if (place === 0 && link.kind !== 'tun' && draft.random.chance(0.4)) {
    peer.behind = {
      machine: `r${index}`,
      addresses: [`172.2${index}.0.2/24`, `fd00:a${index}::2/64`],
      router: [`172.2${index}.0.1/24`, `fd00:a${index}::1/64`],
    };
  }
  return peer;
}
