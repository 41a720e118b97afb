import type { LabFlow } from './harness.js';
import type { ListenerSpec } from './sockets.js';
import type { HostDescription } from './topology.js';

/** The host's addresses in the networks below. */
export const LAN4 = '192.0.2.1';
export const LAN6 = '2001:db8::1';

/** A host and one neighbour on its LAN. */
export const lan: HostDescription = {
  interfaces: {
    eth0: {
      addresses: [`${LAN4}/24`, `${LAN6}/64`],
      peers: { neighbour: { addresses: ['192.0.2.10/24', '2001:db8::10/64'] } },
    },
  },
};

/** The same, and a router with somebody behind it. */
export const routed: HostDescription = {
  interfaces: {
    eth0: {
      addresses: [`${LAN4}/24`, `${LAN6}/64`],
      peers: {
        neighbour: { addresses: ['192.0.2.10/24', '2001:db8::10/64'] },
        router: {
          addresses: ['192.0.2.254/24', '2001:db8::fe/64'],
          interfaces: {
            eth1: {
              addresses: ['198.51.100.1/24', '2001:db8:1::1/64'],
              peers: { remote: { addresses: ['198.51.100.10/24', '2001:db8:1::10/64'] } },
            },
          },
        },
      },
    },
  },
};

/** A host with a foot in two networks. */
export const twoFeet: HostDescription = {
  interfaces: {
    eth0: {
      addresses: [`${LAN4}/24`, `${LAN6}/64`],
      peers: { neighbour: { addresses: ['192.0.2.10/24', '2001:db8::10/64'] } },
    },
    eth1: {
      addresses: ['198.51.100.1/24', '2001:db8:1::1/64'],
      peers: { other: { addresses: ['198.51.100.10/24', '2001:db8:1::10/64'] } },
    },
  },
};

export const transports = ['tcp', 'udp'] as const;

/** The socket for TCP and for UDP. */
export function both(spec: Omit<ListenerSpec, 'protocol'>): ListenerSpec[] {
  return transports.map((protocol) => ({ protocol, ...spec }));
}

/** Each asks each address at the port, by TCP and by UDP. */
export function everyFlow(from: string[], addresses: string[], port: number): LabFlow[] {
  return from.flatMap((client) =>
    addresses.flatMap((address) =>
      transports.map((protocol) => ({ from: client, protocol, destination: { address, port } })),
    ),
  );
}
