import type { Missing } from '../model/host-state.js';
import { native } from '../native.js';
import { refusalText } from './refusal.js';

const ENOENT = 2;

/**
 * The settings a capture holds, and why each matters to who can reach a socket. Those of single
 * interfaces are told with the links; `conf.all` is the other half of each.
 */
export const SETTINGS = {
  'net.ipv4.ip_forward': 'packets for others are passed on',
  'net.ipv4.fwmark_reflect':
    'replies without a socket (resets, ICMP) carry the mark of the request',
  'net.ipv4.tcp_fwmark_accept': 'an accepted connection takes over the mark of its SYN',
  'net.ipv4.tcp_l3mdev_accept': 'a TCP listener outside of VRFs takes connections from inside',
  'net.ipv4.udp_l3mdev_accept': 'a UDP socket outside of VRFs takes datagrams from inside',
  'net.ipv4.ip_nonlocal_bind': 'a socket may stand on an address the host does not have',
  'net.ipv4.ip_unprivileged_port_start': 'the ports below need CAP_NET_BIND_SERVICE to bind',
  'net.ipv4.ip_local_reserved_ports': 'ports left out when the kernel picks one',
  'net.ipv4.ip_local_port_range': 'where the kernel picks a port from',
  'net.ipv4.tcp_abort_on_overflow': 'a full accept queue answers with a reset',
  'net.ipv4.tcp_syncookies': 'a full SYN queue still answers',
  'net.ipv4.fib_multipath_hash_policy': 'which packets of a multipath route go together',
  'net.ipv4.fib_multipath_use_neigh': 'a next hop whose neighbour failed is passed over',
  'net.ipv4.icmp_echo_ignore_all': 'ping is no witness',
  'net.ipv4.ip_early_demux': 'established flows find their socket before routing',
  'net.ipv4.conf.all.forwarding': 'the twin of ip_forward',
  'net.ipv4.conf.all.rp_filter': 'the larger of all and the interface counts (IN_DEV_MAXCONF)',
  'net.ipv4.conf.all.accept_local': 'all or the interface (IN_DEV_ORCONF): a source of our own',
  'net.ipv4.conf.all.route_localnet': 'all or the interface: 127.0.0.0/8 from outside',
  'net.ipv4.conf.all.src_valid_mark': 'all or the interface: the mark counts in source validation',
  'net.ipv4.conf.all.arp_ignore': 'the larger counts: which addresses are answered for',
  'net.ipv4.conf.all.arp_announce': 'the larger counts: which address asks',
  'net.ipv4.conf.all.arp_filter': 'all or the interface: answers only where the route leads back',
  'net.ipv4.conf.all.bc_forwarding': 'all and the interface: directed broadcasts are passed on',
  'net.ipv4.conf.all.ignore_routes_with_linkdown':
    'routes over a link without carrier are passed over',
  'net.ipv6.bindv6only': 'the default of IPV6_V6ONLY',
  'net.ipv6.fwmark_reflect': 'as for IPv4',
  'net.ipv6.ip_nonlocal_bind': 'as for IPv4',
  'net.ipv6.conf.all.forwarding': 'packets for others are passed on',
  'net.ipv6.conf.all.disable_ipv6': 'IPv6 is off on every interface',
  'net.bridge.bridge-nf-call-iptables': 'bridges ask the rules of IPv4 themselves (br_netfilter)',
  'net.bridge.bridge-nf-call-ip6tables': 'bridges ask the rules of IPv6 themselves',
  'net.core.somaxconn': 'the ceiling of every accept queue',
  'net.netfilter.nf_conntrack_max': 'flows beyond it are dropped',
} as const;

/** The name of a setting that a capture holds. */
export type SettingName = keyof typeof SETTINGS;

const NAMES = Object.keys(SETTINGS);
const PATHS = NAMES.map((name) => `/proc/sys/${name.replaceAll('.', '/')}`);

/** Reads the settings of a network namespace; one that this kernel does not have is left out. */
export async function readSettings(
  netns: string | null,
): Promise<{ settings: Record<string, number | string>; missing: Missing[] }> {
  const contents = await native.readFiles({ paths: PATHS, netns });
  return decodeSettings(contents);
}

/** Settings from what `readFiles` gave for each of their files: its bytes, or the errno. */
export function decodeSettings(contents: (Uint8Array | number)[]): {
  settings: Record<string, number | string>;
  missing: Missing[];
} {
  const settings: Record<string, number | string> = {};
  const refused = new Map<number, string[]>();
  for (const [index, content] of contents.entries()) {
    const name = NAMES[index]!;
    if (typeof content !== 'number') {
      settings[name] = parseSetting(new TextDecoder().decode(content));
    } else if (content !== ENOENT) {
      refused.set(content, [...(refused.get(content) ?? []), name]);
    }
  }
  const missing = Array.from(
    refused,
    ([errno, names]): Missing => ({
      what: 'settings',
      reason: `reading ${names.join(', ')} was refused with ${refusalText({ errno, detail: '' })}`,
      remedy: 'run as root, or where /proc/sys may be read',
    }),
  );
  if (Object.keys(settings).length === 0 && missing.length === 0) {
    missing.push({
      what: 'settings',
      reason: 'no setting was found below /proc/sys/net',
      remedy: 'run where proc is mounted on /proc',
    });
  }
  return { settings, missing };
}

/** One number as a number, anything else as its text. */
export function parseSetting(content: string): number | string {
  const text = content.trim();
  return /^-?\d+$/.test(text) ? Number(text) : text.replaceAll('\t', ' ');
}
