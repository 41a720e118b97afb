import { EarshotError } from '../errors.js';
import { bitsOf } from './address.js';
import { firewall } from './firewall-check.js';
import { HOST_STATE_VERSION, type HostState } from './host-state.js';
import {
  address,
  addressFamily,
  bool,
  byte,
  dictionary,
  formatPath,
  int,
  isObject,
  listOf,
  oneOf,
  optional,
  orNull,
  type Problem,
  port,
  prefix,
  prefixFamily,
  record,
  type Shape,
  shape,
  show,
  text,
  whole,
  word,
} from './shape.js';

const REMEDY = "make a new capture with 'earshot capture'";

/**
 * The capture that a text holds.
 *
 * @throws EarshotError `ERR_INVALID_STATE`, which says what is wrong with it and where: cut short, not a
 *   capture, of another version, a field of another form
 * @example
 * ```js
 * import { capture, exposure, parseState } from 'earshot';
 * const text = JSON.stringify(await capture()); // what `earshot capture` writes
 * console.log(exposure(parseState(text)).length, 'listeners');
 * ```
 */
export function parseState(text: string): HostState {
  if (text.trim() === '') throw invalidState(`the capture is empty: ${REMEDY}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidState(
      `the capture is not whole JSON, it may have been cut short (${(error as Error).message}): ${REMEDY}`,
    );
  }
  return checkState(value);
}

/**
 * The same value, checked to be a capture: every field that a verdict depends on is there and of
 * its form.
 *
 * @throws EarshotError `ERR_INVALID_STATE`, which names the field and the value met
 * @example
 * ```js
 * import { checkState, EarshotError } from 'earshot';
 * try {
 *   checkState({ version: 0 });
 * } catch (error) {
 *   if (error instanceof EarshotError) console.log(error.code, error.message);
 * }
 * ```
 */
export function checkState(value: unknown): HostState {
  if (!isObject(value) || !Object.hasOwn(value, 'version')) {
    throw invalidState(`this is not a capture but ${show(value)}: ${REMEDY}`);
  }
  if (value.version !== HOST_STATE_VERSION) {
    throw invalidState(
      `the capture is of version ${show(value.version)}, and this earshot reads version ${HOST_STATE_VERSION}: ` +
        `use the earshot it was made with, or ${REMEDY}`,
    );
  }
  const problem = hostState(value);
  if (problem) {
    throw invalidState(
      `the capture cannot be used: ${formatPath(problem.path)} ${problem.message}; ${REMEDY}`,
    );
  }
  return value as unknown as HostState;
}

function invalidState(message: string): EarshotError {
  return new EarshotError('ERR_INVALID_STATE', message);
}

const family = oneOf('ipv4', 'ipv6');
const texts = listOf(text);
const count = whole(0, Number.MAX_SAFE_INTEGER);

/** Fields that must be of the family that the record says it is of. */
function ofFamily(
  ...fields: ((entry: Record<string, unknown>) => [string, string | null])[]
): Shape {
  return (value): Problem | null => {
    const entry = value as Record<string, unknown>;
    for (const field of fields) {
      const [name, met] = field(entry);
      if (met !== null && met !== entry.family) {
        return { path: [name], message: `is of ${met} in a record of ${String(entry.family)}` };
      }
    }
    return null;
  };
}

const interfaceAddress = record(
  {
    address,
    prefixLength: whole(0, 128),
    scope: text,
    flags: texts,
    peer: orNull(address),
    broadcast: orNull(address),
  },
  (value) => {
    const entry = value as { address: string; prefixLength: number };
    const bits = bitsOf(addressFamily(entry.address)!);
    if (entry.prefixLength <= bits) return null;
    return {
      path: ['prefixLength'],
      message: `is ${entry.prefixLength}, more than the ${bits} bits of ${entry.address}`,
    };
  },
);

const ipv4Settings = record({
  forwarding: int,
  rp_filter: int,
  accept_local: int,
  route_localnet: int,
  src_valid_mark: int,
  arp_ignore: int,
  arp_announce: int,
  arp_filter: int,
  bc_forwarding: int,
  ignore_routes_with_linkdown: int,
  drop_unicast_in_l2_multicast: int,
});

const ipv6Settings = record({
  forwarding: int,
  disable_ipv6: int,
  optimistic_dad: int,
  use_optimistic: int,
  ignore_routes_with_linkdown: int,
  drop_unicast_in_l2_multicast: int,
  force_forwarding: orNull(int),
});

const networkInterface = record({
  index: whole(1, 0x7fffffff),
  name: text,
  kind: orNull(text),
  up: bool,
  running: bool,
  lowerUp: bool,
  loopback: bool,
  pointToPoint: bool,
  noArp: bool,
  mac: orNull(text),
  mtu: word,
  master: orNull(text),
  portKind: orNull(text),
  lowerIndex: orNull(int),
  lowerElsewhere: bool,
  group: word,
  hardwareType: port,
  vrfTable: orNull(word),
  xdp: texts,
  tcIngress: bool,
  tcEgress: bool,
  ipv4: orNull(ipv4Settings),
  ipv6: orNull(ipv6Settings),
  addresses: listOf(interfaceAddress),
  groups: optional(listOf(address)),
  neighbours: optional(listOf(address)),
  permanentNeighbours: optional(listOf(address)),
  ipv6Neighbours: optional(record({ permanent: listOf(address), learned: listOf(address) })),
  portState: optional(oneOf('forwarding', 'blocked', 'active', 'backup')),
  vlanFiltering: optional(bool),
  callsFirewall: optional(record({ ipv4: bool, ipv6: bool })),
});

const route = record(
  {
    family,
    table: word,
    type: oneOf(
      'unicast',
      'local',
      'broadcast',
      'anycast',
      'multicast',
      'blackhole',
      'unreachable',
      'prohibit',
      'throw',
      'nat',
    ),
    destination: prefix,
    sourcePrefix: orNull(prefix),
    tos: byte,
    scope: byte,
    protocol: byte,
    metric: word,
    preferredSource: orNull(address),
    nexthops: listOf(
      record({
        interface: orNull(text),
        gateway: orNull(address), // of the other family where RTA_VIA says so
        weight: whole(1, 65536),
        flags: texts,
      }),
    ),
    nexthopId: orNull(word),
    preference: orNull(oneOf('low', 'medium', 'high')),
    flags: texts,
    encapsulation: orNull(port),
  },
  ofFamily(
    (entry) => ['destination', prefixFamily(entry.destination)],
    (entry) => ['sourcePrefix', prefixFamily(entry.sourcePrefix)],
    (entry) => ['preferredSource', addressFamily(entry.preferredSource)],
  ),
);

const portRange = record({ from: port, to: port });

const rule = record(
  {
    family,
    priority: word,
    invert: bool,
    from: orNull(prefix),
    to: orNull(prefix),
    tos: byte,
    inputInterface: orNull(text),
    inputDetached: bool,
    outputInterface: orNull(text),
    outputDetached: bool,
    mark: orNull(record({ value: word, mask: word })),
    ipProtocol: orNull(byte),
    sourcePort: orNull(portRange),
    destinationPort: orNull(portRange),
    uidRange: orNull(record({ from: word, to: word })),
    l3mdev: bool,
    action: oneOf('lookup', 'goto', 'nop', 'blackhole', 'unreachable', 'prohibit'),
    table: orNull(word),
    goto: orNull(word),
    suppressPrefixLength: orNull(word),
    suppressInterfaceGroup: orNull(word),
    protocol: byte,
    unknownAttributes: listOf(whole(0, 0x3fff)),
  },
  ofFamily(
    (entry) => ['from', prefixFamily(entry.from)],
    (entry) => ['to', prefixFamily(entry.to)],
  ),
);

const endpoint = record({ address, port });

const socket = record(
  {
    protocol: oneOf('tcp', 'udp'),
    family,
    state: oneOf(
      'established',
      'syn-sent',
      'syn-received',
      'fin-wait-1',
      'fin-wait-2',
      'time-wait',
      'closed',
      'close-wait',
      'last-ack',
      'listen',
      'closing',
      'bound',
      'unconnected',
    ),
    local: endpoint,
    remote: orNull(endpoint),
    interfaces: texts,
    boundInterface: orNull(text),
    v6only: orNull(bool),
    inode: word,
    cookie: orNull(text),
    uid: word,
    receiveQueue: word,
    sendQueue: word,
    backlog: orNull(record({ length: word, limit: word })),
    mark: orNull(word),
    cgroup: orNull(text),
    transparent: orNull(bool),
    keyedPeers: optional(listOf(prefix)),
    reuseAddress: optional(bool),
    reusePort: optional(bool),
    source: oneOf('netlink', 'procfs'),
    owners: optional(
      listOf(record({ pid: count, fd: count, name: text, command: texts, uid: word })),
    ),
  },
  ofFamily((entry) => ['local', addressFamily((entry.local as { address: string }).address)]),
);

const heldPorts = record(
  {
    family,
    address,
    boundInterface: orNull(text),
    uid: word,
    timeWait: bool,
    v6only: optional(bool),
    reuseAddress: optional(bool),
    reusePort: optional(bool),
    source: oneOf('netlink', 'procfs'),
    ports: listOf(port),
  },
  ofFamily((entry) => ['address', addressFamily(entry.address)]),
);

const missing = record({
  what: oneOf(
    'sockets',
    'owners',
    'marks',
    'interfaces',
    'routes',
    'rules',
    'settings',
    'nftables',
    'legacy-tables',
    'ipsets',
    'programs',
    'ipv6',
    'consistency',
  ),
  reason: text,
  remedy: text,
});

const hostState = record({
  when: shape(
    'a time as ISO 8601 writes it',
    (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)),
  ),
  where: record({ hostname: text, kernel: text, netns: orNull(count), uid: optional(word) }),
  families: record({ ipv4: bool, ipv6: bool }),
  interfaces: listOf(networkInterface),
  routes: listOf(route),
  rules: listOf(rule),
  customRules: optional(record({ ipv4: orNull(bool), ipv6: orNull(bool) })),
  settings: dictionary(
    shape('a number or text', (value) => Number.isFinite(value) || typeof value === 'string'),
  ),
  sockets: listOf(socket),
  held: optional(listOf(heldPorts)),
  firewall,
  missing: listOf(missing),
});
