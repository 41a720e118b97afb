import { statSync } from 'node:fs';
import { availableParallelism, hostname, release } from 'node:os';
import type { CapturePlace, HostState, Missing } from '../model/host-state.js';
import { HOST_STATE_VERSION } from '../model/host-state.js';
import type { CaptureOptions, Socket } from '../model/socket.js';
import type { SocketTable } from '../model/socket-table.js';
import { native } from '../native.js';
import { type CustomRules, readCustomRules } from './custom-rules.js';
import { readFirewall } from './firewall.js';
import { CONNECTION_STATES, heldPorts } from './held-ports.js';
import { GROUP_FILES, joinGroups } from './multicast-groups.js';
import { joinNeighbours } from './neighbours.js';
import { type Network, readNetwork } from './network.js';
import { readOwners } from './owners.js';
import { type CheckedCapture, checkCaptureOptions } from './read-options.js';
import { partOrMissing, privilegeRemedy } from './refusal.js';
import { readSettings } from './settings.js';
import { joinOptions, type OwnOptions, readOptions } from './socket-options.js';
import { readConnections, readStates } from './sockets.js';
import { Turns } from './turns.js';

/** TCP_LISTEN and TCP_BOUND_INACTIVE; UDP in both its states: what decides who gets a first packet. */
const CAPTURED_STATES = { tcp: (1 << 10) | (1 << 13), udp: (1 << 1) | (1 << 7) };

/** These exist where the kernel has the family, also when no address is set. */
const FAMILY_FILES = ['/proc/thread-self/net/route', '/proc/thread-self/net/if_inet6'];

/**
 * Reads everything that decides who reaches a socket of a network namespace, as plain JSON data:
 * links, addresses, routes of all tables, policy rules, settings, sockets with their processes, and
 * the firewalls. Verdicts on it need no privileges and no Linux.
 *
 * What this user may not read, or this kernel does not tell, is named in `missing` with the reason
 * and the remedy. Throws an `EarshotError` only where nothing can be read at all: an option that is
 * not of its form, a namespace that cannot be entered, no binary, not Linux.
 *
 * @example
 * ```js
 * import { capture, exposure } from 'earshot';
 * const state = await capture();
 * console.log(JSON.stringify(state).length, 'characters tell', exposure(state).length, 'listeners');
 * for (const { what, reason, remedy } of state.missing) console.log(`${what}: ${reason}; ${remedy}`);
 * ```
 */
export async function capture(options?: CaptureOptions): Promise<HostState> {
  const checked = checkCaptureOptions(options);
  const { netns } = checked;
  const when = new Date().toISOString();
  const missing: Missing[] = [];
  // A large set of the firewall takes the kernel longer to tell than all else together, which is read
  // meanwhile: it comes first, and one processor is left to it.
  const turns = new Turns(Math.max(1, availableParallelism() - 1));
  const [firewall, { network, customRules }, files, { settings, missing: settingsMissing }, held] =
    await Promise.all([
      readFirewall(netns, turns),
      turns.take(() => readRouting(netns, missing)),
      turns.take(() => native.readFiles({ paths: [...FAMILY_FILES, ...GROUP_FILES], netns })),
      turns.take(() => readSettings(netns)),
      readHolders(checked, turns, missing),
    ]);
  const { sockets, connections, options: told } = held;
  if (network) {
    joinGroups(network.interfaces, files.slice(FAMILY_FILES.length));
    if (network.neighbours) joinNeighbours(network.interfaces, network.neighbours);
  }
  return {
    version: HOST_STATE_VERSION,
    when,
    where: placeOf(netns),
    families: {
      ipv4: (network?.families.ipv4 ?? false) || typeof files[0] !== 'number',
      ipv6: (network?.families.ipv6 ?? false) || typeof files[1] !== 'number',
    },
    interfaces: network?.interfaces ?? [],
    routes: network?.routes ?? [],
    rules: network?.rules ?? [],
    customRules,
    settings,
    sockets,
    ...(connections ? { held: heldPorts(connections, told) } : {}),
    firewall: firewall.firewall,
    missing: [
      ...missing,
      ...(network?.missing ?? []),
      ...settingsMissing,
      ...firewall.missing,
      ...missingMarks(sockets),
    ],
  };
}

