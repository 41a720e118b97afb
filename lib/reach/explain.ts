import { formatAddress } from '../model/address.js';
import { formatEndpoint } from '../model/endpoint.js';
import type { Course, Fate } from './course.js';
import { describe } from './stages/socket.js';
import type { Cause, Direction, RuleReference, Symptom } from './verdict.js';

const sees: Record<Symptom, string> = {
  ECONNREFUSED: 'connection refused',
  ETIMEDOUT: 'no answer until it times out',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EINVAL: 'invalid argument',
  EADDRNOTAVAIL: 'address not available',
  ENOPROTOOPT: 'protocol not available',
  ECONNRESET: 'connection reset',
};

/** What a program that fails this way reports, in words. */
export function symptomInWords(symptom: Symptom): string {
  return `${sees[symptom]} (${symptom})`;
}

/** The verdict in one sentence. */
export function explain(course: Course, fate: Fate): string {
  const { packet, fromHere, asked } = course;
  const from = fromHere ? 'This host' : asked ? formatAddress(asked.source) : packet.sourceText;
  const to = asked
    ? formatEndpoint({ address: formatAddress(asked.destination), port: asked.destinationPort })
    : formatEndpoint({ address: packet.destinationText, port: packet.destinationPort });
  const protocol = packet.protocol === 'tcp' ? 'TCP' : 'UDP';
  if (!fate.cause) {
    const taker = course.socket ? describe(course.socket) : 'a socket';
    return `${from} reaches ${to} (${protocol}): ${taker} takes it, and the answer gets back.`;
  }
  if (fate.letThroughTo) {
    const there = fate.letThroughTo.map(formatEndpoint).join(' or ');
    return `${from} is let through to ${there} where it asks for ${to} (${protocol}): ${reasonFor(fate.cause)}. Whether that answers is known there alone.`;
  }
  const reason = reasonFor(fate.cause);
  if (fate.cause.code === 'forwarded' && fate.cause.translatedTo) {
    const there = formatEndpoint(fate.cause.translatedTo);
    return `${from} is sent on to ${there} where it asks for ${to} (${protocol}): ${reason}. Whether an answer comes back through this host is not known.`;
  }
  if (fate.outcome === 'unknown') {
    return `Whether ${fromHere ? 'this host' : from} reaches ${to} (${protocol}) is unknown: ${reason}.`;
  }
  return `${from} does not reach ${to} (${protocol}): ${reason}.${seen(fate)}`;
}

function seen({ symptom, unsure }: Fate): string {
  if (symptom) return ` It sees: ${symptomInWords(symptom)}.`;
  return unsure ? ` What it sees of that is not known: ${reasonFor(unsure)}.` : '';
}

function ruleName({ family, table, chain, handle, tool, line }: RuleReference): string {
  if (tool !== 'nft') return `rule ${line} of chain ${chain} in table ${table} of ${tool}`;
  return `rule ${handle} of chain ${chain} in table ${family} ${table}`;
}

function tableName({
  family,
  table,
  tool,
}: {
  family: string;
  table: string;
  tool: string;
}): string {
  return tool === 'nft' ? `table ${family} ${table}` : `table ${table} of ${tool}`;
}

function whatever(direction: Direction): string {
  return direction === 'request' ? 'it' : 'the answer';
}

