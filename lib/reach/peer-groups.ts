import { type Address, formatAddress, unspecified } from '../model/address.js';
import { addressFromNumber, addressToNumber } from '../model/prefix-set.js';
import type { Socket } from '../model/socket.js';
import type { Host } from './host.js';
import { type Door, knock, type SocketFate, type Target } from './knock.js';
import { Audience } from './nftables/audience.js';
import { Peer, PeerWatch } from './nftables/peer-watch.js';
import type { PortWatch } from './nftables/port-watch.js';
import type { CompiledRule } from './nftables/ruleset.js';
import { divide, firstOf, type PeerPart, Region } from './peer-parts.js';
import type { StartingPart } from './peer-space.js';
import type { Followed } from './trace.js';

/** Peers with one fate at one door. */
export interface PeerGroup {
  readonly fate: SocketFate;
  /** The one who was asked about. */
  readonly peer: string;
  /** The fate, but for that peer's own address, once somebody has asked for its name. */
  name: string | null;
  readonly parts: readonly PeerPart[];
  /** Some of them stand beyond the link. */
  readonly beyond: boolean;
  /** Where it was asked for another address or port than it came to, who took it; `null` for nobody. */
  readonly sentTo?: Socket | null;
}

/** This host itself at one of its doors, from the source that the kernel selects: rules for others are not for it. */
export class Ourselves {
  readonly peer: Peer;
  readonly audience: Audience;

  constructor(address: Address) {
    this.peer = new Peer(address);
    const { number } = this.peer;
    this.audience = new Audience(address.family, [{ first: number, last: number }]);
  }
}

/** This host itself; `ourselves`: as it was found to ask at this door before. */
export function groupHere(
  host: Host,
  target: Target,
  door: Door,
  port: PortWatch | null,
  ourselves: Ourselves | null,
): PeerGroup[] {
  const { peer = nobody[door.family], audience = null } = ourselves ?? {};
  const watch = port && new PeerWatch<CompiledRule>(peer, port, audience);
  const asked = knock(host, target, door, undefined, watch);
  if (!asked) return [];
  const source = sourceOf(asked.followed);
  const part = single(addressToNumber(source));
  return [groupOf(asked.fate, formatAddress(source), part, false, asked.followed)];
}

/** The source that the kernel selects for what this host asks at a door; `null` where that says nothing of the target. */
export function ourselvesAt(host: Host, target: Target, door: Door): Ourselves | null {
  // Who watches peers has an index of the rules made for it, which all others that ask here need too.
  const watch = host.ruleset && new PeerWatch<CompiledRule>(nobody[door.family]);
  const asked = knock(host, target, door, undefined, watch);
  return asked && new Ourselves(sourceOf(asked.followed));
}

/** As the sender wrote it. */
function sourceOf({ course: { asked, packet } }: Followed): Address {
  return asked?.source ?? packet.source;
}

/** Rules that tell more sets of peers apart than this are not followed to the end. */
const mostParts = 4096;

/**
 * Peers behind a door by their fates: those whom nothing but rules tells apart. One of each part of them is
 * asked about, and stands for all whom no rule on its way tells apart from it; the others are parts again.
 */
export function groupPeers(
  host: Host,
  target: Target,
  door: Door,
  start: StartingPart,
  port: PortWatch | null,
): readonly PeerGroup[] {
  const groups = new Groups();
  const watches = host.ruleset !== null;
  const waiting: PeerPart[] = [start];
  for (let count = 1; waiting.length > 0; count++) {
    const part = waiting.pop()!;
    const peer =
      part === start ? start.first : new Peer(addressFromNumber(firstOf(part)!, door.family));
    const watch = watches ? new PeerWatch<CompiledRule>(peer, port, start.audience) : null;
    const asked = knock(host, target, door, peer.text, watch);
    const tooMany = watches && count >= mostParts;
    let taken = part;
    if (watch && !tooMany) {
      const divided = divide(part, watch.conditions);
      taken = divided.taken;
      waiting.push(...divided.rest);
    }
    if (!asked) continue;
    const fate =
      tooMany || watch?.blurredBy ? forAll(taken, asked.fate, watch?.blurredBy) : asked.fate;
    groups.add(groupOf(fate, peer.text, taken, !start.onLink, asked.followed));
  }
  return groups.all;
}

