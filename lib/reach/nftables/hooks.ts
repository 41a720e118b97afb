import { sameAddress } from '../../model/address.js';
import type { Hook, NftFamily } from '../../model/firewall.js';
import type { NftVerdict } from '../../model/ruleset.js';
import type { Course } from '../course.js';
import type { Host } from '../host.js';
import { bridgeAsks, floods } from '../stages/bridge.js';
import type { Direction, RuleReference, Stage } from '../verdict.js';
import { type ChainOutcome, type ChainRun, runChain } from './chain.js';
import { ASSURED, CONFIRMED, Connection, SEEN_REPLY, type Tuple } from './connection.js';
import { FieldValues } from './field.js';
import type { Frame } from './frame.js';
import {
  type AnyOrder,
  factorial,
  namesOf,
  natWithOrders,
  permutation,
  withOrders,
} from './order.js';
import type { PeerWatch } from './peer-watch.js';
import { Registers } from './registers.js';
import type { CompiledChain, CompiledRule, HookEntry } from './ruleset.js';
import type { Refusal } from './run.js';
import { endAt, isSettled, settle, translate } from './translation.js';

/** A packet ends here. */
export interface Stop {
  readonly hook: Hook;
  readonly chain: CompiledChain;
  /** The rule that said so; null where the chain's policy did. */
  readonly rule: CompiledRule | null;
  readonly refusal: Refusal | null;
}

/** The stage that a hook belongs to. */
export const stageOf: Record<Hook, Stage> = {
  ingress: 'ingress',
  egress: 'output',
  prerouting: 'prerouting',
  input: 'input',
  forward: 'forward',
  output: 'output',
  postrouting: 'output',
};

/** Hooks at which a packet may be given another address or way, not only be stopped. */
export const redirecting: ReadonlySet<Hook> = new Set(['ingress', 'prerouting', 'output']);

const references = new WeakMap<CompiledRule, RuleReference>();

/** How to find a rule. */
export function referenceTo(compiled: CompiledRule): RuleReference {
  const known = references.get(compiled);
  if (known) return known;
  const { chain, rule, text, line } = compiled;
  const { tool } = chain.tables;
  const { family, table, name } = chain.chain;
  const handle = tool.endsWith('legacy') ? null : rule.handle;
  const made = { family, table, chain: name, handle, tool, line, text };
  references.set(compiled, made);
  return made;
}

export function directionOf(frame: Frame): Direction {
  return frame.isReply ? 'reply' : 'request';
}

/**
 * One packet at one hook: every base chain there in its turn, and conntrack and NAT in theirs
 * (nf_hook_slow). `null`: it passes.
 */
export function runHook(
  course: Course,
  hook: Hook,
  frame: Frame,
  device: string | null,
): Stop | null {
  const { ruleset } = course.host;
  if (!ruleset) return null;
  if (hook === 'input') confirmByBridge(course, frame);
  for (const entry of ordered(ruleset.at(hook, frame.family, device), withOrders)) {
    const stop = meet(course, hook, frame, entry);
    if (stop) return stop;
  }
  if (hook === 'input' || hook === 'postrouting') confirm(course, frame);
  return null;
}

const orders = new WeakMap<readonly object[], readonly (HookEntry | AnyOrder)[]>();

/** The entries, with those of which the order is not known; found out once for a state. */
function ordered<Entries extends readonly object[]>(
  entries: Entries,
  find: (entries: Entries) => readonly (HookEntry | AnyOrder)[],
): readonly (HookEntry | AnyOrder)[] {
  const known = orders.get(entries);
  if (known) return known;
  const found = find(entries);
  orders.set(entries, found);
  return found;
}

/** Chains of which the order is not known: the same one for every packet of the flow. */
function orderOf(course: Course, hook: Hook, frame: Frame, entry: AnyOrder): HookEntry[] {
  let place = course.orders.get(entry);
  if (place === undefined) {
    const stage = frame.isReply ? 'reply' : stageOf[hook];
    const what = () =>
      `which is asked first at ${hook}, for their priority is one: ${namesOf(entry)}`;
    const cause = () => ({ code: 'not-evaluated', what: what() }) as const;
    place = course.choices.choose(factorial(entry.units.length), stage, cause);
    course.orders.set(entry, place);
  }
  return permutation(entry.units, place).flat();
}