/** Why, as the rest of a sentence: what stands behind the colon. */
export function reasonFor(cause: Cause): string {
  switch (cause.code) {
    case 'interface-missing':
      return `there is no interface ${cause.interface} here`;
    case 'interface-down':
      return `interface ${cause.interface} is down`;
    case 'no-carrier':
      return `interface ${cause.interface} has no carrier`;
    case 'port-blocked':
      return `the bridge ${cause.master} takes nothing in by its port ${cause.interface}, which its spanning tree blocks`;
    case 'ip-disabled':
      return `${cause.family === 'ipv4' ? 'IPv4' : 'IPv6'} is off on ${cause.interface}`;
    case 'opaque-program':
      return `${cause.program === 'xdp' ? 'an XDP program' : 'a tc filter'} on ${cause.interface} sees the ${cause.direction === 'request' ? 'packet' : 'answer'}, and programs cannot be evaluated`;
    case 'firewall-unreadable':
      return `the ${cause.backend === 'nftables' ? 'nftables' : 'iptables'} rules at ${cause.hook} could not be read (${cause.reason}; ${cause.remedy})`;
    case 'firewall-not-evaluated':
      return `${cause.backend === 'nftables' ? 'nftables' : 'iptables'} rules at ${cause.hook} decide, and they are not evaluated (${cause.chains.join(', ')})`;
    case 'rule-drop':
      return `${ruleName(cause.rule)} drops ${whatever(cause.direction)} at ${cause.hook} (${cause.rule.text})`;
    case 'rule-reject':
      return `${ruleName(cause.rule)} rejects ${whatever(cause.direction)} at ${cause.hook} (${cause.rule.text})`;
    case 'policy-drop':
      return `no rule of chain ${cause.chain} in ${tableName(cause)} accepts ${whatever(cause.direction)} at ${cause.hook}, and its policy is drop`;
    case 'rule-unknown':
      return `it depends on ${ruleName(cause.rule)} at ${cause.hook}, whose outcome cannot be known (${cause.rule.text})`;
    case 'not-captured':
      return `${cause.what} could not be read (${cause.reason}; ${cause.remedy})`;
    case 'martian-source':
      return `a packet from ${cause.source} on ${cause.interface} is a martian, and the kernel drops it`;
    case 'martian-destination':
      return `a packet for ${cause.destination} that comes in on ${cause.interface} is a martian, and the kernel drops it${cause.setting ? ` unless ${cause.setting} is on` : ''}`;
    case 'source-is-ours':
      return `${cause.source} is an address of this host itself`;
    case 'reverse-path':
      return `the ${cause.mode} reverse path filter of ${cause.interface} drops it, since the route back to the peer ${cause.back ? `leads out of ${cause.back}` : 'does not exist'}`;
    case 'address-not-ready':
      return cause.state === 'tentative'
        ? `${cause.address} is still tentative, and does not answer before duplicate address detection has passed`
        : `${cause.address} failed duplicate address detection: another host on the link has it`;
    case 'neighbour-not-answered':
      return cause.protocol === 'arp'
        ? `a neighbour on ${cause.interface} that asks for ${cause.destination} by ARP gets no answer (${cause.setting ?? `rules drop it: ${cause.rule}`}), so its packets are never sent`
        : cause.rule !== null
          ? `a neighbour on ${cause.interface} that asks for ${cause.destination} gets no answer, since rules drop neighbour discovery (${cause.rule}), so its packets are never sent`
          : `a neighbour on ${cause.interface} that asks for ${cause.destination} gets no answer, since IPv6 answers only for addresses of that interface, so its packets are never sent`;
    case 'wrong-scope':
      return `${cause.address} is a link-local address of ${cause.interface} and answers on that link alone`;
    case 'not-our-address':
      return `${cause.destination} is not an address of this host, and it does not forward`;
    case 'forwarded':
      if (cause.translatedTo)
        return `its destination is translated before it is routed, so that it is forwarded by ${cause.interface}${cause.gateway ? ` via ${cause.gateway}` : ''}, and no rule at input is asked`;
      return `the packet is not for this host: it is sent on by ${cause.interface}${cause.gateway ? ` via ${cause.gateway}` : ''}`;
    case 'leaves-this-host':
      return `the packet leaves this host${cause.interface ? ` by ${cause.interface}` : ''}${cause.gateway ? ` to ${cause.gateway}` : ''}, and the other end is not known here`;
    case 'assumed-on-link':
      return `there is no route to ${cause.destination} by ${cause.interface}, which the socket is bound to, so the answer gets there only if the peer stands on that very link`;
    case 'not-a-unicast-address':
      return `${cause.destination} is a ${cause.type} address`;
    case 'group-not-joined':
      return `nobody on this host has joined the multicast group ${cause.group} on ${cause.interface}`;
    case 'no-route':
      return cause.direction === 'request'
        ? `there is no route to ${cause.destination}`
        : `the answer finds no route back to ${cause.destination}`;
    case 'route-refuses':
      return `${cause.direction === 'reply' ? 'the answer meets ' : ''}${
        cause.by === 'route'
          ? `the ${cause.type} route ${cause.destination} in table ${cause.table}`
          : `policy rule ${cause.priority} (${cause.type})`
      }${cause.direction === 'reply' ? '' : ' refuses it'}`;
    case 'not-evaluated':
      return `it depends on ${cause.what}`;
    case 'no-listener':
      return 'nobody listens on that port';
    case 'bound-to-loopback':
      return `${describe(cause.socket)} is bound to loopback: this host alone reaches it, and at that address alone`;
    case 'bound-to-other-address':
      return `${describe(cause.socket)} is bound to another address`;
    case 'bound-to-other-device':
      return `${describe(cause.socket)} takes only what comes in on that device`;
    case 'outside-vrf':
      return `${describe(cause.socket)} stands outside of the VRF ${cause.vrf} that the packet came in by, and ${cause.setting} is off`;
    case 'ipv6-only':
      return `${describe(cause.socket)} takes IPv6 alone${cause.socket.local.address === '::' ? ' (IPV6_V6ONLY)' : ''}`;
    case 'ipv4-only':
      return `${describe(cause.socket)} takes IPv4 alone`;
    case 'other-protocol':
      return `only ${describe(cause.socket)} stands on that port`;
    case 'connected-to-another':
      return `${describe(cause.socket)} is connected to another peer and takes nothing else`;
    case 'shadowed':
      return `${describe(cause.by)} is the closer match and takes it instead`;
    case 'accept-queue-full':
      return `the accept queue of ${describe(cause.socket)} is full: the program does not accept connections fast enough`;
    case 'signature-required':
      return `${describe(cause.socket)} takes from ${cause.peers} only what is signed with its TCP MD5 key, and drops everything else`;
    case 'source-not-ours':
      return `${cause.source} is not an address of this host`;
  }
}
