import { formatEndpoint } from '../../model/endpoint.js';
import type { Socket } from '../../model/socket.js';
import type { Cause, RuleReference, RuleTool } from '../../reach/verdict.js';
import { forwardedWords } from './forwarded.js';
import {
  device,
  ipv6OnlyWords,
  listenElsewhere,
  owner,
  places,
  queueText,
} from './listener-words.js';
import { printable } from './printable.js';
import { enumerate } from './text.js';

/** A cause in words. */
export interface CauseWords {
  /** Why these peers do not get in, or why that cannot be told: one sentence. */
  why: string;
  /** The same in a few words, for a table. */
  brief: string;
  /** What to do about it: one sentence; `null` where nothing is to be done here. */
  hint: string | null;
}

/** What advice depends on beside the cause. */
export interface Advice {
  protocol: 'tcp' | 'udp';
  port: number;
  /** The address that peers would be given, `null` for none. */
  shareable: string | null;
  /** All that the program listens on there, where that is known. */
  sockets: readonly Socket[];
}

/**
 * Every cause in words. The switch is exhaustive: a cause that is added to the union does not
 * compile before it is explained here.
 */
export function causeWords(cause: Cause, advice: Advice): CauseWords {
  switch (cause.code) {
    case 'interface-missing':
      return {
        why: `This host has no interface ${shown(cause.interface)}.`,
        brief: 'no such interface',
        hint: 'Name one of the interfaces that it has.',
      };
    case 'interface-down':
      return {
        why: `The interface ${shown(cause.interface)} is switched off.`,
        brief: 'interface down',
        hint: `Switch it on: ip link set ${shown(cause.interface)} up`,
      };
    case 'no-carrier':
      return {
        why: `The interface ${shown(cause.interface)} has no carrier: nothing is connected to it.`,
        brief: 'no carrier',
        hint: 'Check the cable, the wireless connection, or the other end of a virtual link.',
      };
    case 'port-blocked':
      return {
        why: `The bridge ${shown(cause.master)} takes nothing in by ${shown(cause.interface)}: its spanning tree does not forward there.`,
        brief: 'bridge port blocked',
        hint: `Look at the port: bridge link show dev ${shown(cause.interface)}`,
      };
    case 'ip-disabled':
      return ipDisabled(cause);
    case 'opaque-program':
      return {
        why: `${article(cause.program)} program on ${shown(cause.interface)} handles each ${packet(cause.direction)} before the rules do, and what it does cannot be told from outside.`,
        brief: `${cause.program} program on ${shown(cause.interface)}`,
        hint: `See which program it is: bpftool net show dev ${shown(cause.interface)}`,
      };
    case 'firewall-unreadable':
      return {
        why: `The ${backendName(cause.backend)} rules could not be read: ${stopped(cause.reason)}`,
        brief: `${backendName(cause.backend)} rules could not be read`,
        hint: cause.remedy === '' ? null : sentence(cause.remedy),
      };
    case 'firewall-not-evaluated':
      return {
        why: `${chainsText(cause.chains, cause.backend)} at the ${cause.hook} hook would decide over the ${packet(cause.direction)}, and this version of earshot does not evaluate ${cause.chains.length === 1 ? 'it' : 'them'}.`,
        brief: `${backendName(cause.backend)} rules at ${cause.hook} not evaluated`,
        hint:
          cause.backend === 'nftables'
            ? 'Read them yourself: nft list ruleset'
            : 'Read them yourself: iptables-save and ip6tables-save',
      };
    case 'rule-drop':
      return {
        why: `A rule of the firewall drops the ${packet(cause.direction)}: ${ruleText(cause.rule)}.`,
        brief: `dropped by a rule at ${cause.hook}`,
        hint: seeChain(cause.rule),
      };
    case 'rule-reject':
      return {
        why: `A rule of the firewall rejects the ${packet(cause.direction)}: ${ruleText(cause.rule)}.`,
        brief: `rejected by a rule at ${cause.hook}`,
        hint: seeChain(cause.rule),
      };
    case 'policy-drop':
      return {
        why: `No rule of the firewall accepts the ${packet(cause.direction)}, and the policy of chain ${shown(cause.chain)} (table ${cause.tool === 'nft' ? `${cause.family} ` : ''}${shown(cause.table)}) is drop.`,
        brief: `dropped by the policy at ${cause.hook}`,
        hint: seeChain(cause),
      };
    case 'rule-unknown':
      return {
        why: `It depends on a rule of the firewall whose outcome cannot be known: ${ruleText(cause.rule)}.`,
        brief: `a rule at ${cause.hook} that cannot be foretold`,
        hint: seeChain(cause.rule),
      };
    case 'not-captured':
      return {
        why: `${capitalised(shown(cause.what))} could not be read: ${stopped(cause.reason)}`,
        brief: `${shown(cause.what)} could not be read`,
        hint: cause.remedy === '' ? null : sentence(cause.remedy),
      };
    case 'martian-source':
      return {
        why: `No packet from such a source may arrive on ${shown(cause.interface)}: the kernel drops it as a martian.`,
        brief: 'martian source',
        hint: `Connect from an ordinary address of the network on ${shown(cause.interface)}.`,
      };
    case 'martian-destination':
      return {
        why: `${cause.destination} answers this host alone: a packet for it that arrives on ${shown(cause.interface)} is dropped as a martian.`,
        brief: 'loopback address',
        hint: `${listenElsewhere(advice)}${cause.setting === null ? '' : ` (${shown(cause.setting)}=1 would let such packets in, for every program that trusts loopback.)`}`,
      };
    case 'source-is-ours':
      return {
        why: `The address belongs to this host itself, so a packet that brings it from ${shown(cause.interface)} counts as forged.`,
        brief: 'address is our own',
        hint: 'If a neighbour really has that address, give one of the two another.',
      };
    case 'reverse-path':
      return reversePath(cause);
    case 'address-not-ready':
      return cause.state === 'tentative'
        ? {
            why: `${cause.address} is still being checked for a duplicate on the link and does not answer yet.`,
            brief: 'address not ready',
            hint: 'Wait some seconds and ask again.',
          }
        : {
            why: `${cause.address} does not answer: another machine on the link was found to use it.`,
            brief: 'duplicate address',
            hint: 'Give this host, or the other machine, another address.',
          };
    case 'neighbour-not-answered':
      return {
        why: `A neighbour on ${shown(cause.interface)} that looks for ${cause.destination} gets no answer ${cause.protocol === 'arp' ? 'by ARP' : 'by neighbour discovery'}: ${cause.rule !== null ? `${shown(cause.rule)} drops it` : cause.setting === null ? 'IPv6 answers only for addresses of the interface itself' : `${shown(cause.setting)} forbids it`}.`,
        brief: 'no answer on the link',
        hint:
          cause.rule !== null
            ? 'Let ICMPv6 pass that neighbour discovery needs: nd-neighbor-solicit in, nd-neighbor-advert in and out.'
            : cause.setting === null
              ? `Give ${shown(cause.interface)} the address too, or let the peer send by a router.`
              : `Allow the answer: sysctl -w ${shown(cause.setting)}=0`,
      };
    case 'wrong-scope':
      return {
        why: `${cause.address} is valid on its own link only, and that is not the link of ${shown(cause.interface)}.`,
        brief: 'address of another link',
        hint: 'Use an address of global scope, or connect from the link that the address belongs to.',
      };
    case 'not-our-address':
      return {
        why: `${cause.destination} is not an address of this host, and it does not forward packets to others.`,
        brief: 'not our address',
        hint: 'Connect to an address of this host, or switch forwarding on if it is to be a router.',
      };
    case 'forwarded':
      return forwardedWords(cause);
    case 'leaves-this-host':
      return {
        why: `The packet leaves this host${cause.interface === null ? '' : ` by ${shown(cause.interface)}`}${cause.gateway === null ? '' : ` to ${cause.gateway}`}: what becomes of it is decided elsewhere.`,
        brief: 'leaves this host',
        hint: 'Ask on the host that it goes to.',
      };
    case 'assumed-on-link':
      return {
        why: `The socket is bound to ${shown(cause.interface)} and no route leads to ${cause.destination} by it: the answer arrives only if the peer is on that very link.`,
        brief: 'no route by its device',
        hint: `Add a route: ip route add ${cause.destination} dev ${shown(cause.interface)}`,
      };
    case 'not-a-unicast-address':
      return {
        why: `${cause.destination} is ${cause.type === 'anycast' ? 'an anycast' : `a ${cause.type}`} address: no connection to one host can be made with it.`,
        brief: `${cause.type} address`,
        hint: 'Connect to an address of the host itself.',
      };
    case 'group-not-joined':
      return {
        why: `Nobody on this host has joined the multicast group ${cause.group} on ${shown(cause.interface)}.`,
        brief: 'group not joined',
        hint: `Let the program join it on ${shown(cause.interface)} (IP_ADD_MEMBERSHIP).`,
      };
    case 'no-route':
      return cause.direction === 'reply'
        ? {
            why: `This host has no route back to them, so its answer is never sent.`,
            brief: 'no route back',
            hint: `Add a route, or a default route: ip route add ${cause.destination} via GATEWAY`,
          }
        : {
            why: `There is no route to ${cause.destination}.`,
            brief: 'no route',
            hint: `Add a route: ip route add ${cause.destination} via GATEWAY`,
          };
    case 'route-refuses':
      return routeRefuses(cause);
    case 'not-evaluated':
      return {
        why: `It depends on ${shown(cause.what)}, which this version of earshot does not evaluate.`,
        brief: `${shown(cause.what)} not evaluated`,
        hint: null,
      };
    case 'no-listener':
      return {
        why: `Nobody listens on ${advice.protocol === 'tcp' ? 'TCP' : 'UDP'} port ${advice.port} of that address.`,
        brief: 'nobody listens',
        hint: 'Start the server, or check the port that it was told to use.',
      };
    case 'bound-to-loopback':
      return {
        why: `${owner(cause.socket)} listens on ${places(cause.socket, advice, true)}, and loopback addresses answer this host alone.`,
        brief: `bound to ${cause.socket.local.address}`,
        hint: listenElsewhere(advice),
      };
    case 'bound-to-other-address':
      return {
        why: `${owner(cause.socket)} listens on ${places(cause.socket, advice, false)} and on no other address.`,
        brief: `bound to ${cause.socket.local.address}`,
        hint: `Connect to ${places(cause.socket, advice, false, 'or')}, or let it listen on every address.`,
      };
    case 'bound-to-other-device':
      return {
        why: `${owner(cause.socket)} is bound to the device ${device(cause.socket)}: what arrives elsewhere is not for it.`,
        brief: `bound to device ${device(cause.socket)}`,
        hint: `Connect by ${device(cause.socket)}, or start the server without SO_BINDTODEVICE.`,
      };
    case 'outside-vrf':
      return {
        why: `${owner(cause.socket)} stands outside of the VRF ${shown(cause.vrf)}, by which these peers come in.`,
        brief: `outside of the VRF ${shown(cause.vrf)}`,
        hint: `Start the server inside: ip vrf exec ${shown(cause.vrf)} …, or let it in: sysctl -w ${cause.setting}=1`,
      };
    case 'ipv6-only':
      return {
        ...ipv6OnlyWords(cause.socket),
        brief: 'IPv6 only',
      };
    case 'ipv4-only':
      return {
        why: `${owner(cause.socket)} listens for IPv4 only.`,
        brief: 'IPv4 only',
        hint: 'Connect by IPv4, or let it listen on :: as well.',
      };
    case 'other-protocol':
      return {
        why: `${owner(cause.socket)} has the port for ${cause.socket.protocol.toUpperCase()}, and this is ${advice.protocol.toUpperCase()}.`,
        brief: `${cause.socket.protocol.toUpperCase()} only`,
        hint: `Connect by ${cause.socket.protocol.toUpperCase()}, or let the server listen on ${advice.protocol.toUpperCase()} too.`,
      };
    case 'connected-to-another':
      return {
        why: `${owner(cause.socket)} is connected to ${cause.socket.remote === null ? 'another peer' : formatEndpoint(cause.socket.remote)} and takes datagrams from that peer alone.`,
        brief: 'connected to another peer',
        hint: 'Let the server use an unconnected socket for new peers.',
      };
    case 'shadowed':
      return {
        why: `${owner(cause.by)} listens on ${formatEndpoint(cause.by.local)}${cause.by.boundInterface === null ? '' : ` on device ${device(cause.by)}`}, which fits more exactly, and takes these connections instead.`,
        brief: `shadowed by ${owner(cause.by)}`,
        hint: 'Stop that other program, or use another port.',
      };
    case 'accept-queue-full':
      return {
        why: `${owner(cause.socket)} does not accept connections as fast as they come: its queue is full (${queueText(cause.socket)}).`,
        brief: 'accept queue full',
        hint: 'See why the program is stuck; a larger backlog (and net.core.somaxconn) only helps against bursts.',
      };
    case 'signature-required':
      return {
        why: `${owner(cause.socket)} asks peers of ${cause.peers} to sign every segment (TCP MD5), and drops what is not signed.`,
        brief: 'TCP MD5 signature required',
        hint: 'Give the peer the same key, as BGP daemons do.',
      };
    case 'source-not-ours':
      return {
        why: `${cause.source} is not an address of this host, so nothing here can send from it.`,
        brief: 'source not ours',
        hint: 'Name one of this host’s addresses, or the interface that the peer comes in by.',
      };
  }
}

