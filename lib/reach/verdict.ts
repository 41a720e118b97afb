import type { Hook, NftFamily } from '../model/firewall.js';
import type { Endpoint, Socket } from '../model/socket.js';
import type { RuleTool } from './xtables/tool.js';

/** Does the flow get through? `unknown` always has a cause. */
export type Outcome = 'reachable' | 'unreachable' | 'unknown';

/** What the peer's program sees, by its name in Node. */
export type Symptom =
  | 'ECONNREFUSED'
  | 'ETIMEDOUT'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'EACCES'
  | 'EPERM'
  | 'EINVAL'
  | 'EADDRNOTAVAIL'
  | 'ENOPROTOOPT'
  | 'ECONNRESET';

/** The stages of a packet's life, in the order in which they are passed. */
export type Stage =
  | 'device'
  | 'ingress'
  | 'prerouting'
  | 'routing'
  | 'forward'
  | 'input'
  | 'socket'
  | 'output'
  | 'reply';

/** Which way a packet goes that a cause speaks of. */
export type Direction = 'request' | 'reply';

/**
 * A rule of nftables or iptables, and how to find it: `nft -a list chain FAMILY TABLE CHAIN` shows
 * its handle, `iptables -L CHAIN --line-numbers` its line.
 */
export interface RuleReference {
  /** The family of its table. */
  family: NftFamily;
  /** The name of its table. */
  table: string;
  /** The name of its chain. */
  chain: string;
  /** The kernel's number of it in its table; `null` for a rule of a legacy table. */
  handle: number | null;
  /** The program that shows it: nft(8), or one of the two that iptables(8) may be. */
  tool: RuleTool;
  /** Its place in its chain, counted from one. */
  line: number;
  /** The rule in the syntax of nft(8), or as the command of iptables(8) that adds it. */
  text: string;
}

/**
 * Why a flow fails, or why that cannot be told. One code, one reason: docs/why-cant-they-connect.md explains
 * each and names the kernel function that decides. The rest are its particulars: addresses as canonical text,
 * interfaces and settings (`net.ipv4.conf.eth0.arp_ignore`) by their names, routing tables by number, and
 * policy rules by their priority.
 */
