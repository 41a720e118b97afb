import { type Prefix, parsePrefix } from '../model/address.js';
import type { Interface } from '../model/interface.js';
import type { Family } from '../model/socket.js';

/** The index of the loopback interface in every namespace (LOOPBACK_IFINDEX). */
export const LOOPBACK_INDEX = 1;

/**
 * One interface with its settings as the kernel combines them with those of `all`
 * (include/linux/inetdevice.h: IN_DEV_MAXCONF, IN_DEV_ORCONF, IN_DEV_ANDCONF).
 */
export class Device {
  readonly name: string;
  readonly index: number;
  /** The device that later stages see in its place: the bridge or bond it is a port of. */
  seenAs: Device = this;
  /** The VRF it is a port of: its routes and sockets come first; null for none. */
  vrf: Device | null = null;
  /** A master whose taking-over is not modelled, by its kind; null for none. */
  unmodelledMaster: string | null = null;
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
  readonly hasIpv4Address: boolean;
  /** The networks of its addresses: who stands in one is its neighbour. */
  readonly networks: readonly Prefix[];
  /** 0 off, 1 strict, 2 loose: the larger of `all` and its own. */
  readonly rpFilter: number;
  readonly acceptLocal: boolean;
  readonly routeLocalnet: boolean;
  readonly sourceMarkValid: boolean;
  readonly forwardsIpv4: boolean;
  readonly forwardsBroadcast: boolean;
  readonly forwardsIpv6: boolean;
  /** Which ARP requests it answers, the larger of `all` and its own: 0 all, 8 none. */
  readonly arpIgnore: number;
  /** It answers ARP only where the route back to who asks leads out of it. */
  readonly arpFilter: boolean;
  /** The IPv4 neighbours whose link-layer address it knows. */
  readonly knownNeighbours: ReadonlySet<string>;
  /** The neighbours written down for good, and those learned; `null` where that was not told. */
  readonly neighbours: Readonly<
    Record<Family, Record<'permanent' | 'learned', ReadonlySet<string>> | null>
  >;
  readonly ignoresLinkdown: { readonly ipv4: boolean; readonly ipv6: boolean };

  /** `setting` gives one of the namespace by its sysctl name, 0 where there is none. */
  constructor(
    readonly link: Interface,
    setting: (name: string) => number,
  ) {
    const { ipv4, ipv6, addresses } = link;
    const all = (name: string) => setting(`net.ipv4.conf.all.${name}`);
    this.name = link.name;
    this.index = link.index;
    this.hasIpv4 = ipv4 !== null;
    this.hasIpv6 = ipv6 !== null && ipv6.disable_ipv6 === 0;
    this.hasIpv4Address = addresses.some((entry) => !entry.address.includes(':'));
    this.networks = addresses
      .map(({ address, peer, prefixLength }) => parsePrefix(`${peer ?? address}/${prefixLength}`))
      .filter((network) => network !== null);
    this.rpFilter = ipv4 ? Math.max(all('rp_filter'), ipv4.rp_filter) : 0;
    this.acceptLocal = ipv4 !== null && (all('accept_local') | ipv4.accept_local) !== 0;
    this.routeLocalnet = ipv4 !== null && (all('route_localnet') | ipv4.route_localnet) !== 0;
    this.sourceMarkValid = ipv4 !== null && (all('src_valid_mark') | ipv4.src_valid_mark) !== 0;
    this.forwardsIpv4 = ipv4 !== null && ipv4.forwarding !== 0;
    this.forwardsBroadcast =
      ipv4 !== null && all('bc_forwarding') !== 0 && ipv4.bc_forwarding !== 0;
    this.forwardsIpv6 =
      setting('net.ipv6.conf.all.forwarding') !== 0 || (ipv6?.force_forwarding ?? 0) !== 0;
    this.arpIgnore = ipv4 ? Math.max(all('arp_ignore'), ipv4.arp_ignore) : 0;
    this.arpFilter = ipv4 !== null && (all('arp_filter') | ipv4.arp_filter) !== 0;
    this.knownNeighbours = new Set(link.neighbours);
    const { ipv6Neighbours: told, permanentNeighbours: permanent } = link;
    const learned = (link.neighbours ?? []).filter((text) => !permanent?.includes(text));
    this.neighbours = {
      ipv4: permanent ? { permanent: new Set(permanent), learned: new Set(learned) } : null,
      ipv6: told ? { permanent: new Set(told.permanent), learned: new Set(told.learned) } : null,
    };
    const ignored = 'ignore_routes_with_linkdown';
    this.ignoresLinkdown = {
      ipv4: ipv4 !== null && (all(ignored) | ipv4[ignored]) !== 0,
      ipv6: ipv6 !== null && ipv6[ignored] !== 0,
    };
  }

  /** It is a port of a master of this kind. `master` gives it, or null where it cannot be followed. */
  joins(kind: string, master: () => Device | null): void {
    if (kind === 'vrf') this.vrf = master();
    else if (takesOver.has(kind)) this.seenAs = master()?.seenAs ?? this;
    else this.unmodelledMaster = kind;
  }
}

const takesOver: ReadonlySet<string> = new Set(['bridge', 'bond', 'team']);
