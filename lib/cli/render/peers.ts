import { isLinkLocal, parseAddress } from '../../model/address.js';
import type { HostState } from '../../model/host-state.js';
import type { Interface } from '../../model/interface.js';
import {
  type AddressRange,
  commonRanges,
  joinedRanges,
  prefixesToRanges,
  rangesToPrefixes,
  rangesWithout,
} from '../../model/prefix-set.js';
import type { Family } from '../../model/socket.js';
import { type InterfaceRole, interfacesByInterest, nameInterface } from './interface-names.js';
import { printable } from './printable.js';
import { enumerate } from './text.js';

/** Peers that come in by one interface. */
export interface PeerGroup {
  interface: string;
  /** CIDR texts. */
  peers: readonly string[];
}

/**
 * How far a set of peers goes: everybody that routing can bring to the interface, nearly everybody,
 * the link, some of these, nobody.
 */
export type Extent = 'all' | 'most' | 'link' | 'some' | 'none';

/** How many prefixes a line of text names before it counts the rest. The JSON has all. */
const mostNamed = 3;

/** Names sets of peers of one host as a person would: this host, the LAN, anyone, or who exactly. */
export class PeerNames {
  readonly #devices: Map<string, Interface>;
  #order: Map<string, number> | undefined;
  readonly #shares = new Map<string, Share | null>();
  readonly #remainders = new Map<string, boolean>();
  readonly #surroundings = new Map<string, Surroundings>();

  constructor(private readonly state: HostState) {
    this.#devices = new Map(state.interfaces.map((device) => [device.name, device]));
  }

