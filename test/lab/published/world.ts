import type { LabFlow } from '../harness.js';
import { LAN4, LAN6, routed } from '../networks.js';
import type { ListenerSpec } from '../sockets.js';
import type { HostDescription } from '../topology.js';

/** A container: where rules send what is asked of the host. */
export const APP4 = '10.1.0.2';
export const APP6 = 'fd00:1::2';

/** A router with a neighbour, somebody behind another router, and a container on a bridge. */
export function world(nft: string): HostDescription {
  return {
    sysctls: { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 },
    nft,
    interfaces: {
      ...routed.interfaces,
      br0: {
        kind: 'bridge',
        addresses: ['10.1.0.1/24', 'fd00:1::1/64'],
        peers: {
          app: {
            addresses: [`${APP4}/24`, `${APP6}/64`],
            ip: ['route replace default via 10.1.0.1', '-6 route replace default via fd00:1::1'],
          },
        },
      },
    },
  };
}

/** The container's servers. */
export const servers: ListenerSpec[] = [
  { protocol: 'tcp', address: '::', port: 80, v6only: false },
  { protocol: 'udp', address: '0.0.0.0', port: 80, answerFrom: 'asked' },
  { protocol: 'udp', address: '::', port: 80, v6only: true, answerFrom: 'asked' },
];

/** Both outside and the host itself, by both protocols and families, ask for these ports. */
export function flowsTo(ports: readonly number[]): LabFlow[] {
  return ports.flatMap((port) =>
    ['neighbour', 'remote', 'host'].flatMap((from) =>
      [LAN4, LAN6].flatMap((address) =>
        (['tcp', 'udp'] as const).map((protocol) => ({
          from,
          protocol,
          destination: { address, port },
        })),
      ),
    ),
  );
}
