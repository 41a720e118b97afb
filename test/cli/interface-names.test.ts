import test from 'ava';
import {
  defaultInterface,
  type InterfaceRole,
  interfacesByInterest,
  nameInterface,
} from '#earshot/cli/render/interface-names.js';
import { device, laptop, route } from './laptop.js';

const cases: [name: string, kind: string | null, what: string, role: InterfaceRole][] = [
  ['eth0', null, 'Ethernet', 'network'],
  ['wlp3s0', null, 'Wi-Fi', 'network'],
  ['docker0', 'bridge', 'Docker bridge', 'containers'],
  ['br-0a1b2c3d4e5f', 'bridge', 'Docker bridge', 'containers'],
  ['br-lan', 'bridge', 'bridge', 'network'],
  ['virbr0', 'bridge', 'libvirt bridge', 'machines'],
  ['lxcbr0', 'bridge', 'LXC bridge', 'containers'],
  ['lxdbr0', 'bridge', 'LXD bridge', 'containers'],
  ['podman0', 'bridge', 'Podman bridge', 'containers'],
  ['cni-podman0', 'bridge', 'Podman bridge', 'containers'],
  ['cni0', 'bridge', 'Kubernetes bridge', 'containers'],
  ['veth1a2b3c4', 'veth', 'container link', 'containers'],
  ['eth0', 'veth', 'virtual Ethernet', 'network'],
  ['wg0', 'wireguard', 'WireGuard VPN', 'vpn'],
  ['office', 'wireguard', 'WireGuard VPN', 'vpn'],
  ['tun0', 'tun', 'VPN tunnel', 'vpn'],
  ['tailscale0', 'tun', 'Tailscale VPN', 'vpn'],
  ['vnet3', 'tun', 'virtual machine link', 'machines'],
  ['something0', 'newkind', 'newkind', 'other'],
];

for (const [name, kind, what, role] of cases) {
  test(`${name} of kind ${kind ?? 'hardware'} is a ${what}`, (t) => {
    t.like(nameInterface(device(name, { kind })), { what, role });
  });
}

test('a card that somebody called docker0 is still a card', (t) => {
  t.is(nameInterface(device('docker0')).what, 'Ethernet');
});

test('the interface of the default route comes first, containers late, lo last', (t) => {
  const names = interfacesByInterest(laptop()).map(({ name }) => name);
  t.deepEqual(names, ['eth0', 'wg0', 'docker0', 'lo']);
});

test('a VPN that takes all traffic in a table of its own does not hide the network', (t) => {
  const state = laptop();
  state.routes.unshift(route('0.0.0.0/0', 'wg0', { table: 51820 }));
  t.is(defaultInterface(state), 'eth0');
});

test('of two default routes the smaller metric is the network', (t) => {
  const routes = [
    route('0.0.0.0/0', 'eth0', { metric: 600 }),
    route('0.0.0.0/0', 'docker0', { metric: 100 }),
  ];
  t.is(defaultInterface(laptop({ routes })), 'docker0');
});

test('a host without a default route has no such interface', (t) => {
  t.is(defaultInterface(laptop({ routes: [] })), null);
});
