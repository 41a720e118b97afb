import type { ListenerSpec } from '../sockets.js';
import type { Draft } from './draft.js';
import { ports } from './outside.js';
import { isIpv6, isLinkLocalText } from './scenario.js';

/** Sockets of every kind on the host. */
export function addListeners(draft: Draft): void {
  const { random, family, listeners } = draft;
  const most = family === 'bind' ? 16 : 8;
  listeners.push(...random.times(3, most, () => listener(draft)));
}

function listener(draft: Draft): ListenerSpec {
  const { random, own, places, names } = draft;
  const ownAddresses = [...own.values()].flat();
  const address = random.pick([
    '0.0.0.0',
    '0.0.0.0',
    '::',
    '::',
    '127.0.0.1',
    '::1',
    random.pick(ownAddresses),
    random.pick(ownAddresses),
    random.pick(ownAddresses),
    random.pick(places.filter((place) => place !== '255.255.255.255')),
    `::ffff:${random.pick(draft.ownAddresses(false))}`,
  ]);
  const protocol = random.pick(['tcp', 'udp'] as const);
  const spec: ListenerSpec = { protocol, address, port: random.pick(ports) };
  if (isLinkLocalText(address))
    spec.scope = [...own].find(([, addresses]) => addresses.includes(address))![0];
  if (isIpv6(address) && random.chance(0.5)) spec.v6only = random.chance(0.5);
  if (draft.often(0.2, 'bind', 'links')) spec.device = random.pick([...names, 'lo']);
  if (random.chance(0.3)) spec.reusePort = true;
  if (random.chance(0.3)) spec.reuseAddress = true;
  if (random.chance(0.3)) spec.freebind = true;
  if (random.chance(0.1)) spec.transparent = true;
  if (random.chance(0.1)) spec.mark = random.pick([1, 2, 3]);
  if (random.chance(0.15)) spec.uid = random.pick([1000, 1500, 3000]);
  if (protocol === 'tcp') crowd(draft, spec);
  else answer(draft, spec);
  return spec;
}

/** A program that does not accept: the queue, soon full, is filled before anything is asked. */
function crowd(draft: Draft, spec: ListenerSpec): void {
  const { random } = draft;
  if (random.chance(0.03)) spec.listen = false;
  if (!draft.often(0.15, 'bind')) return;
  spec.serves = false;
  spec.backlog = random.between(0, 2);
}

function answer(draft: Draft, spec: ListenerSpec): void {
  const { random } = draft;
  // By IPv4, a socket of both families cannot answer a broadcast from its own address.
  const both = isIpv6(spec.address) && spec.v6only !== true;
  if (!both && random.chance(0.5)) spec.answerFrom = 'asked';
  if (!random.chance(0.1)) return;
  const peer = random
    .pick(draft.askers)
    .addresses.find((candidate) => isIpv6(candidate) === isIpv6(spec.address));
  if (peer) spec.connectedTo = { address: peer, port: 5555 };
}
