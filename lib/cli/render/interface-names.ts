import type { HostState } from '../../model/host-state.js';
import type { Interface } from '../../model/interface.js';

/** Whom one meets on an interface: this decides what its peers are called, and which come first. */
export type InterfaceRole = 'network' | 'vpn' | 'machines' | 'containers' | 'other' | 'loopback';

/** What an interface is, in words. */
export interface InterfaceName {
  /** As people call it: "Ethernet", "Docker bridge", "WireGuard VPN". */
  what: string;
  role: InterfaceRole;
}

interface Known extends InterfaceName {
  name: RegExp;
  /** The kinds that carry this name; `null` is hardware. */
  kinds: readonly (string | null)[];
}

/*
 * Names by which programs call the devices they make. A name counts only together with the kind
 * that the kernel tells: an Ethernet card that someone called docker0 is an Ethernet card.
 */
const byName: readonly Known[] = [
  { name: /^docker\d+$/, kinds: ['bridge'], what: 'Docker bridge', role: 'containers' },
  { name: /^br-[0-9a-f]{12}$/, kinds: ['bridge'], what: 'Docker bridge', role: 'containers' },
  { name: /^docker_gwbridge$/, kinds: ['bridge'], what: 'Docker swarm bridge', role: 'containers' },
  {
    name: /^(podman\d+|cni-podman\d+)$/,
    kinds: ['bridge'],
    what: 'Podman bridge',
    role: 'containers',
  },
  { name: /^(cni\d+|cbr\d+)$/, kinds: ['bridge'], what: 'Kubernetes bridge', role: 'containers' },
  { name: /^nerdctl\d+$/, kinds: ['bridge'], what: 'containerd bridge', role: 'containers' },
  { name: /^(lxcbr|lxc)\d+$/, kinds: ['bridge'], what: 'LXC bridge', role: 'containers' },
  { name: /^lxdbr\d+$/, kinds: ['bridge'], what: 'LXD bridge', role: 'containers' },
  { name: /^incusbr\d+$/, kinds: ['bridge'], what: 'Incus bridge', role: 'containers' },
  { name: /^virbr\d+$/, kinds: ['bridge'], what: 'libvirt bridge', role: 'machines' },
  { name: /^mpqemubr\d+$/, kinds: ['bridge'], what: 'Multipass bridge', role: 'machines' },
  { name: /^vmbr\d+$/, kinds: ['bridge'], what: 'Proxmox bridge', role: 'network' },
  {
    name: /^(vnet|vmtap|fwpr)\d+/,
    kinds: ['tun', 'tap'],
    what: 'virtual machine link',
    role: 'machines',
  },
  { name: /^tap\d+i\d+$/, kinds: ['tun', 'tap'], what: 'virtual machine link', role: 'machines' },
  {
    name: /^(vmnet|vboxnet)\d+$/,
    kinds: [null],
    what: 'virtual machine network',
    role: 'machines',
  },
  { name: /^cali[0-9a-f]{11}$/, kinds: ['veth'], what: 'Calico pod link', role: 'containers' },
  { name: /^lxc[0-9a-f]{12}$/, kinds: ['veth'], what: 'Cilium pod link', role: 'containers' },
  { name: /^lxc_health$/, kinds: ['veth'], what: 'Cilium health link', role: 'containers' },
  {
    name: /^cilium_/,
    kinds: ['veth', 'vxlan', 'dummy'],
    what: 'Cilium network',
    role: 'containers',
  },
  { name: /^flannel/, kinds: ['vxlan', 'wireguard'], what: 'Flannel network', role: 'containers' },
  { name: /^vxlan\.calico$/, kinds: ['vxlan'], what: 'Calico network', role: 'containers' },
  { name: /^tunl0$/, kinds: ['ipip'], what: 'IP-in-IP tunnel', role: 'vpn' },
  { name: /^tailscale\d+$/, kinds: ['tun'], what: 'Tailscale VPN', role: 'vpn' },
  { name: /^zt[0-9a-z]{8,}$/, kinds: ['tun'], what: 'ZeroTier VPN', role: 'vpn' },
  { name: /^nebula\d*$/, kinds: ['tun'], what: 'Nebula VPN', role: 'vpn' },
  { name: /^(nordlynx|nordtun)$/, kinds: ['wireguard', 'tun'], what: 'NordVPN', role: 'vpn' },
  { name: /^CloudflareWARP$/, kinds: ['tun', 'wireguard'], what: 'Cloudflare WARP', role: 'vpn' },
  { name: /^(wg|utun)/, kinds: ['tun'], what: 'WireGuard VPN', role: 'vpn' },
  { name: /^(eth|en)/, kinds: ['veth'], what: 'virtual Ethernet', role: 'network' },
  { name: /^ifb\d+$/, kinds: ['ifb'], what: 'traffic shaping device', role: 'other' },
  { name: /^(wl|wlan|wlp)/, kinds: [null], what: 'Wi-Fi', role: 'network' },
  { name: /^(ww|wwan)/, kinds: [null], what: 'mobile network', role: 'network' },
  { name: /^(bnep)\d+$/, kinds: [null], what: 'Bluetooth network', role: 'network' },
  { name: /^usb\d+$/, kinds: [null], what: 'USB network', role: 'network' },
  { name: /^ppp\d+$/, kinds: ['ppp', null], what: 'point-to-point link', role: 'network' },
];

