/** An address of an interface. */
export interface InterfaceAddress {
  /** Canonical text. On a point-to-point link this host's end. */
  address: string;
  prefixLength: number;
  /** `global`, `site`, `link`, `host` or `nowhere`, or the number for a scope without a name. */
  scope: string;
  /** As ip-address(8) names them: `permanent`, `secondary`, `temporary`, `tentative`, `dadfailed`, `deprecated`, `optimistic`, `nodad`, `noprefixroute`, … */
  flags: string[];
  /** The other end of a point-to-point address, where it differs; else `null`. */
  peer: string | null;
  /** The broadcast address that was assigned, or `null`. */
  broadcast: string | null;
}

/** The per-interface IPv4 settings that decide reachability, as numbers (net.ipv4.conf.NAME.*). */
export interface Ipv4Settings {
  forwarding: number;
  rp_filter: number;
  accept_local: number;
  route_localnet: number;
  src_valid_mark: number;
  arp_ignore: number;
  arp_announce: number;
  arp_filter: number;
  bc_forwarding: number;
  ignore_routes_with_linkdown: number;
  drop_unicast_in_l2_multicast: number;
}

/** The per-interface IPv6 settings that decide reachability, as numbers (net.ipv6.conf.NAME.*). */
export interface Ipv6Settings {
  forwarding: number;
  disable_ipv6: number;
  optimistic_dad: number;
  use_optimistic: number;
  ignore_routes_with_linkdown: number;
  drop_unicast_in_l2_multicast: number;
  /** Present since Linux 6.16. */
  force_forwarding: number | null;
}

/** One network interface of one network namespace. */
export interface Interface {
  index: number;
  name: string;
  /** The kind as the kernel names it: `veth`, `bridge`, `tun`, …; `null` for hardware. */
  kind: string | null;
  /** IFF_UP: an administrator switched it on. */
  up: boolean;
  /** IFF_RUNNING: it has a carrier and is operational. */
  running: boolean;
  /** IFF_LOWER_UP: the driver reports a carrier. */
  lowerUp: boolean;
  loopback: boolean;
  pointToPoint: boolean;
  /** IFF_NOARP. */
  noArp: boolean;
  /** The link-layer address as aa:bb:…; `null` for none. */
  mac: string | null;
  mtu: number;
  /** The bridge, bond, team or VRF it is a port of; `null` for none. */
  master: string | null;
  /** The kind of that master as told on the port (IFLA_INFO_SLAVE_KIND); `null` for none. */
  portKind: string | null;
  /** The interface below a VLAN, macvlan or tunnel, by index (it may be in another namespace); `null` for none. */
  lowerIndex: number | null;
  /** True where `lowerIndex` counts in another network namespace. */
  lowerElsewhere: boolean;
  /** The interface group (IFLA_GROUP). */
  group: number;
  /** ARPHRD_* of the device: 1 Ethernet, 772 loopback, 65534 none. */
  hardwareType: number;
  /** For a VRF: its routing table; else `null`. */
  vrfTable: number | null;
  /** XDP programs attached, as the link says: any of `generic`, `driver`, `offload`. */
  xdp: string[];
  /** True where a tc filter is attached on its way in (`ingress` or `clsact`). */
  tcIngress: boolean;
  /** True where a tc filter is attached on its way out. */
  tcEgress: boolean;
  /** `null` where the device has no IPv4. */
  ipv4: Ipv4Settings | null;
  /** `null` where the device has no IPv6. */
  ipv6: Ipv6Settings | null;
  addresses: InterfaceAddress[];
  /** A capture's: the multicast groups it has joined; absent where that could not be read. */
  groups?: string[];
  /**
   * As a port of a bridge or bond: does that take what comes in by it? For a bridge by the state of
   * the spanning tree, for a bond `backup` is what it keeps in reserve. Absent where not told.
   */
  portState?: 'forwarding' | 'blocked' | 'active' | 'backup';
  /** A bridge that sorts packets by VLAN (vlan_filtering); absent where it is none or not told. */
  vlanFiltering?: boolean;
}
