import type { Hook, NftChain } from '../../model/firewall.js';
import type { Missing } from '../../model/host-state.js';
import type { Course } from '../course.js';
import type { Device, Host } from '../host.js';
import type { Direction, Stage } from '../verdict.js';

/** Which legacy tables stand at a hook (net/ipv4/netfilter/iptable_*.c). */
const legacyTablesAt: Record<Hook, readonly string[]> = {
  ingress: [],
  egress: [],
  prerouting: ['raw', 'mangle', 'nat'],
  input: ['mangle', 'filter', 'security', 'nat'],
  forward: ['mangle', 'filter', 'security'],
  output: ['raw', 'mangle', 'nat', 'filter', 'security'],
  postrouting: ['mangle', 'nat'],
};

/** Hooks at which a packet may be given another address or way, not only be stopped. */
const redirecting: ReadonlySet<Hook> = new Set(['ingress', 'prerouting', 'output']);

const stageOf: Record<Hook, Stage> = {
  ingress: 'ingress',
  egress: 'output',
  prerouting: 'prerouting',
  input: 'input',
  forward: 'forward',
  output: 'output',
  postrouting: 'output',
};

/** XDP and tc programs on the way in cannot be read: what they do is unknown. */
export function passPrograms(course: Course): void {
  if (course.host.withoutPrograms) return;
  for (const { link, name } of passedOn(course, course.arrival)) {
    const meet = (program: 'xdp' | 'tc', how: string) =>
      course.doubt(
        'ingress',
        { code: 'opaque-program', interface: name, program, direction: 'request' },
        true,
        `${how} on ${name} sees the packet first and cannot be read`,
        'request',
      );
    if (link.xdp.length > 0) meet('xdp', `an XDP program (${link.xdp.join(', ')})`);
    if (link.tcIngress) meet('tc', 'a tc filter');
  }
}

/** A tc program on the way out. */
export function passEgressPrograms(
  course: Course,
  device: Device,
  direction: Direction = 'reply',
): void {
  if (course.host.withoutPrograms) return;
  for (const { link, name } of passedOn(course, device)) {
    if (!link.tcEgress) continue;
    course.doubt(
      direction === 'reply' ? 'reply' : 'output',
      { code: 'opaque-program', interface: name, program: 'tc', direction },
      direction === 'request',
      `a tc filter on ${name} sees the ${direction === 'reply' ? 'answer' : 'packet'} and cannot be read`,
      direction,
    );
  }
}

const passed = new WeakMap<Device, readonly Device[]>();

/**
 * The devices that a packet passes to come in or leave by a device, each with its own programs and
 * netdev chains (__netif_receive_skb_core goes around once more for each): what a VLAN or macvlan
 * stands on, the device, and its master. What comes in by a master came in by one of its ports.
 */
function passedOn({ host }: Course, device: Device): readonly Device[] {
  const known = passed.get(device);
  if (known) return known;
  const ports =
    device.seenAs === device
      ? [...host.devices.values()].filter((one) => one !== device && one.seenAs === device)
      : [];
  const above = device.seenAs === device ? [device] : [device, device.seenAs];
  const devices = new Set([...ports.flatMap((port) => below(host, port)), ...ports]);
  const all = [...devices, ...below(host, device), ...above];
  passed.set(device, all);
  return all;
}

const standsOnAnother: ReadonlySet<string | null> = new Set(['vlan', 'macvlan', 'ipvlan']);

/** The devices that a device stands on, the lowest first. */
function below(host: Host, device: Device): Device[] {
  const found: Device[] = [];
  let { link } = device;
  while (standsOnAnother.has(link.kind) && !link.lowerElsewhere && link.lowerIndex !== null) {
    const lower = host.byIndex.get(link.lowerIndex);
    if (!lower || found.includes(lower)) break; // a loop in a spoiled capture
    found.unshift(lower);
    link = lower.link;
  }
  return found;
}

/**
 * The firewall's hook for a packet. Rules are not evaluated: a chain that can do nothing is passed,
 * anything else makes what depends on it unknown.
 */
