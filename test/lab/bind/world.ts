import { setTimeout } from 'node:timers/promises';
import { addon } from '../addon.js';
import { makeNamespaces, type Namespace } from '../namespaces.js';
import type { Random } from '../random/random.js';
import {
  closeListeners,
  ListenError,
  type Listener,
  type ListenerSpec,
  tryListen,
} from '../sockets.js';

/*
 * A namespace whose sockets came and went by chance: listening, bound, connected, closed, with random
 * options and of two users; what the kernel refused is not there.
 */

/** Ports that sockets and questions meet on. The first is privileged, mostly. */
export const ports = [700, 5000, 5001];
const uids = [0, 0, 1000];
export const devices = ['e0', 'e1', 'lo'];

/** The addresses of the namespace, some of them not ready, and some that are nobody's. */
export const addresses = [
  '0.0.0.0',
  '0.0.0.0',
  '127.0.0.1',
  '127.0.0.6',
  '127.255.255.255',
  '10.0.0.1',
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.255',
  '10.1.0.1',
  '::',
  '::',
  '::',
  '::1',
  'fd00::1',
  'fd00::2',
  'fd00:1::1',
  'fe80::1',
  '::ffff:10.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:0.0.0.0',
];

/** Those, and what is refused for itself. */
export const oddAddresses = [
  '10.9.9.9',
  '0.0.0.1',
  '224.0.0.251',
  '255.255.255.255',
  '10.2.0.1',
  'fd00::9',
  'fd00:2::1',
  'fe80::9',
  'ff02::1',
  'ff01::1',
  'ff05::2',
  '::ffff:10.9.9.9',
  '::10.0.0.1',
];

/** A namespace and what is open in it. */
export interface World {
  readonly namespace: Namespace;
  readonly open: Listener[];
  close(): void;
}

/** Makes the namespace, and lets sockets come and go in it. The caller closes it. */
export async function buildWorld(random: Random): Promise<World> {
  const [namespace] = makeNamespaces(['bind']) as [Namespace];
  const open: Listener[] = [];
  const world: World = {
    namespace,
    open,
    close() {
      closeListeners(open.splice(0));
      namespace.close();
    },
  };
  try {
    await namespace.ip([
      'link set lo up',
      'link add e0 type veth peer name f0',
      'link add e1 type veth peer name f1',
      'link add t0 type veth peer name u0',
      ...['e0', 'f0', 'e1', 'f1'].map((name) => `link set ${name} up`),
      'address add 10.0.0.1/24 brd + dev e0',
      'address add 10.0.0.2/24 dev e0',
      'address add 10.1.0.1/24 dev e1',
      'address add fd00::1/64 dev e0 nodad',
      'address add fd00::2/128 dev lo nodad',
      'address add fd00:1::1/64 dev e1 nodad',
      'address add fe80::1/64 dev e0 nodad',
      'address add 10.2.0.1/24 dev t0',
    ]);
    await namespace.settle();
    // Duplicate detection waits for a carrier that never comes.
    namespace.sysctl({ 'net.ipv6.conf.t0.accept_dad': 1, 'net.ipv6.conf.t0.dad_transmits': 1 });
    await namespace.ip(['link set t0 up', 'address add fd00:2::1/64 dev t0']);
    namespace.sysctl(settings(random));
    for (let left = random.between(1, 30); left > 0; left--) happen(random, namespace, open);
    // Handshakes and FINs over lo are done; what they leave behind has its place.
    await setTimeout(5);
    return world;
  } catch (error) {
    world.close();
    throw error;
  }
}

function settings(random: Random) {
  return {
    'net.ipv4.ip_nonlocal_bind': random.chance(0.1) ? 1 : 0,
    'net.ipv6.ip_nonlocal_bind': random.chance(0.1) ? 1 : 0,
    'net.ipv4.ip_unprivileged_port_start': random.pick([1024, 1024, 0, 5001]),
    'net.ipv6.bindv6only': random.chance(0.2) ? 1 : 0,
    'net.ipv4.ip_local_port_range': random.pick(['32768 60999', '40000 40003']),
    'net.ipv4.ip_local_reserved_ports': random.pick(['', '40000-40002', '5000,40001']),
  };
}