function ruleText({ text }: RuleReference): string {
  return shown(text);
}

function seeChain({
  family,
  table,
  chain,
  tool,
}: {
  family: string;
  table: string;
  chain: string;
  tool: RuleTool;
}): string {
  if (tool !== 'nft')
    return `See it with: ${tool} -t ${shown(table)} -L ${shown(chain)} -n -v --line-numbers`;
  return `See it with: nft -a list chain ${family} ${shown(table)} ${shown(chain)}`;
}

/** The text as a sentence: a capital first, a full stop last. */
export function sentence(text: string): string {
  return capitalised(stopped(text));
}

function stopped(text: string): string {
  const clean = printable(text.trim());
  return /[.!?]$/.test(clean) ? clean : `${clean}.`;
}

function ipDisabled(cause: Extract<Cause, { code: 'ip-disabled' }>): CauseWords {
  const name = shown(cause.interface);
  return cause.family === 'ipv6'
    ? {
        why: `IPv6 is switched off on ${name}.`,
        brief: `no IPv6 on ${name}`,
        hint: `Switch it on: sysctl net/ipv6/conf/${name}/disable_ipv6=0`,
      }
    : {
        why: `${name} takes no IPv4 packets: it has no IPv4 configuration.`,
        brief: `no IPv4 on ${name}`,
        hint: `Give it an address: ip address add ADDRESS/LENGTH dev ${name}`,
      };
}

