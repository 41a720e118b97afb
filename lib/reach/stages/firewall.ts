import type { Hook, Nftables } from '../../model/firewall.js';
import type { Missing } from '../../model/host-state.js';
import type { Course } from '../course.js';
import type { Device, Host } from '../host.js';
import type { Frame } from '../nftables/frame.js';
import { directionOf, redirecting, runHook, type Stop, stageOf } from '../nftables/hooks.js';
import type { Direction } from '../verdict.js';
import { bridgeAsks } from './bridge.js';
import { arriveOn, leaveBy } from './packets.js';
import { martianEnd } from './routing-ipv6.js';

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

/** XDP and tc programs on the way in cannot be read: what they do is unknown. */
export function passPrograms(course: Course, direction: Direction = 'request'): void {
  if (course.host.withoutPrograms) return;
  for (const { link, name } of passedOn(course, course.arrival)) {
    const meet = (program: 'xdp' | 'tc', how: string) =>
      course.doubt(
        direction === 'reply' ? 'reply' : 'ingress',
        { code: 'opaque-program', interface: name, program, direction },
        direction === 'request',
        `${how} on ${name} sees the packet first and cannot be read`,
        direction,
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
  const devices = new Set([...ports.flatMap((port) => below(host, port)), ...ports]);
  const all = [...devices, ...below(host, device), ...aboveOf(device)];
  passed.set(device, all);
  return all;
}

/** The device and its master. */
function aboveOf(device: Device): Device[] {
  return device.seenAs === device ? [device] : [device, device.seenAs];
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

/** Which of the devices that a packet passes: all, the master alone, those before it, or all but the master above. */
type Part = 'all' | 'master' | 'ports' | 'own';

function takesPart(part: Part, one: Device, device: Device): boolean {
  const isMaster = one === device.seenAs;
  switch (part) {
    case 'all':
      return true;
    case 'master':
      return isMaster;
    case 'ports':
      return !isMaster;
    case 'own':
      return !isMaster || one === device;
  }
}

/** The devices whose hooks a packet passes by a device, the lowest first. */
interface Path {
  readonly certain: readonly Device[];
  /** Those of which it is not known: by which of its ports a bridge or bond sends or took a packet. */
  readonly perhaps: readonly Device[];
}

const paths = new WeakMap<Device, Map<Part, Path>>();

function pathOf(course: Course, device: Device, part: Part): Path {
  const known = paths.get(device)?.get(part);
  if (known) return known;
  const meets = (one: Device) => takesPart(part, one, device);
  const certain = [...below(course.host, device), ...aboveOf(device)].filter(meets);
  const perhaps = passedOn(course, device).filter((one) => meets(one) && !certain.includes(one));
  const path = { certain, perhaps };
  const ofDevice = paths.get(device) ?? new Map<Part, Path>();
  paths.set(device, ofDevice.set(part, path));
  return path;
}

/** What a packet that leaves by a device, or comes in by one, meets at that device's own hook. */
function passDeviceHooks(
  course: Course,
  hook: 'ingress' | 'egress',
  frame: Frame,
  device: Device,
  part: Part,
): Stop | null {
  const { certain, perhaps } = pathOf(course, device, part);
  for (const one of perhaps) notEvaluated(course, hook, frame, chainsOn(course, hook, one));
  for (let place = 0; place < certain.length; place++) {
    const one = certain[hook === 'ingress' ? place : certain.length - 1 - place]!;
    if (hook === 'ingress') arriveOn(course, frame, one);
    else leaveBy(frame, one);
    const stop = runHook(course, hook, frame, one.name);
    if (stop) return stop;
  }
  return null;
}

function chainsOn({ host, packet }: Course, hook: Hook, device: Device): string[] {
  const entries = host.ruleset?.at(hook, packet.family, device.name) ?? [];
  return entries.flatMap((entry) => (entry.kind === 'chain' ? [entry.chain.name] : []));
}

/**
 * The firewall's hook for a packet: nftables is evaluated rule by rule; what other firewalls would
 * do makes what depends on it unknown. `null`: it passes, as far as is known.
 */
export function passHook(
  course: Course,
  hook: Hook,
  frame: Frame | null,
  direction: Direction,
  device: Device,
  part: Part = 'all',
): Stop | null {
  noteOthers(course, hook, direction);
  if (!frame) return null;
  noteUnevaluated(course, hook, frame, device);
  if (hook === 'ingress' || hook === 'egress')
    return passDeviceHooks(course, hook, frame, device, part);
  if (!frame.input && !frame.output) frame.output = device;
  return runHook(course, hook, frame, null);
}

/**
 * What IPv6 drops before it asks rules (ip6_rcv_core): on a device where it is off, and what no packet
 * may be. The stages behind say which it was.
 */
function isMartian({ packet, device, fromHere }: Course): boolean {
  if (packet.family === 'ipv4' || fromHere) return false;
  return !device.hasIpv6 || martianEnd(packet, device) !== null;
}

/** The hooks before routing: those of the devices that a packet comes in by, and prerouting. */
export function passEntrance(
  course: Course,
  frame: Frame | null,
  direction: Direction,
  device: Device,
): Stop | null {
  const enter = (part: Part) => passHook(course, 'ingress', frame, direction, device, part);
  const prerouting = () => {
    if (frame) arriveOn(course, frame, device.seenAs);
    return passHook(course, 'prerouting', frame, direction, device);
  };
  if (!bridgeAsks(course)) return enter('all') ?? (isMartian(course) ? null : prerouting());
  const early = enter('ports') ?? prerouting();
  if (early) return early;
  // br_nf_pre_routing_finish: what is translated is addressed to the bridge itself from then on.
  if (frame && course.asked && frame.tuple.destination !== course.asked.destination)
    frame.packetType = 0;
  return enter('master');
}

/** Rules of bridges and of ARP, and rules that a VRF has packets pass twice. */
function noteUnevaluated(course: Course, hook: Hook, frame: Frame, device: Device): void {
  const ruleset = course.host.ruleset!;
  if (!ruleset.hasUnevaluated && !device.vrf) return;
  const chains: string[] = [];
  // Frames that a bridge hands up to this host, or sends for it, pass its own hooks as well.
  if (device.seenAs.link.kind === 'bridge') {
    chains.push(...ruleset.unevaluated('bridge', hook).map(({ name }) => name));
  }
  // Without an answer to its question for the link-layer address no peer gets here.
  const arp = frame.family === 'ipv4' && !course.fromHere && !course.arrival.link.noArp;
  if (arp) chains.push(...ruleset.unevaluated('arp', hook).map(({ name }) => name));
  if (device.vrf && (hook === 'prerouting' || hook === 'output' || hook === 'postrouting')) {
    const entries = ruleset.at(hook, frame.family, null);
    chains.push(...entries.flatMap((entry) => (entry.kind === 'chain' ? [entry.chain.name] : [])));
  }
  notEvaluated(course, hook, frame, chains);
}

function notEvaluated(course: Course, hook: Hook, frame: Frame, chains: string[]): void {
  if (chains.length > 0) doubtChains(course, hook, directionOf(frame), chains);
}

function doubtChains(course: Course, hook: Hook, direction: Direction, chains: string[]): void {
  const cause = {
    code: 'firewall-not-evaluated',
    backend: 'nftables',
    hook,
    direction,
    chains,
  } as const;
  const detail = `nftables has a say at ${hook}: ${chains.join(', ')}`;
  course.doubt(
    direction === 'reply' ? 'reply' : stageOf[hook],
    cause,
    direction === 'request' && redirecting.has(hook),
    detail,
    direction,
  );
}

/** What could not be read, and legacy tables. */
function noteOthers(course: Course, hook: Hook, direction: Direction): void {
  const { host, packet } = course;
  if (host.withoutFirewall) return;
  const { nftables, legacy } = host.state.firewall;
  if (!nftables) unread(course, 'nftables', hook, direction);
  else if (host.foreignRules) noteForeign(course, nftables, hook, direction);
  if (legacyTablesAt[hook].length === 0) return;
  if (!legacy) {
    unread(course, 'legacy', hook, direction);
    return;
  }
  // Those that could be read are evaluated with the chains of nftables.
  const tables = legacy[packet.family].filter(({ chains }) => chains === null || !nftables);
  if (tables.length === 0) return;
  const chains = tables
    .filter(({ name }) => legacyTablesAt[hook].includes(name))
    .map(({ name }) => `table ${name}`);
  if (chains.length === 0) return;
  course.doubt(
    direction === 'reply' ? 'reply' : stageOf[hook],
    { code: 'firewall-not-evaluated', backend: 'legacy', hook, direction, chains },
    direction === 'request' && redirecting.has(hook),
    `iptables has a say at ${hook}: ${chains.join(', ')}`,
    direction,
  );
}

/** Registers hold numbers as the host that was captured does, and here they are read the other way. */
function noteForeign(course: Course, { chains }: Nftables, hook: Hook, direction: Direction): void {
  const own = course.packet.family === 'ipv4' ? 'ip' : 'ip6';
  const names = chains
    .filter(({ base, family }) => base?.hook === hook && [own, 'inet', 'netdev'].includes(family))
    .map(({ family, table, name }) => `${family} ${table} ${name}`);
  if (names.length > 0) doubtChains(course, hook, direction, names);
}

function unread(
  course: Course,
  backend: 'nftables' | 'legacy',
  hook: Hook,
  direction: Direction,
): void {
  const { reason, remedy } = missingPart(
    course.host,
    backend === 'nftables' ? 'nftables' : 'legacy-tables',
  );
  course.doubt(
    direction === 'reply' ? 'reply' : stageOf[hook],
    { code: 'firewall-unreadable', backend, hook, direction, reason, remedy },
    direction === 'request' && redirecting.has(hook),
    `what ${backend === 'nftables' ? 'nftables' : 'iptables'} does at ${hook} could not be read`,
    direction,
  );
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
