import { isLoopback, isUnspecified, parseAddress } from '../../model/address.js';
import type { HostState } from '../../model/host-state.js';
import type { Transport } from '../../model/socket.js';
import type { Exposure } from '../../reach/exposure-row.js';
import type { Flow } from '../../reach/flow.js';
import type { Symptom } from '../../reach/verdict.js';
import { addressArgument, portArgument } from '../arguments.js';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { addressesFor, type Peer, peerOf } from '../peer-flow.js';
import { type ProtocolOptions, protocolsAsked } from '../protocols.js';
import { type Judged, peerText } from '../render/peer.js';
import { portText, type UserNames } from '../render/port.js';
import { jsonDocument } from '../render/printable.js';
import { rowsOf, standingOf } from '../render/rows.js';
import { obtainState, type StateOptions } from '../state-source.js';
import { UsageError } from '../usage-error.js';
import { sees } from './sees.js';

export interface PortOptions extends StateOptions, ProtocolOptions {
  json?: boolean;
  from?: string;
  in?: string;
  sees?: Symptom;
}

/** `earshot PORT`: who can reach one port, or with --from whether one peer can. */
export async function port(text: string, options: PortOptions, context: Context): Promise<Answer> {
  const number = portArgument(text);
  const protocols = protocolsAsked(options);
  if (options.from === undefined) {
    if (options.in !== undefined) {
      throw new UsageError(
        `--in ${options.in} says where a peer comes in: name the peer with --from`,
      );
    }
    if (options.sees !== undefined) {
      throw new UsageError(`--sees ${options.sees} is what a peer sees: name the peer with --from`);
    }
  } else addressArgument(options.from, '--from');
  const state = await obtainState(options, context);
  const exposures = await context.services.exposure(state, {
    protocol: protocols,
    localPort: number,
  });
  if (options.from !== undefined) {
    if (options.sees !== undefined) {
      const { from, in: ingress, sees: error } = options;
      const used = protocolsUsed({ protocols, exposures });
      const asked = { port: number, protocols: used, from, sees: error };
      const question = ingress === undefined ? asked : { ...asked, in: ingress };
      return sees(state, question, options.json === true, context);
    }
    const peer = await peerOf(state, { ...options, from: options.from }, context);
    return fromPeer(state, peer, { number, protocols, exposures }, options, context);
  }
  return {
    text: options.json
      ? jsonDocument(exposures)
      : portText(
          state,
          { port: number, protocols },
          exposures,
          await userNames(exposures, options, context),
          context.view,
        ),
    status: reachedFromElsewhere(state, exposures),
  };
}

/** Yes when another host surely gets in to any of them. */
function reachedFromElsewhere(state: HostState, exposures: readonly Exposure[]): ExitStatus {
  const standings = rowsOf(exposures).map(standingOf);
  if (standings.includes('routed') || standings.includes('link')) return ExitStatus.yes;
  const unread = exposures.length === 0 && state.missing.some(({ what }) => what === 'sockets');
  return unread || standings.includes('unknown') ? ExitStatus.unknown : ExitStatus.no;
}

/** The users of the sockets and processes; those of a capture may be of another machine and stay numbers. */
async function userNames(
  exposures: readonly Exposure[],
  options: StateOptions,
  context: Context,
): Promise<UserNames> {
  const found = new Map<number, string>();
  if (options.state !== undefined) return found;
  for (const { socket } of exposures) {
    for (const uid of socket
      ? [socket.uid, ...(socket.owners ?? []).map((each) => each.uid)]
      : []) {
      const name = found.has(uid) ? null : await context.services.userName(uid);
      if (name !== null) found.set(uid, name);
    }
  }
  return found;
}

interface Asked {
  number: number;
  protocols: readonly Transport[];
  exposures: readonly Exposure[];
}

async function fromPeer(
  state: HostState,
  peer: Peer,
  asked: Asked,
  options: PortOptions,
  context: Context,
): Promise<Answer> {
  const judged: Judged[] = [];
  for (const flow of flowsOf(state, peer, asked)) {
    const verdict = await context.services.trace(state, flow);
    judged.push({ flow, verdict, remedies: await context.services.remedies(state, flow) });
  }
  if (judged.length === 0) {
    throw new UsageError(
      `this host has no ${peer.address.family === 'ipv4' ? 'IPv4' : 'IPv6'} address that ${peer.text} could connect to`,
    );
  }
  const outcomes = judged.map(({ verdict }) => verdict.outcome);
  return {
    text: options.json
      ? jsonDocument(judged)
      : peerText(state, peer.text, judged, peer.chosen, context.view),
    status: outcomes.includes('reachable')
      ? ExitStatus.yes
      : outcomes.includes('unknown')
        ? ExitStatus.unknown
        : ExitStatus.no,
  };
}

/** The protocols that somebody uses on the port; without any, the first that was asked for. */
function protocolsUsed({
  protocols,
  exposures,
}: Pick<Asked, 'protocols' | 'exposures'>): readonly Transport[] {
  const used = protocols.filter((each) =>
    exposures.some(({ endpoint }) => endpoint.protocol === each),
  );
  return used.length > 0 ? used : protocols.slice(0, 1);
}

/**
 * What that peer would try: the addresses of the interface it comes in by, and those that a listener
 * of the port stands on. Protocols that nobody uses on the port are left out, but for one.
 */
function flowsOf(state: HostState, peer: Peer, asked: Asked): Flow[] {
  const { number, exposures } = asked;
  return protocolsUsed(asked).flatMap((protocol) => {
    const bound = exposures.flatMap(({ socket, endpoint }) =>
      socket && endpoint.protocol === protocol ? [socket.local.address] : [],
    );
    const addresses = [
      ...addressesFor(state, peer.address.family, peer.ingress),
      ...bound.filter((text) => {
        const address = parseAddress(text);
        if (address?.family !== peer.address.family || isUnspecified(address)) return false;
        // Nobody outside would try a loopback address.
        return peer.ingress === 'lo' || !isLoopback(address);
      }),
    ];
    return [...new Set(addresses)].map((address) => ({
      protocol,
      ingress: peer.ingress,
      source: { address: peer.text },
      destination: { address, port: number },
    }));
  });
}