export function passHook(
  course: Course,
  hook: Hook,
  direction: Direction,
  device: Device | null,
): void {
  const { host, packet } = course;
  if (host.withoutFirewall) return;
  const stage = direction === 'reply' ? 'reply' : stageOf[hook];
  const redirects = direction === 'request' && redirecting.has(hook);
  const { nftables, legacy } = host.state.firewall;
  if (nftables?.chains.length === 0 && legacy?.[packet.family].length === 0) return;
  const seen = (backend: 'nftables' | 'legacy', chains: string[]) => {
    if (chains.length === 0) return;
    course.doubt(
      stage,
      { code: 'firewall-not-evaluated', backend, hook, direction, chains },
      redirects,
      `${backend === 'nftables' ? 'nftables' : 'iptables'} has a say at ${hook}: ${chains.join(', ')}`,
      direction,
    );
  };
  const unread = (backend: 'nftables' | 'legacy', missing: Missing) =>
    course.doubt(
      stage,
      {
        code: 'firewall-unreadable',
        backend,
        hook,
        direction,
        reason: missing.reason,
        remedy: missing.remedy,
      },
      redirects,
      `what ${backend === 'nftables' ? 'nftables' : 'iptables'} does at ${hook} could not be read`,
      direction,
    );
  if (nftables) seen('nftables', nftChainsAt(course, hook, direction, device));
  else unread('nftables', missingPart(host, 'nftables'));
  if (legacyTablesAt[hook].length === 0) return;
  if (legacy) {
    const loaded = legacy[packet.family].filter((name) => legacyTablesAt[hook].includes(name));
    seen(
      'legacy',
      loaded.map((name) => `table ${name}`),
    );
  } else unread('legacy', missingPart(host, 'legacy-tables'));
}

function missingPart(host: Host, what: Missing['what']): Missing {
  return (
    host.state.missing.find((missing) => missing.what === what) ?? {
      what,
      reason: 'the capture does not say why',
      remedy: 'capture again as root',
    }
  );
}

/** The base chains that a packet meets at a hook and that may act on it. */
function nftChainsAt(
  course: Course,
  hook: Hook,
  direction: Direction,
  device: Device | null,
): string[] {
  const { nftables } = course.host.state.firewall;
  if (!nftables || nftables.chains.length === 0) return [];
  const dormant = new Set(
    nftables.tables
      .filter((table) => table.flags.includes('dormant'))
      .map((table) => `${table.family} ${table.name}`),
  );
  return nftables.chains
    .filter(({ base, rules }) => {
      // A base chain without rules does what its policy says; accept is nothing.
      return base?.hook === hook && (rules > 0 || base.policy === 'drop');
    })
    .filter((chain) => meets(course, chain, direction, device))
    .filter((chain) => !dormant.has(`${chain.family} ${chain.table}`))
    .map((chain) => `${chain.family} ${chain.table} ${chain.name}`);
}

function meets(
  course: Course,
  { family, base }: NftChain,
  direction: Direction,
  device: Device | null,
): boolean {
  const ipv4 = course.packet.family === 'ipv4';
  const byDevice = base?.hook === 'ingress' || base?.hook === 'egress';
  switch (family) {
    case 'ip':
      return ipv4;
    case 'ip6':
      return !ipv4;
    case 'inet':
    case 'netdev':
      if (!byDevice || device === null) return true;
      return passedOn(course, device).some(({ name }) => hooksInto(base.devices, name));
    case 'bridge':
      // Frames that a bridge hands up to this host, or sends for it, pass its own hooks as well.
      return (
        (direction === 'request' ? course.device : course.wayBack?.device)?.link.kind === family
      );
    case 'arp':
      // Without an answer to its question for the link-layer address no peer gets here.
      return ipv4 && !course.fromHere && !course.arrival.link.noArp;
  }
}

/** A star ends a name that stands for all that begin so (Linux 6.16). */
function hooksInto(devices: readonly string[], name: string): boolean {
  return devices.some((one) =>
    one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : one === name,
  );
}
