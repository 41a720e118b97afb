import type { HostState } from '../../model/host-state.js';
import type { Interface } from '../../model/interface.js';
import type { Family } from '../../model/socket.js';
import { type InterfaceRole, nameInterface } from './interface-names.js';
import { common, prefixesOf, type Ranges, rangesOf, sizeOf, without } from './ranges.js';
import { enumerate, printable } from './text.js';

/** Peers that come in by one interface. */
export interface PeerGroup {
  interface: string;
  /** CIDR texts. */
  peers: readonly string[];
}

/** How many prefixes a line of text names before it counts the rest. The JSON has all. */
const most = 3;

/** Names sets of peers of one host as a person would: this host, the LAN, anyone, or who exactly. */
export class PeerNames {
  readonly #devices: Map<string, Interface>;
  readonly #surroundings = new Map<string, Surroundings>();

  constructor(private readonly state: HostState) {
    this.#devices = new Map(state.interfaces.map((device) => [device.name, device]));
  }

  /** Do these peers include everybody that routing can bring to that interface? */
  isAnyone(group: PeerGroup): boolean {
    return families.some((family) => this.#share(group, family) === 'anyone');
  }

  /**
   * Peers of one interface in words, IPv4 and IPv6 together: "this host", "the LAN on eth0
   * (192.168.1.0/24)", "anyone by eth0", "anyone by eth0 but 10.6.0.0/16", "192.168.1.7 on eth0".
   */
  describe(group: PeerGroup): string {
    const device = this.#devices.get(group.interface);
    if (device?.loopback ?? group.interface === 'lo') return 'this host';
    const shares = families.map((family) => this.#share(group, family));
    const name = printable(group.interface);
    if (shares.includes('anyone')) return `anyone by ${name}`;
    const butFor = shares.find((share) => share !== null && typeof share === 'object' && share.all);
    if (butFor && typeof butFor === 'object') {
      return `anyone by ${name} but ${enumerate(butFor.names, most)}`;
    }
    const links: string[] = [];
    const others: string[] = [];
    for (const share of shares) {
      if (share === null || share === 'anyone') continue;
      links.push(...share.links);
      others.push(...share.names);
    }
    const who = neighbours[device ? nameInterface(device).role : 'other'];
    if (others.length === 0) {
      return `${who} on ${name}${links.length === 0 ? '' : ` (${links.join(', ')})`}`;
    }
    return `${enumerate([...links, ...others], most)} by ${name}`;
  }

  /**
   * The peers that a person would meet on that interface and that are not in `served`: without this
   * host's own addresses, martians and what no neighbour can have.
   */
  remaining(group: PeerGroup, served: readonly string[]): string[] {
    return families.flatMap((family) => {
      const { own } = this.#around(group.interface, family);
      const met = common(rangesOf(group.peers, family), plausible[family]);
      return prefixesOf(without(without(met, own), rangesOf(served, family)), family);
    });
  }

  #share(group: PeerGroup, family: Family): Share | null {
    const set = rangesOf(group.peers, family);
    if (set.length === 0) return null;
    const around = this.#around(group.interface, family);
    const unexplained = without(without(universe[family], set), around.others);
    if (unexplained.length === 0) return 'anyone';
    if (sizeOf(set) > sizeOf(universe[family]) / 2n) {
      return { all: true, links: [], names: prefixesOf(unexplained, family) };
    }
    const links: string[] = [];
    let rest = set;
    for (const link of around.links) {
      if (without(without(link.set, set), around.own).length > 0) continue;
      // The link-local prefix goes without saying where there is another one.
      links.push(link.text);
      rest = without(rest, link.set);
    }
    const said = links.length > 1 ? links.filter((text) => text !== 'fe80::/64') : links;
    return { all: false, links: said, names: prefixesOf(without(rest, linkLocal[family]), family) };
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

/** What part of all addresses a set is: everything; everything but `names`; or `links` and `names`. */
type Share = 'anyone' | { all: boolean; links: string[]; names: string[] };

/** What lies around an interface, and who cannot be met on it. */
interface Surroundings {
  /** The prefixes on its link. */
  links: { text: string; set: Ranges }[];
  /** Addresses that no neighbour on a link can have: this host's, the network's, the broadcast. */
  own: Ranges;
  /** Those, and all that routing sends elsewhere. */
  others: Ranges;
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
const universe: Readonly<Record<Family, Ranges>> = {
  ipv4: without(
    rangesOf(['0.0.0.0/0'], 'ipv4'),
    rangesOf(['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'], 'ipv4'),
  ),
  // Global unicast (RFC 4291, 2.4); unique local prefixes come in by routes of their own.
  ipv6: rangesOf(['2000::/3'], 'ipv6'),
};

/** All addresses that a peer can have, unique local and link-local ones included. */
const plausible: Readonly<Record<Family, Ranges>> = {
  ipv4: universe.ipv4,
  ipv6: rangesOf(['2000::/3', 'fc00::/7', 'fe80::/10'], 'ipv6'),
};

const linkLocal: Readonly<Record<Family, Ranges>> = {
  ipv4: [],
  ipv6: rangesOf(['fe80::/10'], 'ipv6'),
};

function surroundings(
  state: HostState,
  device: Interface | undefined,
  family: Family,
): Surroundings {
  const bits = family === 'ipv4' ? 32 : 128;
  const ofFamily = (address: string) => address.includes(':') === (family === 'ipv6');
  const links = new Map<string, { text: string; set: Ranges }>();
  for (const { address, prefixLength, peer } of device?.addresses ?? []) {
    const base = peer ?? address;
    if (!ofFamily(base) || (prefixLength === bits && peer === null)) continue;
    const set = rangesOf([`${base}/${prefixLength}`], family);
    links.set(String(set), { text: prefixesOf(set, family)[0]!, set });
  }
  const ownTexts: string[] = [];
  for (const { addresses } of state.interfaces) {
    for (const { address, broadcast, prefixLength } of addresses) {
      if (!ofFamily(address)) continue;
      ownTexts.push(address);
      if (broadcast !== null) ownTexts.push(broadcast);
      if (prefixLength >= bits - 1) continue;
      // The network's own address: a broadcast in IPv4, the routers' anycast in IPv6.
      const [[from, to]] = rangesOf([`${address}/${prefixLength}`], family) as [[bigint, bigint]];
      ownTexts.push(
        ...prefixesOf(
          family === 'ipv4'
            ? [
                [from, from],
                [to, to],
              ]
            : [[from, from]],
          family,
        ),
      );
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
    own: rangesOf(ownTexts, family),
    others: rangesOf([...ownTexts, ...elsewhere.map((route) => route.destination)], family),
  };
}
