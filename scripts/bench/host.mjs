/*
 * Hosts as plain data, for measuring what is said of them.
 */

/** @typedef {import('../../lib/reach/index.js').HostState} HostState */
/** @typedef {HostState['interfaces'][number]} Interface */
/** @typedef {HostState['routes'][number]} Route */
/** @typedef {import('../../lib/reach/index.js').Socket} Socket */

/**
 * An Ethernet card (or lo) with addresses in CIDR notation.
 * @param {string} name
 * @param {number} index
 * @param {string[]} addresses
 * @returns {Interface}
 */
export function device(name, index, addresses) {
  return {
    index,
    name,
    kind: null,
    up: true,
    running: true,
    lowerUp: true,
    loopback: name === 'lo',
    pointToPoint: false,
    noArp: false,
    mac: name === 'lo' ? null : '02:00:00:00:00:01',
    mtu: 1500,
    master: null,
    portKind: null,
    lowerIndex: null,
    lowerElsewhere: false,
    group: 0,
    hardwareType: name === 'lo' ? 772 : 1,
    vrfTable: null,
    xdp: [],
    tcIngress: false,
    tcEgress: false,
    ipv4: {
      forwarding: 0,
      rp_filter: 2,
      accept_local: 0,
      route_localnet: 0,
      src_valid_mark: 0,
      arp_ignore: 0,
      arp_announce: 0,
      arp_filter: 0,
      bc_forwarding: 0,
      ignore_routes_with_linkdown: 0,
      drop_unicast_in_l2_multicast: 0,
    },
    ipv6: {
      forwarding: 0,
      disable_ipv6: 0,
      optimistic_dad: 0,
      use_optimistic: 0,
      ignore_routes_with_linkdown: 0,
      drop_unicast_in_l2_multicast: 0,
      force_forwarding: 0,
    },
    addresses: addresses.map((text) => {
      const [address = '', length] = text.split('/');
      const scope = address.startsWith('fe80') ? 'link' : 'global';
      const prefixLength = Number(length);
      return { address, prefixLength, scope, flags: ['permanent'], peer: null, broadcast: null };
    }),
  };
}

/**
 * A route by one interface.
 * @param {{ destination: string, interface: string, type?: 'unicast' | 'local', table?: number, gateway?: string }} what
 * @returns {Route}
 */
export function route({ destination, interface: name, type = 'unicast', table = 254, gateway }) {
  const ipv6 = destination.includes(':');
  return {
    family: ipv6 ? 'ipv6' : 'ipv4',
    table,
    type,
    destination: destination.includes('/') ? destination : `${destination}/${ipv6 ? 128 : 32}`,
    sourcePrefix: null,
    tos: 0,
    scope: 0,
    protocol: 2,
    metric: ipv6 && type === 'unicast' ? 1024 : 0,
    preferredSource: null,
    nexthops: [{ interface: name, gateway: gateway ?? null, weight: 1, flags: [] }],
    nexthopId: null,
    preference: ipv6 ? 'medium' : null,
    flags: [],
    encapsulation: null,
  };
}

/**
 * The routes that the kernel makes for the addresses of interfaces.
 * @param {Interface[]} interfaces
 * @returns {Route[]}
 */
export function ownRoutes(interfaces) {
  const routes = [
    route({ type: 'local', table: 255, destination: '127.0.0.0/8', interface: 'lo' }),
  ];
  for (const { name, loopback, addresses } of interfaces) {
    for (const { address, prefixLength } of addresses) {
      routes.push(route({ type: 'local', table: 255, destination: address, interface: name }));
      const destination = `${address}/${prefixLength}`;
      if (!loopback) routes.push(route({ destination, interface: name }));
    }
  }
  return routes;
}

/**
 * A TCP listener or an unconnected UDP socket.
 * @param {'tcp' | 'udp'} protocol
 * @param {string} address
 * @param {number} port
 * @returns {Socket}
 */
export function listener(protocol, address, port) {
  const ipv6 = address.includes(':');
  return {
    protocol,
    family: ipv6 ? 'ipv6' : 'ipv4',
    state: protocol === 'tcp' ? 'listen' : 'unconnected',
    local: { address, port },
    remote: null,
    interfaces: [],
    boundInterface: null,
    v6only: ipv6 ? false : null,
    inode: 10_000 + port,
    cookie: null,
    uid: 1000,
    receiveQueue: 0,
    sendQueue: 0,
    backlog: protocol === 'tcp' ? { length: 0, limit: 128 } : null,
    mark: 0,
    cgroup: null,
    transparent: false,
    source: 'netlink',
    owners: [{ pid: port, fd: 3, name: 'server', command: ['server'], uid: 1000 }],
  };
}

/**
 * A host without a firewall and without policy rules of its own.
 * @param {Interface[]} interfaces
 * @param {Route[]} routes
 * @param {Socket[]} sockets
 * @returns {HostState}
 */
export function hostState(interfaces, routes, sockets) {
  return {
    version: 1,
    when: '2026-01-01T00:00:00.000Z',
    where: { hostname: 'bench', kernel: '6.12.0', netns: null },
    families: { ipv4: true, ipv6: true },
    interfaces,
    routes,
    rules: [
      rule('ipv4', 0, 255),
      rule('ipv4', 32766, 254),
      rule('ipv4', 32767, 253),
      rule('ipv6', 0, 255),
      rule('ipv6', 32766, 254),
    ],
    settings: {},
    sockets,
    firewall: {
      nftables: {
        generation: 1,
        byteOrder: 'little',
        tables: [],
        chains: [],
        sets: [],
        objects: [],
        flowtables: [],
      },
      legacy: { ipv4: [], ipv6: [] },
    },
    missing: [],
  };
}

/**
 * @param {'ipv4' | 'ipv6'} family
 * @param {number} priority
 * @param {number} table
 * @returns {HostState['rules'][number]}
 */
function rule(family, priority, table) {
  return {
    family,
    priority,
    invert: false,
    from: null,
    to: null,
    tos: 0,
    inputInterface: null,
    inputDetached: false,
    outputInterface: null,
    outputDetached: false,
    mark: null,
    ipProtocol: null,
    sourcePort: null,
    destinationPort: null,
    uidRange: null,
    l3mdev: false,
    action: 'lookup',
    table,
    goto: null,
    suppressPrefixLength: null,
    suppressInterfaceGroup: null,
    protocol: 2,
    unknownAttributes: [],
  };
}
