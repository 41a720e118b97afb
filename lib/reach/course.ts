import type { Address } from '../model/address.js';
import type { Endpoint, Family, Socket, Transport } from '../model/socket.js';
import { Choices } from './choices.js';
import type { Flow } from './flow.js';
import type { Device, Host, Receiver } from './host.js';
import type { Connection, Tuple } from './nftables/connection.js';
import type { Frame } from './nftables/frame.js';
import type { AnyOrder } from './nftables/order.js';
import type { PeerWatch } from './nftables/peer-watch.js';
import type { CompiledRule } from './nftables/ruleset.js';
import type {
  Assumption,
  Cause,
  Direction,
  Outcome,
  Stage,
  Step,
  StepAction,
  Symptom,
} from './verdict.js';

/** The first packet of a flow, as far as it decides. */
export interface Packet {
  readonly protocol: Transport;
  /** IPPROTO_TCP or IPPROTO_UDP. */
  readonly protocolNumber: 6 | 17;
  readonly family: Family;
  source: Address;
  sourceText: string;
  sourcePort: number;
  destination: Address;
  destinationText: string;
  destinationPort: number;
  mark: number;
}

/** Did a rule or a policy decide? */
function byRule(cause: Cause | null): boolean {
  return (
    cause?.code === 'rule-drop' || cause?.code === 'rule-reject' || cause?.code === 'policy-drop'
  );
}

/** How a flow ended, as one stage decided it. */
export interface Fate {
  readonly outcome: Outcome;
  readonly stage: Stage;
  readonly cause: Cause | null;
  readonly symptom: Symptom | null;
  /** See `Verdict.assuming`. */
  readonly assuming?: Assumption;
  /** Why `symptom` is null, though the flow fails for certain. */
  readonly unsure?: Cause;
  /** Who gets it from this host, and whose answer this host passes back: surely one of these. */
  readonly letThroughTo?: readonly Endpoint[];
}

/** Something on the way that could not be evaluated; the packet is followed as if it had passed. */
interface Doubt {
  readonly stage: Stage;
  readonly cause: Cause;
  /** It might have changed the packet's address or way, so that nothing after it is certain. */
  readonly redirects: boolean;
}

/** Which way the answer leaves. */
export interface WayBack {
  readonly device: Device;
  readonly gateway: string | null;
  /** Other devices of a multipath route, any of which it may leave by instead. */
  readonly others: readonly Device[];
}

/** That rules send it on is not said where that itself is not known. */
function doubtful(fate: Fate, { stage, cause }: Doubt): Fate {
  if (fate.cause?.code !== 'forwarded' || fate.cause.translatedTo === null) return fate;
  return { outcome: 'unknown', stage, cause, symptom: null };
}

/** A step that was noted: what acted is put in words when somebody wants to know. */
export type NotedStep = Omit<Step, 'detail'> & { readonly detail: string | (() => string) };

export function detailOf({ detail }: NotedStep): string {
  return typeof detail === 'string' ? detail : detail();
}

/** The course of one flow through the host: what each stage leaves for the next. */
export class Course {
  readonly steps: NotedStep[] = [];
  readonly doubts: Doubt[] = [];
  /** The interface the packet arrives on. */
  arrival!: Device;
  /** The device that the stages after it see. */
  device!: Device;
  /** The interface index that sockets compare their device with (inet_iif, inet6_iif). */
  inputIndex = 0;
  /** Inside a VRF the index of the port, which sockets compare their device with too (inet_sdif); else 0. */
  portIndex = 0;
  /** What kind of address the destination is, once routing has said so. */
  destinationType: 'local' | 'broadcast' | 'anycast' | 'multicast' = 'local';
  /** The sockets that score highest: one, or the members of a group, any of which may take it. */
  takers: readonly Receiver[] = [];
  wayBack: WayBack | null = null;
  #unsure: Cause | null = null;
  /** The first packet as rules see it; null where there are no rules. */
  request: Frame | null = null;
  /** The first packet's ends as its sender wrote them. */
  asked: Tuple | null = null;
  /** Its ends when it was routed: after what prerouting and output made of them. */
  requestAtRouting: Tuple | null = null;
  /** What conntrack keeps of the flow, once its first packet has come through. */
  connection: Connection | null = null;
  // Most flows meet no rule that would need these.
  #touched: Set<object> | null = null;
  #orders: Map<AnyOrder, number> | null = null;