export type Cause =
  // ---- device
  | { code: 'interface-missing'; interface: string }
  | { code: 'interface-down'; interface: string }
  | { code: 'no-carrier'; interface: string }
  | { code: 'port-blocked'; interface: string; master: string }
  | { code: 'ip-disabled'; interface: string; family: 'ipv4' | 'ipv6' }
  // ---- programs and firewalls that cannot be evaluated
  | { code: 'opaque-program'; interface: string; program: 'xdp' | 'tc'; direction: Direction }
  | {
      code: 'firewall-unreadable';
      backend: 'nftables' | 'legacy';
      hook: Hook;
      direction: Direction;
      reason: string;
      remedy: string;
    }
  | {
      code: 'firewall-not-evaluated';
      backend: 'nftables' | 'legacy';
      hook: Hook;
      direction: Direction;
      chains: string[];
    }
  // ---- rules of nftables
  | { code: 'rule-drop'; rule: RuleReference; hook: Hook; direction: Direction }
  | {
      code: 'rule-reject';
      rule: RuleReference;
      hook: Hook;
      direction: Direction;
      /** What the rule answers with. */
      with: 'tcp-reset' | 'icmp';
    }
  | {
      code: 'policy-drop';
      /** The program that shows the chain. */
      tool: RuleTool;
      family: NftFamily;
      table: string;
      chain: string;
      hook: Hook;
      direction: Direction;
    }
  /** It depends on what a rule does, and that cannot be known: a rate, a random number, the time. */
  | { code: 'rule-unknown'; rule: RuleReference; hook: Hook; direction: Direction }
  | { code: 'not-captured'; what: string; reason: string; remedy: string }
  // ---- routing of the packet
  | { code: 'martian-source'; source: string; interface: string }
  | { code: 'martian-destination'; destination: string; interface: string; setting: string | null }
  | { code: 'source-is-ours'; source: string; interface: string }
  | { code: 'reverse-path'; interface: string; mode: 'strict' | 'loose'; back: string | null }
  | { code: 'address-not-ready'; address: string; state: 'tentative' | 'dadfailed' }
  | {
      code: 'neighbour-not-answered';
      destination: string;
      interface: string;
      protocol: 'arp' | 'ndp';
      /** The setting that keeps ARP silent, as `net.ipv4.conf.eth0.arp_ignore`; `null` where rules do, and for IPv6. */
      setting: string | null;
      /** The rule or policy that drops the question or its answer; `null` where none does. */
      rule: string | null;
    }
  | { code: 'wrong-scope'; address: string; interface: string }
  | { code: 'not-our-address'; destination: string }
  | {
      code: 'forwarded';
      interface: string;
      gateway: string | null;
      /** Whom a rule has translated the destination to; `null` where it is the one asked for. */
      translatedTo: Endpoint | null;
    }
  | { code: 'leaves-this-host'; interface: string | null; gateway: string | null }
  | { code: 'assumed-on-link'; destination: string; interface: string }
  | {
      code: 'not-a-unicast-address';
      destination: string;
      type: 'broadcast' | 'multicast' | 'anycast';
    }
  | { code: 'group-not-joined'; group: string; interface: string }
  | { code: 'no-route'; destination: string; direction: Direction }
  | {
      code: 'route-refuses';
      type: 'blackhole' | 'unreachable' | 'prohibit' | 'throw';
      by: 'route' | 'rule';
      destination: string;
      /** Of a route. */
      table: number | null;
      /** Of a policy rule. */
      priority: number | null;
      direction: Direction;
    }
  | { code: 'not-evaluated'; what: string }
  // ---- the socket
  | { code: 'no-listener' }
  | { code: 'bound-to-loopback'; socket: Socket }
  | { code: 'bound-to-other-address'; socket: Socket }
  | { code: 'bound-to-other-device'; socket: Socket }
  | { code: 'outside-vrf'; socket: Socket; vrf: string; setting: string }
  | { code: 'ipv6-only'; socket: Socket }
  | { code: 'ipv4-only'; socket: Socket }
  | { code: 'other-protocol'; socket: Socket }
  | { code: 'connected-to-another'; socket: Socket }
  | { code: 'shadowed'; by: Socket }
  | { code: 'accept-queue-full'; socket: Socket }
  | { code: 'signature-required'; socket: Socket; peers: string }
  // ---- flows from this host
  | { code: 'source-not-ours'; source: string };

export type { RuleTool } from './xtables/tool.js';

/** The code of a cause. */
export type CauseCode = Cause['code'];

/** What a step did to the packet. */
export type StepAction = 'pass' | 'drop' | 'reject' | 'deliver' | 'forward' | 'unknown';

/** One step of the packet's life: the rule, route, setting or socket that acted on it. */
export interface Step {
  /** Where in its life the packet was. */
  stage: Stage;
  /** The packet itself, or the answer to it. */
  direction: Direction;
  /** What was done to it. */
  action: StepAction;
  /** What acted, as a person who knows networking would say it. */
  detail: string;
}

/** How a flow would fare if whatever could not be read or evaluated let it pass unchanged. */
export interface Assumption {
  /** What would become of it. */
  outcome: Exclude<Outcome, 'unknown'>;
  /** What the peer's program would see; `null` where it would get through. */
  symptom: Symptom | null;
  /** Why it would fail; `null` where it would get through. */
  cause: Cause | null;
}

/** The answer to a flow. */
export interface Verdict {
  /** `reachable`: a TCP handshake completes, or a UDP datagram is delivered and its answer can return. */
  outcome: Outcome;
  /**
   * What the peer's program sees when it fails, as Node names it. `null` when reachable or unknown,
   * and when it surely fails but something unread decides how.
   */
  symptom: Symptom | null;
  /** Where the fate was decided. */
  stage: Stage;
  /** `null` when reachable; its `code` is a {@link CauseCode}. */
  cause: Cause | null;
  /**
   * For an `unknown` that comes of a firewall or a program on the way: what else decides, if that
   * lets the flow pass. It is not a verdict. `null` otherwise.
   */
  assuming: Assumption | null;
  /** The socket that takes the first packet; `null` where none does. */
  socket: Socket | null;
  /** The packet's life, stage by stage. */
  steps: Step[];
  /** One sentence a person understands. */
  explanation: string;
}
