import type { Interface, Ipv4Settings, Ipv6Settings } from '../model/interface.js';
import type { NetlinkRequest } from '../native.js';
import { type Bytes, messages } from './netlink-message.js';

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const NLM_F_DUMP = 0x300;
const IFINFOMSG_SIZE = 16;

const AF_INET = 2;
const AF_INET6 = 10;

const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_POINTOPOINT = 0x10;
const IFF_RUNNING = 0x40;
const IFF_NOARP = 0x80;
const IFF_LOWER_UP = 0x10000;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_AF_SPEC = 26;
const IFLA_GROUP = 27;
const IFLA_EXT_MASK = 29;
const IFLA_LINK_NETNSID = 37;
const IFLA_XDP = 43;

const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_VRF_TABLE = 1;
const IFLA_BR_VLAN_FILTERING = 7;
const IFLA_BR_NF_CALL_IPTABLES = 36;
const IFLA_BR_NF_CALL_IP6TABLES = 37;
const IFLA_BRPORT_STATE = 1;
const BR_STATE_FORWARDING = 3;
const IFLA_BOND_SLAVE_STATE = 1;

const IFLA_INET_CONF = 1;
const IFLA_INET6_CONF = 2;

const IFLA_XDP_ATTACHED = 2;
const IFLA_XDP_DRV_PROG_ID = 5;
const IFLA_XDP_SKB_PROG_ID = 6;
const IFLA_XDP_HW_PROG_ID = 7;

/** RTEXT_FILTER_SKIP_STATS: the counters of every link would be most of the answer's bytes. */
const RTEXT_FILTER_SKIP_STATS = 8;

/** Where IFLA_INET_CONF holds each setting: IPV4_DEVCONF_* less one (linux/ip.h). */
const IPV4_DEVCONF: Record<keyof Ipv4Settings, number> = {
  forwarding: 1, // IPV4_DEVCONF_FORWARDING
  rp_filter: 8, // IPV4_DEVCONF_RP_FILTER
  arp_filter: 13, // IPV4_DEVCONF_ARPFILTER
  arp_announce: 18, // IPV4_DEVCONF_ARP_ANNOUNCE
  arp_ignore: 19, // IPV4_DEVCONF_ARP_IGNORE
  accept_local: 23, // IPV4_DEVCONF_ACCEPT_LOCAL
  src_valid_mark: 24, // IPV4_DEVCONF_SRC_VMARK
  route_localnet: 26, // IPV4_DEVCONF_ROUTE_LOCALNET
  ignore_routes_with_linkdown: 29, // IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN
  drop_unicast_in_l2_multicast: 30, // IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST
  bc_forwarding: 32, // IPV4_DEVCONF_BC_FORWARDING
};

/** Where IFLA_INET6_CONF holds each setting: DEVCONF_* (linux/ipv6.h), which counts from 0. */
const IPV6_DEVCONF: Record<keyof Ipv6Settings, number> = {
  forwarding: 0, // DEVCONF_FORWARDING
  optimistic_dad: 23, // DEVCONF_OPTIMISTIC_DAD
  disable_ipv6: 26, // DEVCONF_DISABLE_IPV6
  use_optimistic: 34, // DEVCONF_USE_OPTIMISTIC
  ignore_routes_with_linkdown: 39, // DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN
  drop_unicast_in_l2_multicast: 40, // DEVCONF_DROP_UNICAST_IN_L2_MULTICAST
  force_forwarding: 59, // DEVCONF_FORCE_FORWARDING
};

/** Asks for every link of the namespace (RTM_GETLINK). */
export function linksRequest(): NetlinkRequest {
  const payload = new Uint8Array(IFINFOMSG_SIZE + 8);
  new Uint16Array(payload.buffer, IFINFOMSG_SIZE, 2).set([8, IFLA_EXT_MASK]);
  new Uint32Array(payload.buffer, IFINFOMSG_SIZE + 4, 1).set([RTEXT_FILTER_SKIP_STATS]);
  return { type: RTM_GETLINK, flags: NLM_F_DUMP, payload };
}

/**
 * The interfaces in the bytes of an RTM_GETLINK dump, in the order of the kernel; `addresses`,
 * `tcIngress` and `tcEgress` are told by other dumps and are empty and false here.
 */
export function decodeLinks(bytes: Uint8Array, littleEndian?: boolean): Interface[] {
  const interfaces: Interface[] = [];
  const masters = new Map<Interface, number>();
  for (const { type, payload } of messages(bytes, 'links', littleEndian)) {
    if (type !== RTM_NEWLINK) continue;
    const link = decodeLink(payload);
    interfaces.push(link.entry);
    if (link.master !== 0) masters.set(link.entry, link.master);
  }
  const names = interfaceNames(interfaces);
  for (const [port, master] of masters) port.master = nameOf(names, master);
  return interfaces;
}

/** The names of interfaces by index. */
export function interfaceNames(interfaces: Interface[]): Map<number, string> {
  return new Map(interfaces.map(({ index, name }) => [index, name]));
}

/** The name of an interface; one that is in no list (it went away meanwhile) is `if` and its index. */
export function nameOf(names: ReadonlyMap<number, string>, index: number): string {
  return names.get(index) ?? `if${index}`;
}