  /** The groups in the order in which people care about interfaces. */
  sorted<T extends { interface: string }>(groups: readonly T[]): T[] {
    this.#order ??= new Map(
      interfacesByInterest(this.state).map((device, index) => [device.name, index]),
    );
    const order = this.#order;
    const rank = (group: T) => order.get(group.interface) ?? order.size;
    return [...groups].sort((one, other) => rank(one) - rank(other));
  }

  /** Do these peers include everybody that routing can bring to that interface? */
  isAnyone(group: PeerGroup): boolean {
    return families.some((family) => {
      const share = this.#share(group, family);
      return share?.all === true && share.names.length === 0;
    });
  }

  /** How far the peers of an interface go; of two families that which goes farther. */
  extent(group: PeerGroup): Extent {
    const shares = families.flatMap((family) => this.#share(group, family) ?? []);
    if (shares.some(({ all, names }) => all && names.length === 0)) return 'all';
    if (shares.some(({ all }) => all)) return 'most';
    if (shares.length === 0) return 'none';
    return shares.some(({ links, names }) => links.length > 0 && names.length === 0)
      ? 'link'
      : 'some';
  }

  /**
   * Peers of one interface in words, IPv4 and IPv6 together: "this host", "the LAN on eth0
   * (192.168.1.0/24)", "anyone via eth0", "anyone via eth0 but 10.6.0.0/16", "192.168.1.7 on eth0".
   * `sayFamily` adds "over IPv6" where that leaves out the peers of the other family.
   */
  describe(group: PeerGroup, sayFamily = false): string {
    const device = this.#devices.get(group.interface);
    if (device?.loopback ?? group.interface === 'lo') return 'this host';
    const shares = families.map((family) => this.#share(group, family));
    const name = printable(group.interface);
    const most = shares.find((share) => share?.all);
    if (most) {
      const over = sayFamily ? this.#onlyFamily(shares, group.interface) : '';
      const but = most.names.length === 0 ? '' : ` but ${enumerate(most.names, mostNamed)}`;
      return `anyone via ${name}${over}${but}`;
    }
    const links = withoutLinkLocal(shares.flatMap((share) => share?.links ?? []));
    const others = shares.flatMap((share) => share?.names ?? []);
    if (others.length > 0) return `${enumerate([...links, ...others], mostNamed)} via ${name}`;
    const who = neighbours[device ? nameInterface(device).role : 'other'];
    return `${who} on ${name}${links.length === 0 ? '' : ` (${links.join(', ')})`}`;
  }

  /** " over IPv6" where an interface has addresses of both families and the shares are of one. */
  #onlyFamily(shares: readonly (Share | null)[], name: string): string {
    const both = families.every((family) =>
      this.#devices
        .get(name)
        ?.addresses.some(
          ({ address }) => familyOf(address) === family && !isLinkLocalText(address),
        ),
    );
    if (!both || shares.every((share) => share !== null)) return '';
    return shares[0] === null ? ' over IPv6' : ' over IPv4';
  }

  /**
   * The peers that a person would meet on that interface and that are not in `served`: without this
   * host's own addresses, martians and what no neighbour can have.
   */
  remaining(group: PeerGroup, served: readonly string[]): string[] {
    return families.flatMap((family) => textsOf(this.#left(group, served, family), family));
  }

  /** Are there any? */
  anyRemain(group: PeerGroup, served: readonly string[]): boolean {
    if (group.peers.length === 0) return false;
    const key = `${group.interface} ${group.peers.join()} ${served.join()}`;
    const known =
      this.#remainders.get(key) ??
      families.some((family) => this.#left(group, served, family).length > 0);
    this.#remainders.set(key, known);
    return known;
  }

  #left(group: PeerGroup, served: readonly string[], family: Family): readonly AddressRange[] {
    const addresses = this.#devices.get(group.interface)?.addresses ?? [];
    // Link-local peers are the same people again where the interface has another address.
    const known = addresses.some(({ address }) => !isLinkLocalText(address));
    const { own } = this.#around(group.interface, family);
    const all = commonRanges(prefixesToRanges(group.peers, family), plausible[family]);
    const met = known ? rangesWithout(all, linkLocal[family]) : all;
    return rangesWithout(rangesWithout(met, own), prefixesToRanges(served, family));
  }

  /** Hosts with many sockets have few different sets of peers: each is looked at once. */
  #share(group: PeerGroup, family: Family): Share | null {
    const key = `${family} ${group.interface} ${group.peers.join()}`;
    let share = this.#shares.get(key);
    if (share === undefined) {
      share = this.#shareOf(group, family);
      this.#shares.set(key, share);
    }
    return share;
  }

  #shareOf(group: PeerGroup, family: Family): Share | null {
    const set = prefixesToRanges(group.peers, family);
    if (set.length === 0) return null;
    const around = this.#around(group.interface, family);
    const unexplained = rangesWithout(rangesWithout(universe[family], set), around.others);
    if (unexplained.length === 0) return { all: true, links: [], names: [] };
    if (sizeOf(set) > sizeOf(universe[family]) / 2n) {
      return { all: true, links: [], names: textsOf(unexplained, family) };
    }
    const links: string[] = [];
    let rest = rangesWithout(rangesWithout(set, around.own), linkLocal[family]);
    for (const link of around.links) {
      if (rangesWithout(rangesWithout(link.set, set), around.own).length > 0) continue;
      links.push(link.text);
      rest = rangesWithout(rest, link.set);
    }
    return { all: false, links, names: textsOf(rest, family) };
  }

  #around(name: string, family: Family): Surroundings {
    const key = `${family} ${name}`;
    const known = this.#surroundings.get(key);
    if (known) return known;
    const made = surroundings(this.state, this.#devices.get(name), family);
    this.#surroundings.set(key, made);
    return made;
  }
}

/** What part of all addresses a set is: everything but `names`, or `links` and `names`. */
interface Share {
  all: boolean;
  links: string[];
  names: string[];
}

/** What lies around an interface, and who cannot be met on it. */
interface Surroundings {
  /** The prefixes on its link. */
  links: { text: string; set: readonly AddressRange[] }[];
  /** Addresses that no neighbour on a link can have: this host's, the network's, the broadcast. */
  own: readonly AddressRange[];
  /** Those, and all that routing sends elsewhere. */
  others: readonly AddressRange[];
}

