import { formatAddress } from '../model/address.js';
import type { HostState } from '../model/host-state.js';
import { addressFromNumber, rangesToPrefixes } from '../model/prefix-set.js';
import type { Family, Socket, SocketFilter } from '../model/socket.js';
import { checkRecordFilter, matchesFilter } from '../model/socket-filter.js';
import { DoorGroups } from './door-groups.js';
import { doors } from './doors.js';
import type { Blocked, Exposure, Reach, Scope, Untold } from './exposure-row.js';
import type { Flow } from './flow.js';
import { type Device, type Host, hostOf } from './host.js';
import type { Door, Target } from './knock.js';
import { blockedRow, type Makes, reachRow, untoldRow } from './lazy-rows.js';
import { firstOf, type PeerPart } from './peer-parts.js';
import { PeerSpace } from './peer-space.js';
import { type Piece, piecesOf } from './peers.js';
import { isKnockedAt, publishedPorts } from './published.js';
import { rowRemedies } from './remedies/row.js';

/**
 * Who reaches each listening socket, by which interface and address; who does not, and why.
 *
 * For every interface that is up, and every address of it (and the one the socket is bound to),
 * the space of peers is divided as anything on the host tells two peers apart, and one flow for each
 * part is traced. A port that nobody stands on, and rules send on, as those of containers, has a record
 * too, unless there are more than 1,024 such in a row, or an ipset alone names the port. Pure, like `trace`.
 *
 * @param state what `capture()` or `parseState()` gave
 * @param filter which sockets; listening TCP and unconnected UDP are looked at, nothing else
 * @returns a record for each socket, in the order of the state, and then one for each port that rules
 * alone publish
 * @throws EarshotError `ERR_INVALID_STATE`, `ERR_INVALID_ARGUMENT`
 * @example
 * ```js
 * import { capture, exposure } from 'earshot';
 * for (const { endpoint, scope } of exposure(await capture(), { protocol: 'tcp' })) {
 *   console.log(endpoint.port, scope);
 * }
 * ```
 */
export function exposure(state: HostState, filter: SocketFilter = {}): Exposure[] {
  const host = hostOf(state);
  const wanted = checkRecordFilter(filter);
  const asking = { host, behind: spacesOf(host), doorGroups: new DoorGroups(host) };
  const listening = state.sockets
    .filter(isKnockedAt)
    .filter((socket) => matchesFilter(socket, wanted))
    .map((socket) => exposureOf(asking, targetOf(socket)).exposure);
  const published = publishedPorts(host, wanted)
    .map((target) => exposureOf(asking, target))
    .filter(({ isSentOn }) => isSentOn)
    .map(({ exposure }) => exposure);
  return [...listening, ...published];
}

/** What all questions about one host share. */
interface Asking {
  readonly host: Host;
  readonly behind: PeersBehind;
  readonly doorGroups: DoorGroups;
}

function targetOf(socket: Socket): Target {
  return { protocol: socket.protocol, port: socket.local.port, socket };
}

export type { Blocked, Exposure, Reach, Remedy, Scope, Untold } from './exposure-row.js';

type PeersBehind = (device: Device, family: Family) => PeerSpace;

/** The peers behind each interface, found out when somebody first asks. */
function spacesOf(host: Host): PeersBehind {
  const pieces = new Map<Family, Piece[]>();
  const spaces = new Map<string, PeerSpace>();
  return (device, family) => {
    const key = `${family} ${device.name}`;
    const known = spaces.get(key);
    if (known) return known;
    const all = pieces.get(family) ?? piecesOf(host, family);
    pieces.set(family, all);
    const made = new PeerSpace(host, device, family, all);
    spaces.set(key, made);
    return made;
  };
}

/** `isSentOn`: rules send some peers elsewhere than they asked to go. */
function exposureOf(
  { host, behind, doorGroups }: Asking,
  target: Target,
): { exposure: Exposure; isSentOn: boolean } {
  const { protocol, port, socket } = target;
  const reach: Reach[] = [];
  const blocked: Blocked[] = [];
  const unknown: Untold[] = [];
  let scope: Scope = 'nobody';
  let perhaps: Scope = 'nobody';
  const sentTo = new Set<Socket | null>();
  for (const door of doors(host, socket)) {
    const { device, family } = door;
    const local = device.link.loopback;
    const space = local ? null : behind(device, family);
    for (const group of doorGroups.at(target, door, space)) {
      const { fate, parts, beyond } = group;
      if (group.sentTo !== undefined) sentTo.add(group.sentTo);
      const peers = () =>
        space
          ? space.prefixes(parts, door.linkOnly)
          : parts.flatMap(({ region }) => rangesToPrefixes(region.ranges, family));
      const remedies = (row: Blocked) => {
        const flow = firstPacket(target, door, space ? parts[0]! : null);
        return rowRemedies(host.state, { target, flow, row }, (changed, protocol, localPort) =>
          exposure(changed, { protocol, localPort }),
        );
      };
      const makes: Makes = { peers, remedies };
      const distance = local ? 'host' : beyond ? 'routed' : 'link';
      if (fate.outcome === 'reachable' || fate.letThroughTo) {
        const targets = fate.letThroughTo ?? [null];
        reach.push(...targets.map((sentOnTo) => reachRow(target, door, makes, sentOnTo)));
        scope = farther(scope, distance);
      } else if (fate.outcome === 'unknown') {
        unknown.push(untoldRow(target, door, fate, makes));
        perhaps = farther(perhaps, distance);
      } else blocked.push(blockedRow(door, fate, makes));
    }
  }
  if (farther(scope, perhaps) !== scope) scope = 'unknown';
  const [taker = null, ...others] = [...sentTo].filter((one) => one !== null);
  return {
    exposure: {
      endpoint: { protocol, port },
      socket: socket ?? (others.length === 0 ? taker : null),
      scope,
      reach,
      blocked,
      unknown,
    },
    isSentOn: sentTo.size > 0,
  };
}

/** The first packet of the first of some peers; of this host itself where there are none. */
function firstPacket(
  { protocol, port }: Target,
  { device, address, family }: Door,
  part: PeerPart | null,
): Flow {
  const destination = { address, port };
  if (!part) return { protocol, ingress: device.name, destination };
  const source = { address: formatAddress(addressFromNumber(firstOf(part)!, family)) };
  return { protocol, ingress: device.name, source, destination };
}

const order: readonly Scope[] = ['nobody', 'host', 'link', 'routed'];

function farther(one: Scope, other: Scope): Scope {
  return order.indexOf(other) > order.indexOf(one) ? other : one;
}