const byKind: Readonly<Record<string, InterfaceName>> = {
  bridge: { what: 'bridge', role: 'network' },
  bond: { what: 'bond', role: 'network' },
  team: { what: 'team', role: 'network' },
  vlan: { what: 'VLAN', role: 'network' },
  macvlan: { what: 'macvlan', role: 'network' },
  macvtap: { what: 'macvtap', role: 'machines' },
  ipvlan: { what: 'ipvlan', role: 'network' },
  ipvtap: { what: 'ipvtap', role: 'machines' },
  veth: { what: 'container link', role: 'containers' },
  netkit: { what: 'container link', role: 'containers' },
  wireguard: { what: 'WireGuard VPN', role: 'vpn' },
  amneziawg: { what: 'WireGuard VPN', role: 'vpn' },
  ovpn: { what: 'OpenVPN', role: 'vpn' },
  'ovpn-dco': { what: 'OpenVPN', role: 'vpn' },
  tun: { what: 'VPN tunnel', role: 'vpn' },
  ppp: { what: 'point-to-point link', role: 'network' },
  xfrm: { what: 'IPsec VPN', role: 'vpn' },
  vti: { what: 'IPsec VPN', role: 'vpn' },
  vti6: { what: 'IPsec VPN', role: 'vpn' },
  ipip: { what: 'tunnel', role: 'vpn' },
  sit: { what: 'IPv6-in-IPv4 tunnel', role: 'vpn' },
  ip6tnl: { what: 'tunnel', role: 'vpn' },
  gre: { what: 'GRE tunnel', role: 'vpn' },
  gretap: { what: 'GRE tunnel', role: 'vpn' },
  ip6gre: { what: 'GRE tunnel', role: 'vpn' },
  ip6gretap: { what: 'GRE tunnel', role: 'vpn' },
  erspan: { what: 'mirror tunnel', role: 'other' },
  vxlan: { what: 'VXLAN overlay', role: 'network' },
  geneve: { what: 'GENEVE overlay', role: 'network' },
  batadv: { what: 'mesh network', role: 'network' },
  dummy: { what: 'dummy device', role: 'other' },
  ifb: { what: 'traffic shaping device', role: 'other' },
  vrf: { what: 'VRF', role: 'other' },
  vcan: { what: 'CAN bus', role: 'other' },
};

/** What an interface is: by its kind, and by its name where a program is known for it. */
export function nameInterface(device: Interface): InterfaceName {
  if (device.loopback) return { what: 'this host', role: 'loopback' };
  const known = byName.find(
    ({ name, kinds }) => kinds.includes(device.kind) && name.test(device.name),
  );
  if (known) return { what: known.what, role: known.role };
  if (device.kind === null) return hardware(device);
  return byKind[device.kind] ?? { what: device.kind, role: 'other' };
}

function hardware(device: Interface): InterfaceName {
  const ethernet = 1; // ARPHRD_ETHER
  return {
    what: device.hardwareType === ethernet ? 'Ethernet' : 'network device',
    role: 'network',
  };
}

const roleOrder: Readonly<Record<InterfaceRole, number>> = {
  network: 0,
  vpn: 1,
  machines: 2,
  containers: 3,
  other: 4,
  loopback: 5,
};

/**
 * The interfaces in the order people care about: the one with the default route, other networks,
 * VPNs, virtual machines, containers, and `lo` at the end; by index among their like.
 */
export function interfacesByInterest(state: HostState): Interface[] {
  const first = defaultInterface(state);
  const rank = (device: Interface) =>
    device.name === first ? -1 : roleOrder[nameInterface(device).role];
  return [...state.interfaces].sort(
    (one, other) => rank(one) - rank(other) || one.index - other.index,
  );
}

const mainTable = 254; // RT_TABLE_MAIN

/**
 * The interface of the default route: what "the network" means to the person at this host. The main
 * table counts before others, because a VPN that takes all traffic keeps its default route in a
 * table of its own; IPv4 before IPv6, the smaller metric first. `null` without a default route.
 */
export function defaultInterface(state: HostState): string | null {
  const defaults = state.routes.filter(
    (route) =>
      route.type === 'unicast' &&
      (route.destination === '0.0.0.0/0' || route.destination === '::/0') &&
      route.nexthops.some((hop) => hop.interface !== null),
  );
  defaults.sort(
    (one, other) =>
      Number(one.table !== mainTable) - Number(other.table !== mainTable) ||
      one.family.localeCompare(other.family) ||
      one.metric - other.metric,
  );
  for (const route of defaults) {
    for (const hop of route.nexthops) {
      const device = state.interfaces.find(({ name }) => name === hop.interface);
      if (device?.up && !device.loopback) return device.name;
    }
  }
  return null;
}