/** One more socket, or one fewer. */
function happen(random: Random, namespace: Namespace, open: Listener[]): void {
  const chance = random.next();
  if (chance < 0.2) {
    vanish(random, open);
    return;
  }
  if (chance < 0.45) {
    connect(random, namespace, open);
    return;
  }
  const spec = randomSocket(random, addresses);
  // Many on one port: UDP looks at them in another way then.
  const many = spec.protocol === 'udp' && random.chance(0.1) ? 14 : 1;
  const specs = Array.from({ length: many }, (_, place) =>
    many > 1 && random.chance(0.7) ? { ...spec, address: `127.0.1.${place + 1}` } : spec,
  );
  keep(namespace, open, specs);
}

function keep(namespace: Namespace, open: Listener[], specs: ListenerSpec[]): Listener[] {
  const opened = tryListen(namespace, specs).filter((one) => !(one instanceof ListenError));
  open.push(...(opened as Listener[]));
  return opened as Listener[];
}

/** A socket with options of chance. */
export function randomSocket(random: Random, from: readonly string[]): ListenerSpec {
  const protocol = random.pick(['tcp', 'tcp', 'udp'] as const);
  const address = random.pick(from);
  const spec: ListenerSpec = { protocol, address, port: random.pick(ports) };
  if (random.chance(0.4)) spec.reuseAddress = true;
  if (random.chance(0.4)) spec.reusePort = true;
  if (random.chance(0.2)) spec.device = random.pick(devices);
  if (address.startsWith('fe80') && random.chance(0.8)) spec.device = 'e0';
  if (address.includes(':') && random.chance(0.5)) spec.v6only = random.chance(0.5);
  const uid = random.pick(uids);
  if (uid !== 0) spec.uid = uid;
  if (protocol === 'tcp' && random.chance(0.4)) spec.listen = false;
  if (protocol === 'udp' && random.chance(0.1))
    spec.connectedTo = address.includes('.')
      ? { address: '127.0.0.1', port: 9 }
      : { address: '::1', port: 9 };
  return spec;
}

function vanish(random: Random, open: Listener[]): void {
  if (open.length === 0) return;
  closeListeners(open.splice(random.between(0, open.length - 1), 1));
}

/** A connection to a listener, or an outgoing one from a port that is asked for; either end may close. */
function connect(random: Random, namespace: Namespace, open: Listener[]): void {
  const listeners = open.filter(
    ({ spec }) => spec.protocol === 'tcp' && spec.listen !== false && !spec.connectedTo,
  );
  if (listeners.length === 0) return;
  const listener = random.pick(listeners);
  const { address, device } = listener.spec;
  if (device !== undefined && device !== 'lo') return;
  const wild = address === '0.0.0.0' || address === '::ffff:0.0.0.0';
  const target = wild ? '127.0.0.1' : address === '::' ? '::1' : address.replace('::ffff:', '');
  const client: ListenerSpec = {
    protocol: 'tcp',
    address: target.includes(':') ? '::' : '0.0.0.0',
    port: random.chance(0.5) ? 0 : random.pick(ports),
    reuseAddress: random.chance(0.6),
    connectedTo: { address: target, port: listener.port },
  };
  const [connected] = keep(namespace, open, [client]);
  const accepted = addon.acceptOne(listener.fd);
  if (!connected || accepted.error !== null) return;
  const { fd, port, inode } = accepted;
  const spec: ListenerSpec = {
    ...client,
    port,
    connectedTo: { address: target, port: connected.port },
  };
  const server: Listener = { spec, namespace, fd, port, inode };
  // Who closes first is left with TIME-WAIT.
  const ends = random.chance(0.5) ? [server, connected] : [connected, server];
  const closing = random.between(0, 2);
  if (closing < 2) open.push(...(ends.slice(closing).includes(server) ? [server] : []));
  closeListeners(ends.slice(0, closing));
  for (const end of ends.slice(0, closing)) {
    const place = open.indexOf(end);
    if (place >= 0) open.splice(place, 1);
  }
}
