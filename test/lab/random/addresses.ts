import type { Draft } from './draft.js';
import type { LinkSpec } from './scenario.js';

/** Addresses that stand on no network: on lo, and whole prefixes that are local (AnyIP). */
export function addPlaces(draft: Draft): void {
  const { random, ip, places } = draft;
  places.push('127.0.0.1', '127.0.0.1', '127.9.9.9', '::1', '8.8.8.8', '2001:db8:dead::1');
  if (random.chance(0.1)) places.push('255.255.255.255');
  if (draft.often(0.6, 'addresses', 'local')) {
    ip.push('address add 10.99.0.1/32 dev lo', 'address add fd00:99::1/128 dev lo nodad');
    places.push('10.99.0.1', 'fd00:99::1');
  }
  if (draft.often(0.4, 'addresses', 'local')) {
    ip.push('address add 10.98.0.1/24 dev lo');
    places.push('10.98.0.77');
  }
  if (draft.often(0.4, 'addresses', 'bind', 'routes')) {
    const table = random.pick(['local', 'local', 'main', '100']);
    const device = random.pick(['lo', 'lo', 'lo', ...draft.names]);
    ip.push(
      `route add local 198.51.100.0/24 dev ${device} table ${table}`,
      `-6 route add local 2001:db8:ff::/48 dev ${device} table ${table}`,
    );
    places.push('198.51.100.7', '2001:db8:ff::7');
  }
}

/** Addresses of every kind on the links. */
export function addAddresses(draft: Draft): void {
  for (const link of draft.links) {
    const { ip } = draft;
    const { name } = link;
    const place = name.slice(3);
    const add = (probability: number, address: string, rest: string): void => {
      if (!draft.often(probability, 'addresses')) return;
      ip.push(`address add ${address}${rest.startsWith('/') ? '' : ' '}${rest} dev ${name}`);
      draft.addOwn(link, address);
    };
    if (link.peers.length > 0 && draft.often(0.3, 'addresses')) pointToPoint(draft, link);
    add(0.2, `10.${place}.0.30`, '/24 scope link');
    add(0.2, `10.${place}.0.31`, '/24 scope host');
    add(0.15, `10.${place}.0.32`, '/25 noprefixroute');
    add(0.1, `10.${place}.0.33`, '/16 brd 10.255.255.255');
    // ip puts what follows the address behind it: these are one line each.
    const flagged = (probability: number, address: string, flags: string): void => {
      if (!draft.often(probability, 'addresses', 'ipv6')) return;
      ip.push(`address add ${address}/64 dev ${name} ${flags}`);
      draft.addOwn(link, address);
    };
    flagged(0.2, `fd00:${place}::77`, 'nodad noprefixroute');
    flagged(0.2, `fd00:${place}::78`, 'nodad preferred_lft 0');
    flagged(0.15, `fd00:b${place}::79`, 'nodad');
    // The subnet's routers' address, which is one of the host's if it is a router itself.
    if (draft.often(0.05, 'addresses', 'ipv6')) draft.places.push(`fd00:b${place}::`);
    flagged(0.15, `2001:db8:a${place}::1`, 'nodad');
    detect(draft, link);
  }
}

/** One address here, another there, and no network between them. */
function pointToPoint(draft: Draft, link: LinkSpec): void {
  const place = link.name.slice(3);
  draft.ip.push(`address add 10.9.${place}.1 peer 10.9.${place}.2/32 dev ${link.name}`);
  draft.addOwn(link, `10.9.${place}.1`);
  link.peers[0]!.addresses.push(`10.9.${place}.2/32`);
}

/** Addresses whose duplicate address detection never ends, or fails, or is not waited for. */
function detect(draft: Draft, link: LinkSpec): void {
  const { ip, before, random } = draft;
  const { name, kind } = link;
  if (kind === 'tun' || kind === 'unplugged' || !draft.often(0.35, 'addresses', 'ipv6')) return;
  const place = name.slice(3);
  const of = `net.ipv6.conf.${name}`;
  before[`${of}.accept_dad`] = 1;
  before[`${of}.dad_transmits`] = 10_000;
  before[`${of}.router_solicitation_delay`] = 0;
  if (random.chance(0.5)) before[`${of}.optimistic_dad`] = 1;
  const add = (address: string, flags = ''): void => {
    ip.push(`address add ${address}/64 dev ${name}${flags}`);
    draft.addOwn(link, address);
  };
  if (random.chance(0.6)) add(`fd00:${place}::66`);
  if (random.chance(0.4)) add(`fd00:${place}::67`, ' optimistic');
  if (link.segment === undefined && random.chance(0.6)) {
    const address = `fd00:${place}::68`;
    add(address);
    link.peers.push({
      machine: `d${place}`,
      addresses: [`10.${place}.0.200/24`, `fd00:${place}::c8/64`],
      byGateway: [],
      duplicates: [`${address}/64`],
    });
  }
}