function meet(course: Course, hook: Hook, frame: Frame, entry: HookEntry | AnyOrder): Stop | null {
  switch (entry.kind) {
    case 'any-order':
      for (const one of orderOf(course, hook, frame, entry)) {
        const stop = meet(course, hook, frame, one);
        if (stop) return stop;
      }
      return null;
    case 'conntrack':
      track(course, frame);
      return null;
    case 'nat':
      return runNat(course, hook, frame, entry.chains);
    case 'chain':
      return ask(course, hook, frame, entry.chain);
  }
}

/**
 * What a bridge with br_netfilter has sent out by its other ports has been through postrouting by
 * the time it comes up here: whether that was so soon is not told.
 */
function isSettledByFlood(course: Course, hook: Hook, frame: Frame): boolean {
  if (hook !== 'input' || frame.packetType === 0 || !floods(course)) return false;
  const what = `whether NAT was settled when the bridge ${course.device.name} sent the packet to its other ports`;
  return course.choices.choose(2, 'input', () => ({ code: 'not-evaluated', what })) === 1;
}

/**
 * Newer kernels confirm the connection of what a bridge hands up to many before it comes up
 * (br_nf_local_in); older ones do not.
 */
function confirmByBridge(course: Course, { packetType, tracking }: Frame): void {
  if (packetType === 0 || tracking === null || tracking === 'untracked') return;
  if (tracking.state !== 'new' || !bridgeAsks(course)) return;
  const what = `whether the bridge ${course.device.name} has confirmed the connection before it hands the packet up`;
  const cause = () => ({ code: 'not-evaluated', what }) as const;
  if (course.choices.choose(2, 'input', cause) === 1) tracking.connection.status |= CONFIRMED;
}

/** nf_nat_inet_fn: the first packet is asked about, all that follow are treated alike. */
function runNat(
  course: Course,
  hook: Hook,
  frame: Frame,
  chains: readonly CompiledChain[],
): Stop | null {
  const { tracking } = frame;
  if (tracking === null || tracking === 'untracked') return null;
  const end = endAt(hook);
  const first =
    tracking.state !== 'established' &&
    frame.kind !== 'icmp-error' &&
    !(chains.length > 0 && isSettledByFlood(course, hook, frame));
  if (first) {
    const entries = ordered(chains, natWithOrders).flatMap((entry) =>
      entry.kind === 'any-order' ? orderOf(course, hook, frame, entry) : [entry],
    );
    for (const entry of entries) {
      if (isSettled(frame, end)) break;
      const stop = meet(course, hook, frame, entry);
      if (stop) return stop;
    }
    settle(frame, end);
  }
  const { destination } = frame.tuple;
  translate(frame, end);
  // nf_nat_ipv4_local_fn, nf_nat_ipv6_local_fn
  if (hook === 'output' && frame.tuple.destination !== destination) frame.isRerouted = true;
  return null;
}

/**
 * Chains are run one after the other, never one inside of another, and their packets make up most
 * of the garbage of a trace: all use the same registers, empty at the start of each.
 */
const registers = new Registers();

/** A packet in one base chain. */
class Asked implements ChainRun {
  readonly host: Host;
  readonly family: NftFamily;
  readonly registers = registers;
  readonly values = new FieldValues();
  readonly touched: Set<object>;
  verdict: NftVerdict = { code: 'continue' };
  refusal: Refusal | null = null;
  rule: CompiledRule | null = null;
  readonly #course: Course;

  constructor(
    course: Course,
    readonly hook: Hook,
    readonly frame: Frame,
    { chain }: CompiledChain,
  ) {
    this.host = course.host;
    this.family = chain.family;
    this.touched = course.touched;
    this.#course = course;
    registers.clear();
  }

  get peer(): PeerWatch<CompiledRule> | null {
    return this.#course.peer;
  }

  looksAtPeer(): void {
    if (this.rule) this.peer?.blur(this.rule);
  }

  choose(ways: number): number {
    const { frame, hook, rule } = this;
    const stage = frame.isReply ? 'reply' : stageOf[hook];
    return this.#course.choices.choose(ways, stage, () =>
      unknownRule(rule!, hook, directionOf(frame)),
    );
  }
}