const nobody = { ipv4: new Peer(unspecified('ipv4')), ipv6: new Peer(unspecified('ipv6')) };

function groupOf(
  fate: SocketFate,
  peer: string,
  part: PeerPart,
  beyond: boolean,
  followed: Followed,
): PeerGroup {
  return { fate, peer, name: null, parts: [part], beyond, ...wayOf(followed) };
}

/** Peers by their fates. */
export class Groups {
  readonly all: PeerGroup[] = [];
  /** The parts of each, where they are a list of ours. */
  readonly #own: (PeerPart[] | undefined)[] = [];

  /** Those of a group are with those of the same fate: the group itself stays as it is. */
  add(group: PeerGroup): void {
    for (let place = 0; place < this.all.length; place++) {
      const known = this.all[place]!;
      if (!mayBeOne(known.fate, group.fate) || nameOfFate(known) !== nameOfFate(group)) continue;
      const beyond = known.beyond || group.beyond;
      const own = this.#own[place] ?? known.parts.slice();
      own.push(...group.parts);
      if (own !== known.parts || beyond !== known.beyond)
        this.all[place] = { ...known, parts: own, beyond };
      this.#own[place] = own;
      return;
    }
    this.all.push(group);
  }
}

function nameOfFate(group: PeerGroup): string {
  group.name ??= keyOf(group.fate, group.peer);
  return group.name;
}

/** Most fates that differ do so at first sight. */
function mayBeOne(one: SocketFate, other: SocketFate): boolean {
  return (
    one.outcome === other.outcome &&
    one.symptom === other.symptom &&
    one.cause?.code === other.cause?.code
  );
}

/** Did rules send it elsewhere than it was asked to go, and to which socket of this host? */
function wayOf({ course: { asked, packet, socket } }: Followed): Pick<PeerGroup, 'sentTo'> {
  const { destination, destinationPort } = packet;
  const plain =
    asked === null ||
    (asked.destination === destination && asked.destinationPort === destinationPort);
  return plain ? {} : { sentTo: socket };
}

/** One peer was asked about for many: where a rule makes something else of each, it stands for itself alone. */
function forAll(part: PeerPart, fate: SocketFate, rule: CompiledRule | null = null): SocketFate {
  if (fate.outcome === 'unknown' || isSingle(part)) return fate;
  const by = rule ? ` (${rule.chain.name}: ${rule.text})` : '';
  const what = `which of these peers a rule selects${by}`;
  return { outcome: 'unknown', cause: { code: 'not-evaluated', what }, symptom: null };
}

function single(address: bigint): PeerPart {
  return { region: new Region([{ first: address, last: address }]), holes: [] };
}

function isSingle({ region: { ranges }, holes }: PeerPart): boolean {
  return ranges.length === 1 && holes.length === 0 && ranges[0]!.first === ranges[0]!.last;
}

/** Fates that a person would give one reason for; the peer's own address is not part of it. */
function keyOf(
  { outcome, symptom, cause, assuming, letThroughTo }: SocketFate,
  peer: string,
): string {
  const targets = letThroughTo?.map(({ address, port }) => `>${address} ${port}`).join(' ') ?? '';
  const key = `${outcome} ${symptom} ${targets}`;
  if (cause === null && !assuming) return key;
  return `${key} ${nameOf(cause, peer)} ${assuming ? nameOf(assuming, peer) : ''}`;
}

/** All that an object says. */
function nameOf(value: unknown, peer: string, key = ''): string {
  if (typeof value !== 'object' || value === null) {
    if (key === 'what') return String(value).replaceAll(peer, '');
    return value === peer ? '' : String(value);
  }
  // Thousands of fates name one rule, or one socket.
  if (key === 'socket' || key === 'by' || key === 'rule') {
    const known = names.get(value);
    if (known !== undefined) return known;
    const name = key === 'rule' ? JSON.stringify(value) : `${(value as Socket).inode}`;
    names.set(value, name);
    return name;
  }
  let name = '';
  for (const [part, held] of Object.entries(value)) name += `${part}:${nameOf(held, peer, part)};`;
  return name;
}

const names = new WeakMap<object, string>();
