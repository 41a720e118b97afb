import type { LabFlow } from '../harness.js';
import type { Draft } from './draft.js';
import { ports } from './outside.js';
import { type Asker, isIpv6, isLinkLocalText } from './scenario.js';

/** A flow to the host, of the host to itself, or by the host to somebody else. */
export function makeFlow(draft: Draft): LabFlow {
  const { random, family } = draft;
  return random.chance(family === 'local' ? 0.8 : 0.15) ? fromHost(draft) : fromOutside(draft);
}

function fromHost(draft: Draft): LabFlow {
  const { random } = draft;
  const protocol = random.pick(['tcp', 'udp'] as const);
  const address = destination(draft, draft.ownAddresses(), []);
  const flow: LabFlow = {
    from: 'host',
    protocol,
    destination: { address, port: random.pick(ports) },
  };
  if (isLinkLocalText(address)) return { ...flow, scope: linkOf(draft, address) };
  if (random.chance(0.4)) {
    const sources = [...draft.ownAddresses(), '127.0.0.1', ...draft.places];
    const fitting = sources.filter(
      (source) =>
        // Where an optimistic source goes is a matter of the neighbours too (ip6_dst_lookup_tail).
        isIpv6(source) === isIpv6(address) && !/^255\.|::67$/.test(source),
    );
    flow.source = { address: random.pick(fitting) };
    if (protocol === 'udp' && draft.nft.length === 0 && random.chance(0.2)) flow.source.port = 5555;
  }
  return flow;
}

function fromOutside(draft: Draft): LabFlow {
  const { random } = draft;
  const asker = random.pick(draft.askers);
  const protocol = random.pick(['tcp', 'udp'] as const);
  // Who may send to many at once is a matter of the sender; TCP never may.
  const many = protocol === 'udp' && asker.near ? broadcasts(draft, asker) : [];
  const own = draft.own.get(asker.link)!.filter(isNear(asker));
  const wanted = destination(draft, own, many);
  // No router passes on what is for ::1.
  const address = asker.near === null && wanted === '::1' ? own.find(isIpv6)! : wanted;
  const flow: LabFlow = {
    from: asker.machine,
    protocol,
    destination: { address, port: random.pick(ports) },
  };
  const sources = [...asker.addresses];
  const { linkLocal } = asker.near ?? {};
  if (linkLocal && (isLinkLocalText(address) || random.chance(0.05))) {
    sources.push(...Array.from({ length: 10 }, () => linkLocal));
  }
  const fitting = sources.filter((source) => isIpv6(source) === isIpv6(address));
  const source = random.pick(fitting);
  flow.source = { address: source };
  if (isLinkLocalText(address) || isLinkLocalText(source)) flow.scope = 'eth0';
  // To conntrack a second flow from the same port is the first one still.
  if (protocol === 'udp' && draft.nft.length === 0 && random.chance(0.08)) flow.source.port = 5555;
  return flow;
}

/** Only who stands on the link can ask for what is of the link. */
function isNear(asker: Asker): (address: string) => boolean {
  return (address) => asker.near !== null || !isLinkLocalText(address);
}

function destination(draft: Draft, closest: string[], many: string[]): string {
  const { random, family, listeners } = draft;
  const everywhere = draft.ownAddresses();
  const bound = listeners.map(({ address }) => address).filter(isPlace);
  const wanted = random.chance(family === 'ipv6' ? 0.85 : 0.35);
  const candidates = [
    ...closest,
    random.pick(everywhere),
    random.pick(everywhere),
    random.pick(draft.places.filter((place) => place !== '255.255.255.255')),
    ...many,
    ...(bound.length > 0 ? [random.pick(bound)] : []),
  ].filter((address) => isIpv6(address) === wanted);
  return candidates.length > 0 ? random.pick(candidates) : random.pick(everywhere);
}

/** An address that can be asked for, by anybody. */
function isPlace(address: string): boolean {
  return !/^(::ffff:|fe80:|::$|0\.0\.0\.0$)/.test(address);
}

function broadcasts(draft: Draft, asker: Asker): string[] {
  const own = `10.${asker.link.slice(3)}.0.255`;
  if (!draft.broadcasts.includes(own)) return [];
  return draft.places.includes('255.255.255.255') ? [own, '255.255.255.255'] : [own];
}

function linkOf(draft: Draft, address: string): string {
  return [...draft.own].find(([, addresses]) => addresses.includes(address))![0];
}