  constructor(
    readonly host: Host,
    readonly flow: Flow,
    readonly packet: Packet,
    /** This host itself is the peer. */
    readonly fromHere: boolean,
    readonly choices: Choices = new Choices(),
    /** What is asked of the peer's address; `null` where nobody wants to know. */
    readonly peer: PeerWatch<CompiledRule> | null = null,
  ) {}

  /** Sets that rules have added this flow to, or taken it out of. */
  get touched(): Set<object> {
    this.#touched ??= new Set();
    return this.#touched;
  }

  /** Which order chains are asked in whose order is not known. */
  get orders(): Map<AnyOrder, number> {
    this.#orders ??= new Map();
    return this.#orders;
  }

  get receiver(): Receiver | null {
    return this.takers[0] ?? null;
  }

  get socket(): Socket | null {
    return this.takers[0]?.socket ?? null;
  }

  step(
    stage: Stage,
    action: StepAction,
    detail: NotedStep['detail'],
    direction: Direction = 'request',
  ): void {
    this.steps.push({ stage, direction, action, detail });
  }

  /** Notes what could not be evaluated, and goes on. */
  doubt(
    stage: Stage,
    cause: Cause,
    redirects: boolean,
    detail: string,
    direction: Direction,
  ): void {
    this.doubts.push({ stage, cause, redirects });
    this.step(stage, 'unknown', detail, direction);
  }

  /** The flow fails here, and this is what the peer sees. */
  fails(
    stage: Stage,
    cause: Cause,
    symptom: Symptom | null,
    detail: string,
    direction: Direction = 'request',
  ): Fate {
    const action = symptom === 'ETIMEDOUT' || symptom === 'EPERM' ? 'drop' : 'reject';
    this.step(stage, action, detail, direction);
    return { outcome: 'unreachable', stage, cause, symptom };
  }

  /** What happens from here on cannot be told. */
  cannotTell(stage: Stage, cause: Cause, detail: string, direction: Direction = 'request'): Fate {
    this.step(stage, 'unknown', detail, direction);
    return { outcome: 'unknown', stage, cause, symptom: null };
  }

  /** The flow fails, and what leaves open how the peer notices. */
  cannotSee(cause: Cause): null {
    this.#unsure ??= cause;
    return null;
  }

  /** Something that could not be evaluated may have sent the packet elsewhere. */
  get mayBeRedirected(): boolean {
    return this.doubts.some((doubt) => doubt.redirects);
  }

  /** The fate after everything that was doubtful on the way is taken into account. */
  settle(fate: Fate): Fate {
    const first = this.doubts[0];
    if (fate.outcome === 'unknown') return first ? doubtful(fate, first) : fate;
    if (!first) {
      const unsure = fate.outcome === 'unreachable' && fate.symptom === null && this.#unsure;
      return unsure ? { ...fate, unsure } : fate;
    }
    const redirect =
      this.doubts.find((doubt) => doubt.redirects) ??
      // A rule that is not known may have set a mark that another rule goes by.
      (byRule(fate.cause)
        ? this.doubts.find(({ cause }) => cause.code === 'rule-unknown')
        : undefined);
    if (fate.outcome === 'reachable' || redirect) {
      const { stage, cause } = redirect ?? first;
      const { outcome, symptom } = fate;
      const assuming = { outcome, symptom, cause: fate.cause };
      return { outcome: 'unknown', stage, cause, symptom: null, assuming };
    }
    // It fails whatever the unread part says; but that part may answer in its own way.
    return { ...fate, symptom: null, unsure: first.cause };
  }
}