function ask(course: Course, hook: Hook, frame: Frame, chain: CompiledChain): Stop | null {
  const { mark } = frame;
  const outcome = runChain(chain, new Asked(course, hook, frame, chain));
  // nft_chain_route: a chain of this type has the packet routed again where its mark changed.
  const goesOn = outcome.kind !== 'drop';
  if (goesOn && chain.chain.base?.type === 'route' && frame.mark !== mark) frame.isRerouted = true;
  return conclude(course, hook, frame, chain, outcome);
}

function unknownRule(rule: CompiledRule, hook: Hook, direction: Direction) {
  return { code: 'rule-unknown', rule: referenceTo(rule), hook, direction } as const;
}

function conclude(
  course: Course,
  hook: Hook,
  frame: Frame,
  chain: CompiledChain,
  outcome: ChainOutcome,
): Stop | null {
  const direction = directionOf(frame);
  const stage = frame.isReply ? 'reply' : stageOf[hook];
  const { rule } = outcome;
  switch (outcome.kind) {
    case 'accept':
      if (chain.chain.rules.length === 0) return null;
      course.step(
        stage,
        'pass',
        () => (rule ? says(rule) : `${chain.name}: policy accept`),
        direction,
      );
      return null;
    case 'drop':
      return { hook, chain, rule, refusal: outcome.refusal };
    case 'unknown': {
      const cause = unknownRule(outcome.rule, hook, direction);
      const redirects = direction === 'request' && redirecting.has(hook);
      course.doubt(
        stage,
        cause,
        redirects,
        `what it does is not known: ${says(outcome.rule)}`,
        direction,
      );
      return null;
    }
  }
}

/** A rule as a step names it. */
export function says({ chain, rule, line, text }: CompiledRule): string {
  const which = chain.tables.tool === 'nft' ? `handle ${rule.handle}` : `rule ${line}`;
  return `${chain.name} ${which}: ${text}`;
}

/** nf_conntrack_in: what a packet belongs to. A connection is expected to be new, and to be plain. */
function track(course: Course, frame: Frame): void {
  frame.hasTemplate = false;
  if (frame.tracking !== null) return; // untracked, or seen before it went over lo
  // nf_conntrack_icmpv6_error: neighbour discovery belongs to no connection.
  if (frame.kind === 'neighbour') {
    frame.tracking = 'untracked';
    return;
  }
  const { connection } = course;
  const known = connection !== null && connection.zone === frame.zone ? connection : null;
  const expected = frame.isReply ? known?.reply : known?.original;
  const belongs = (frame.isReply && frame.kind !== 'icmp-error') || frame.kind === 'ack';
  if (belongs && known && expected && sameTuple(frame.tuple, expected)) {
    // An ACK to an answer that conntrack has not seen is invalid (tcp_conntracks, sSS and ACK).
    if (frame.kind === 'ack' && !known.has(SEEN_REPLY)) return;
    if (frame.isReply) known.status |= SEEN_REPLY;
    else if (known.has(SEEN_REPLY)) known.status |= ASSURED;
    const direction = frame.isReply ? 'reply' : 'original';
    frame.tracking = { connection: known, state: 'established', direction };
    return;
  }
  // What an ICMP error quotes says whom it concerns (nf_conntrack_icmp_error).
  if (frame.kind === 'icmp-error') {
    if (known) frame.tracking = { connection: known, state: 'related', direction: 'reply' };
    return;
  }
  // A SYN-ACK or a reset out of nowhere is invalid; an ACK is taken for the rest of a connection
  // that was not seen to begin (nf_conntrack_tcp_loose).
  if (!frame.isReply || frame.kind === 'udp') begin(frame);
}

function begin(frame: Frame): void {
  const connection = Connection.of(frame.tuple, frame.protocol, frame.zone);
  frame.tracking = { connection, state: 'new', direction: 'original' };
}

/** nf_confirm: from here on other packets of the connection find it. */
function confirm(course: Course, frame: Frame): void {
  const { tracking } = frame;
  if (tracking === null || tracking === 'untracked' || tracking.state !== 'new') return;
  tracking.connection.status |= CONFIRMED;
  if (!frame.isReply) course.connection = tracking.connection;
}

export function sameTuple(one: Tuple, other: Tuple): boolean {
  return (
    one.sourcePort === other.sourcePort &&
    one.destinationPort === other.destinationPort &&
    sameAddress(one.source, other.source) &&
    sameAddress(one.destination, other.destination)
  );
}