function decodeLink(payload: Bytes): { entry: Interface; master: number } {
  const hardwareType = payload.u16(2);
  const index = payload.i32(4);
  const flags = payload.u32(8);
  const attributes = payload.attributeMap(IFINFOMSG_SIZE);
  const info = attributes.get(IFLA_LINKINFO)?.attributeMap();
  const kind = info?.get(IFLA_INFO_KIND)?.text() ?? null;
  const lower = attributes.get(IFLA_LINK)?.i32(0) ?? 0;
  const name = attributes.get(IFLA_IFNAME)?.text();
  if (name === undefined) throw payload.malformed(0, `interface ${index} has no name`);
  const dataOf = (wanted: string) =>
    kind === wanted ? info?.get(IFLA_INFO_DATA)?.attributeMap() : undefined;
  const bridge = dataOf('bridge');
  const vlanFiltering = bridge?.get(IFLA_BR_VLAN_FILTERING)?.u8(0);
  const portKind = info?.get(IFLA_INFO_SLAVE_KIND)?.text() ?? null;
  const portState = portStateOf(portKind, info?.get(IFLA_INFO_SLAVE_DATA));
  const settings = settingsOf(attributes.get(IFLA_AF_SPEC));
  return {
    master: attributes.get(IFLA_MASTER)?.u32(0) ?? 0,
    entry: {
      index,
      name,
      kind,
      up: (flags & IFF_UP) !== 0,
      running: (flags & IFF_RUNNING) !== 0,
      lowerUp: (flags & IFF_LOWER_UP) !== 0,
      loopback: (flags & IFF_LOOPBACK) !== 0,
      pointToPoint: (flags & IFF_POINTOPOINT) !== 0,
      noArp: (flags & IFF_NOARP) !== 0,
      mac: hardwareAddress(attributes.get(IFLA_ADDRESS)),
      mtu: attributes.get(IFLA_MTU)?.u32(0) ?? 0,
      master: null,
      portKind,
      // Zero is a tunnel without a lower device; a device may also name itself.
      lowerIndex:
        lower === 0 || (lower === index && !attributes.has(IFLA_LINK_NETNSID)) ? null : lower,
      lowerElsewhere: lower !== 0 && attributes.has(IFLA_LINK_NETNSID),
      group: attributes.get(IFLA_GROUP)?.u32(0) ?? 0,
      hardwareType,
      vrfTable: dataOf('vrf')?.get(IFLA_VRF_TABLE)?.u32(0) ?? null,
      xdp: xdpModes(attributes.get(IFLA_XDP)),
      tcIngress: false,
      tcEgress: false,
      ...settings,
      addresses: [],
      ...(portState && { portState }),
      ...(vlanFiltering !== undefined && { vlanFiltering: vlanFiltering !== 0 }),
      ...(bridge && { callsFirewall: callsFirewall(bridge) }),
    },
  };
}

/** br_fill_info (net/bridge/br_netlink.c); a kernel without br_netfilter tells neither. */
function callsFirewall(data: Map<number, Bytes>): NonNullable<Interface['callsFirewall']> {
  const on = (attribute: number) => (data.get(attribute)?.u8(0) ?? 0) !== 0;
  return { ipv4: on(IFLA_BR_NF_CALL_IPTABLES), ipv6: on(IFLA_BR_NF_CALL_IP6TABLES) };
}

/** br_port_fill_attrs (net/bridge/br_netlink.c), bond_fill_slave_info. */
function portStateOf(kind: string | null, data: Bytes | undefined): Interface['portState'] {
  if (kind === 'bridge') {
    const state = data?.attributeMap().get(IFLA_BRPORT_STATE)?.u8(0);
    if (state === undefined) return undefined;
    return state === BR_STATE_FORWARDING ? 'forwarding' : 'blocked';
  }
  if (kind !== 'bond') return undefined;
  const state = data?.attributeMap().get(IFLA_BOND_SLAVE_STATE)?.u8(0);
  return state === undefined ? undefined : state === 0 ? 'active' : 'backup';
}

function hardwareAddress(value: Bytes | undefined): string | null {
  if (!value || value.length === 0) return null;
  return Array.from(value.raw(), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** What rtnl_xdp_fill tells: one mode and its program, or "multi" and one program a mode. */
function xdpModes(value: Bytes | undefined): string[] {
  const attributes = value?.attributeMap();
  const attached = attributes?.get(IFLA_XDP_ATTACHED)?.u8(0) ?? 0;
  if (!attributes || attached === 0) return [];
  const modes = [
    ['driver', attached === 1, IFLA_XDP_DRV_PROG_ID],
    ['generic', attached === 2, IFLA_XDP_SKB_PROG_ID],
    ['offload', attached === 3, IFLA_XDP_HW_PROG_ID],
  ] as const;
  return modes.filter(([, only, id]) => only || attributes.has(id)).map(([mode]) => mode);
}

function settingsOf(families: Bytes | undefined): {
  ipv4: Ipv4Settings | null;
  ipv6: Ipv6Settings | null;
} {
  const byFamily = families?.attributeMap();
  const inet = byFamily?.get(AF_INET)?.attributeMap().get(IFLA_INET_CONF);
  const inet6 = byFamily?.get(AF_INET6)?.attributeMap().get(IFLA_INET6_CONF);
  return {
    ipv4: inet ? readSettings(IPV4_DEVCONF, (index) => wordAt(inet, index - 1) ?? 0) : null,
    ipv6: inet6
      ? {
          ...readSettings(IPV6_DEVCONF, (index) => wordAt(inet6, index) ?? 0),
          force_forwarding: wordAt(inet6, IPV6_DEVCONF.force_forwarding),
        }
      : null,
  };
}

function readSettings<Name extends string>(
  table: Record<Name, number>,
  read: (index: number) => number,
): Record<Name, number> {
  const names = Object.keys(table) as Name[];
  return Object.fromEntries(names.map((name) => [name, read(table[name])])) as Record<Name, number>;
}

/** An older kernel's array is shorter: a setting it does not know is `null`. */
function wordAt(array: Bytes, index: number): number | null {
  return index * 4 + 4 <= array.length ? array.i32(index * 4) : null;
}
