import type { LabFlow } from '../harness.js';
import type { Sysctls } from '../namespaces.js';
import type { ListenerSpec } from '../sockets.js';

/** What a scenario varies most. */
export const families = [
  'bind',
  'settings',
  'routes',
  'ipv6',
  'local',
  'addresses',
  'links',
  'nftables',
] as const;
export type ScenarioFamily = (typeof families)[number];

/** An interface of the host and who stands on the other side. */
export interface LinkSpec {
  name: string;
  kind: 'veth' | 'bridge' | 'macvlan' | 'tun' | 'unplugged';
  /** Links of one segment stand on one switch. */
  segment?: string;
  /** Of the host, in CIDR notation, the first ones of each family are the peers' gateways. */
  addresses: string[];
  peers: PeerSpec[];
}

/** A machine on a link of the host. */
export interface PeerSpec {
  machine: string;
  /** In CIDR notation; the first ones of each family are how others on the link send by it. */
  addresses: string[];
  /** Addresses of the host that it is to ask for by its gateway, although they look on-link. */
  byGateway: string[];
  /** A machine behind it, for which it is the router. */
  behind?: { machine: string; addresses: string[]; router: string[] };
  /** It asks nothing: it only holds addresses that are also the host's. */
  duplicates?: string[];
}

/** A host, its listeners and the flows to ask it, as plain data: what a seed stands for. */
export interface Scenario {
  seed: number;
  family: ScenarioFamily;
  links: LinkSpec[];
  /** Written before `ip`. */
  before: Sysctls;
  /** Lines for ip(8) on the host, each after an optional `-6`; what the kernel refuses is left out. */
  ip: string[];
  /** Written after `ip`. */
  sysctls: Sysctls;
  /** What does not open is left out. Those that do not serve are filled before the flows. */
  listeners: ListenerSpec[];
  flows: LabFlow[];
  /** Lines for nft(8), loaded last; what it refuses is left out. */
  nft: string[];
}

/** One who asks: a machine, and the addresses it may ask from. */
export interface Asker {
  machine: string;
  link: string;
  addresses: string[];
  /** On the link itself: its link-local address, and how others send by it; `null` behind a router. */
  near: { linkLocal: string | undefined; ipv4: string; ipv6: string } | null;
}

/** Everybody who can ask. */
export function askersOf(links: readonly LinkSpec[]): Asker[] {
  return links.flatMap(({ name, peers }) =>
    peers
      .filter(({ duplicates }) => duplicates === undefined)
      .flatMap(({ machine, addresses, behind }) => {
        const all = addresses.map(plain);
        const global = all.filter((address) => !isLinkLocalText(address));
        const near = {
          linkLocal: all.find(isLinkLocalText),
          ipv4: global.find((address) => !isIpv6(address))!,
          ipv6: global.find(isIpv6)!,
        };
        const itself: Asker = { machine, link: name, addresses: global, near };
        if (!behind) return [itself];
        const beyond = behind.addresses.map(plain);
        return [itself, { machine: behind.machine, link: name, addresses: beyond, near: null }];
      }),
  );
}

export function isIpv6(address: string): boolean {
  return address.includes(':');
}

export function isLinkLocalText(address: string): boolean {
  return address.startsWith('fe80:');
}

/** The address alone, of an address with a prefix length. */
export function plain(address: string): string {
  return address.split(/[/ ]/, 1)[0]!;
}
