import type { Socket } from '#earshot/model/socket.js';
import type { Exposure, Scope } from '#earshot/reach/exposure-row.js';

/** A TCP listener, as the kernel tells of one. */
export function listener(port: number, more: Partial<Socket> = {}): Socket {
  return {
    protocol: 'tcp',
    family: 'ipv4',
    state: 'listen',
    local: { address: '0.0.0.0', port },
    remote: null,
    interfaces: ['lo', 'eth0'],
    boundInterface: null,
    v6only: null,
    inode: port,
    cookie: String(port),
    uid: 0,
    receiveQueue: 0,
    sendQueue: 0,
    backlog: { length: 0, limit: 128 },
    mark: null,
    cgroup: null,
    source: 'netlink',
    owners: [{ pid: 1, fd: 3, name: 'server', command: ['server'], uid: 0 }],
    ...more,
  } as Socket;
}

/** Who reaches it: these peers, by eth0. */
export function exposed(socket: Socket, scope: Scope, peers: string[]): Exposure {
  return {
    endpoint: { protocol: socket.protocol, port: socket.local.port },
    socket,
    scope,
    reach: [
      {
        interface: 'eth0',
        address: '192.0.2.1',
        port: socket.local.port,
        peers,
        url: null,
        forwardedTo: null,
      },
    ],
    blocked: [],
    unknown: [],
  };
}

/** It has gone. */
export const gone = (exposure: Exposure): Exposure => ({
  ...exposure,
  scope: 'nobody',
  reach: [],
});
