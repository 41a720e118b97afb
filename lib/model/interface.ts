/** An address of an interface. */
export interface InterfaceAddress {
  /** Canonical text. On a point-to-point link this host's end. */
  address: string;
  /** Bits of the prefix: 0 to 32, for IPv6 to 128. */
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
  /** 1: packets that come in here and are for others are sent on. */
  forwarding: number;
  /** The reverse path filter: 0 off, 1 strict, 2 loose. The larger of this and `all` holds. */
  rp_filter: number;
  /** 1 here or on `all`: packets from this host's own addresses are taken. */
  accept_local: number;
  /** 1 here or on `all`: packets for and from 127.0.0.0/8 are no martians. */
  route_localnet: number;
  /** 1 here or on `all`: the reverse path is looked up with the mark of the packet. */
  src_valid_mark: number;
  /** For which addresses ARP requests are answered: 0 for any of this host; 1, 2, 3, 8 for fewer. */
  arp_ignore: number;
  /** Which source address ARP requests carry: 0 any; 1 and 2 of the subnet of the target. */
  arp_announce: number;
  /** 1: an ARP request is answered only where the route back leaves by this interface. */
  arp_filter: number;
  /** 1 here and on `all`: directed broadcasts are sent on. */
  bc_forwarding: number;
  /** 1: routes by this interface do not count while it has no carrier. */
  ignore_routes_with_linkdown: number;
  /** 1: unicast packets in multicast or broadcast frames are dropped. */
  drop_unicast_in_l2_multicast: number;
}

/** The per-interface IPv6 settings that decide reachability, as numbers (net.ipv6.conf.NAME.*). */
export interface Ipv6Settings {
  /** 1: this interface behaves as that of a router. */
  forwarding: number;
  /** 1: no IPv6 here, neither addresses nor packets. */
  disable_ipv6: number;
  /** 1: an address may be used while duplicate detection is under way. */
  optimistic_dad: number;
  /** 1: such an address may be chosen as a source. */
  use_optimistic: number;
  /** 1: routes by this interface do not count while it has no carrier. */
  ignore_routes_with_linkdown: number;
  /** 1: unicast packets in multicast or broadcast frames are dropped. */
  drop_unicast_in_l2_multicast: number;
  /** Present since Linux 6.16. */
  force_forwarding: number | null;
}

/** One network interface of one network namespace. */
export interface Interface {
  /** The kernel's number of it in this namespace, from 1. */
  index: number;
  /** Its name, at most 15 bytes. */
  name: string;
  /** The kind as the kernel names it: `veth`, `bridge`, `tun`, …; `null` for hardware. */
  kind: string | null;
  /** IFF_UP: an administrator switched it on. */
  up: boolean;
  /** IFF_RUNNING: it has a carrier and is operational. */
  running: boolean;
  /** IFF_LOWER_UP: the driver reports a carrier. */
  lowerUp: boolean;
  /** IFF_LOOPBACK: it is `lo`. */
  loopback: boolean;
  /** IFF_POINTOPOINT: there is one peer at its other end. */
  pointToPoint: boolean;
  /** IFF_NOARP. */
  noArp: boolean;
  /** The link-layer address as aa:bb:…; `null` for none. */
  mac: string | null;
  /** The largest packet it carries, in bytes. */
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
  /** IPv4 and IPv6, in the order the kernel gave them. */
  addresses: InterfaceAddress[];
  /** A capture's: the multicast groups it has joined; absent where that could not be read. */
  groups?: string[];
  /** A capture's: the IPv4 neighbours whose link-layer address is known; absent where not read. */
  neighbours?: string[];
  /** A capture's: those of `neighbours` that are written down for good (NUD_PERMANENT); absent where not told. */
  permanentNeighbours?: string[];
  /**
   * A capture's: the IPv6 neighbours whose link-layer address is known, written down for good
   * (NUD_PERMANENT) or learned; absent where not read.
   */
  ipv6Neighbours?: { permanent: string[]; learned: string[] };
  /**
   * As a port of a bridge or bond: does that take what comes in by it? For a bridge by the state of
   * the spanning tree, for a bond `backup` is what it keeps in reserve. Absent where not told.
   */
  portState?: 'forwarding' | 'blocked' | 'active' | 'backup';
  /** A bridge that sorts packets by VLAN (vlan_filtering); absent where it is none or not told. */
  vlanFiltering?: boolean;
  /**
   * A bridge that has the rules of IP see what it passes, whatever net.bridge.bridge-nf-call-iptables
   * says (its options nf_call_iptables and nf_call_ip6tables). Absent where it is none or not told.
   */
  callsFirewall?: { ipv4: boolean; ipv6: boolean };
}