/** The interfaces and routes, and whether the rules that lead to them are asked. */
async function readRouting(
  netns: string | null,
  missing: Missing[],
): Promise<{ network: Network | null; customRules: CustomRules }> {
  const network = await partOrMissing('interfaces', missing, null, () => readNetwork(netns));
  if (network) return { network, customRules: await readCustomRules(netns, network) };
  const { reason, remedy } = missing.find(({ what }) => what === 'interfaces')!;
  missing.push({ what: 'routes', reason, remedy }, { what: 'rules', reason, remedy });
  return { network, customRules: { ipv4: null, ipv6: null } };
}

/** What holds ports: sockets with their processes, connections, and the options of those asked. */
async function readHolders(
  checked: CheckedCapture,
  turns: Turns,
  missing: Missing[],
): Promise<{
  sockets: Socket[];
  connections: SocketTable | null;
  options: ReadonlyMap<number, OwnOptions>;
}> {
  const [sockets, connections] = await Promise.all([
    partOrMissing('sockets', missing, [], async () =>
      Array.from(await turns.take(() => readStates(CAPTURED_STATES, checked))),
    ),
    partOrMissing('sockets', missing, null, () =>
      turns.take(() => readConnections(CONNECTION_STATES, checked)),
    ),
  ]);
  const none: ReadonlyMap<number, OwnOptions> = new Map();
  if (checked.owners === false) return { sockets, connections, options: none };
  const asked = checked.socketOptions ? connections : null;
  const options = await partOrMissing('owners', missing, none, () =>
    turns.take(() => addOwners(sockets, asked, missing)),
  );
  return { sockets, connections, options };
}

function placeOf(netns: string | null): CapturePlace {
  return { hostname: hostname(), kernel: release(), netns: inodeOf(netns), ...userOf() };
}

function userOf(): { uid?: number } {
  const uid = process.geteuid?.();
  return uid === undefined ? {} : { uid };
}

function inodeOf(netns: string | null): number | null {
  try {
    return statSync(netns ?? '/proc/thread-self/ns/net').ino;
  } catch {
    return null;
  }
}

/**
 * The processes of the sockets; gives the options of the sockets of this process, and where
 * `connections` are asked too, of everybody's.
 */
async function addOwners(
  sockets: Socket[],
  connections: SocketTable | null,
  missing: Missing[],
): Promise<Map<number, OwnOptions>> {
  const inodes = Uint32Array.from([
    ...sockets.map(({ inode }) => inode),
    ...(connections?.columns.inode ?? []),
  ]);
  const owners = await readOwners(inodes);
  const byInode = new Map(Array.from(inodes, (inode) => [inode, owners.get(inode)] as const));
  const options = await readOptions(byInode, connections !== null);
  joinOptions(sockets, options);
  for (const socket of sockets) socket.owners = owners.get(socket.inode);
  const unseen = sockets.filter(({ owners }) => owners?.length === 0).length;
  if ((owners.denied === 0 && !owners.hidden) || unseen === 0) return options;
  const untold = owners.hidden
    ? "is not told of others' processes (/proc is mounted with hidepid)"
    : `may not see the descriptors of ${owners.denied} processes`;
  missing.push({
    what: 'owners',
    reason:
      `this user ${untold}, and ${unseen} of ` +
      `${sockets.length} sockets are held by none of those it may see`,
    remedy: privilegeRemedy('CAP_SYS_PTRACE'),
  });
  return options;
}

function missingMarks(sockets: Socket[]): Missing[] {
  const unmarked = sockets.filter(({ mark }) => mark === null).length;
  if (unmarked === 0) return [];
  return [
    {
      what: 'marks',
      reason: `the marks (SO_MARK) of ${unmarked} of ${sockets.length} sockets were not told: sock_diag tells them to CAP_NET_ADMIN alone, /proc/net to nobody`,
      remedy: privilegeRemedy('CAP_NET_ADMIN'),
    },
  ];
}