function reversePath(cause: Extract<Cause, { code: 'reverse-path' }>): CauseWords {
  const name = shown(cause.interface);
  const brief = 'reverse path filter';
  if (cause.mode === 'loose' || cause.back === null) {
    return {
      why: `This host has no route back to them, and the reverse path filter of ${name} drops packets whose sender it could not answer.`,
      brief,
      hint: 'Add a route to them, or a default route.',
    };
  }
  return {
    why: `The route back to them goes by ${shown(cause.back)}, and the strict reverse path filter of ${name} drops what arrives by another way.`,
    brief,
    hint: `Let them come in by ${shown(cause.back)}, route back by ${name}, or use the loose filter: sysctl net/ipv4/conf/${name}/rp_filter=2`,
  };
}

function routeRefuses(cause: Extract<Cause, { code: 'route-refuses' }>): CauseWords {
  const by =
    cause.by === 'rule'
      ? `A policy rule${cause.priority === null ? '' : ` (priority ${cause.priority})`}`
      : `A route${cause.table === null ? '' : ` of table ${cause.table}`}`;
  const whither =
    cause.direction === 'reply' ? 'the answer to them' : `packets to ${cause.destination}`;
  const act = cause.type === 'blackhole' ? 'discards' : 'refuses';
  return {
    why: `${by} of type ${cause.type} ${act} ${whither}.`,
    brief: `${cause.type} ${cause.by}`,
    hint:
      cause.by === 'rule' ? 'See it with: ip rule show' : 'See it with: ip route show table all',
  };
}

function chainsText(chains: readonly string[], backend: 'nftables' | 'legacy'): string {
  const named = enumerate(chains.map(shown), 3);
  const noun = backend === 'nftables' ? 'The nftables' : 'The iptables';
  return `${noun} ${chains.length === 1 ? 'chain' : 'chains'}${named === '' ? '' : ` ${named}`}`;
}

function backendName(backend: 'nftables' | 'legacy'): string {
  return backend === 'nftables' ? 'nftables' : 'iptables';
}

function article(program: 'xdp' | 'tc'): string {
  return program === 'xdp' ? 'An XDP' : 'A tc';
}

function packet(direction: 'request' | 'reply'): string {
  return direction === 'request' ? 'packet' : 'answer';
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function shown(text: string): string {
  return printable(text);
}