const families: readonly Family[] = ['ipv4', 'ipv6'];

const neighbours: Readonly<Record<InterfaceRole, string>> = {
  network: 'the LAN',
  vpn: 'VPN peers',
  machines: 'virtual machines',
  containers: 'containers',
  other: 'neighbours',
  loopback: 'this host',
};

/** All addresses that a peer from elsewhere can have: without loopback, multicast and reserved ones. */
const universe: Readonly<Record<Family, readonly AddressRange[]>> = {
  ipv4: rangesWithout(
    prefixesToRanges(['0.0.0.0/0'], 'ipv4'),
    prefixesToRanges(['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'], 'ipv4'),
  ),
  // Global unicast (RFC 4291, 2.4); unique local prefixes come in by routes of their own.
  ipv6: prefixesToRanges(['2000::/3'], 'ipv6'),
};

/** All addresses that a peer can have, unique local and link-local ones included. */
const plausible: Readonly<Record<Family, readonly AddressRange[]>> = {
  ipv4: universe.ipv4,
  ipv6: prefixesToRanges(['2000::/3', 'fc00::/7', 'fe80::/10'], 'ipv6'),
};

const linkLocal: Readonly<Record<Family, readonly AddressRange[]>> = {
  ipv4: [],
  ipv6: prefixesToRanges(['fe80::/10'], 'ipv6'),
};

function familyOf(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

function isLinkLocalText(text: string): boolean {
  const address = parseAddress(text);
  return address !== null && isLinkLocal(address);
}

/** The link-local prefix goes without saying where there is another. */
function withoutLinkLocal(links: readonly string[]): string[] {
  const others = links.filter((text) => text !== 'fe80::/64');
  return others.length > 0 ? others : [...links];
}

function surroundings(
  state: HostState,
  device: Interface | undefined,
  family: Family,
): Surroundings {
  const bits = family === 'ipv4' ? 32 : 128;
  const ofFamily = (address: string) => familyOf(address) === family;
  const links = new Map<string, { text: string; set: readonly AddressRange[] }>();
  for (const { address, prefixLength, peer } of device?.addresses ?? []) {
    const base = peer ?? address;
    if (!ofFamily(base) || (prefixLength === bits && peer === null)) continue;
    const set = prefixesToRanges([`${base}/${prefixLength}`], family);
    const [text] = textsOf(set, family);
    links.set(text!, { text: text!, set });
  }
  const own: AddressRange[] = [];
  for (const { addresses } of state.interfaces) {
    for (const { address, broadcast, prefixLength } of addresses) {
      if (!ofFamily(address)) continue;
      own.push(...prefixesToRanges(broadcast === null ? [address] : [address, broadcast], family));
      if (prefixLength >= bits - 1) continue;
      // The network's own address: a broadcast in IPv4, the routers' anycast in IPv6.
      const [{ first, last }] = prefixesToRanges([`${address}/${prefixLength}`], family) as [
        AddressRange,
      ];
      own.push({ first, last: first });
      if (family === 'ipv4') own.push({ first: last, last });
    }
  }
  const elsewhere = state.routes.filter(
    (route) =>
      route.family === family &&
      !route.destination.endsWith('/0') &&
      !route.nexthops.some((hop) => hop.interface === device?.name),
  );
  return {
    links: [...links.values()],
    own: joinedRanges(own),
    others: joinedRanges([
      ...own,
      ...prefixesToRanges(
        elsewhere.map((route) => route.destination),
        family,
      ),
    ]),
  };
}

/** The fewest CIDR texts that name a set; a plain address where it is one. */
function textsOf(set: readonly AddressRange[], family: Family): string[] {
  const plain = family === 'ipv4' ? '/32' : '/128';
  return rangesToPrefixes(set, family).map((text) =>
    text.endsWith(plain) ? text.slice(0, -plain.length) : text,
  );
}

/** How many addresses a set holds. */
function sizeOf(set: readonly AddressRange[]): bigint {
  return set.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}
