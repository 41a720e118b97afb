import { parseAddress } from '../../model/address.js';
import type { HostState } from '../../model/host-state.js';
import type { Endpoint } from '../../model/socket.js';
import type { Flow } from '../../reach/flow.js';
import type { Outcome } from '../../reach/verdict.js';
import { addressArgument, endpointArgument, portArgument } from '../arguments.js';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { peerOf } from '../peer-flow.js';
import type { ProtocolOptions } from '../protocols.js';
import { jsonDocument } from '../render/printable.js';
import { type TracedFlow, traceText } from '../render/trace.js';
import { obtainState, type StateOptions } from '../state-source.js';
import { UsageError } from '../usage-error.js';

export interface TraceOptions extends StateOptions, ProtocolOptions {
  json?: boolean;
  from?: string;
  in?: string;
  fromPort?: string;
}

/** `earshot trace`: one packet's life, step by step. */
export async function trace(
  text: string,
  options: TraceOptions,
  context: Context,
): Promise<Answer> {
  const destination = endpointArgument(text);
  checkOptions(options, destination);
  const sourcePort =
    options.fromPort === undefined ? {} : { port: portArgument(options.fromPort, '--from-port') };
  const state = await obtainState(options, context);
  const traced = await flowOf(state, destination, options, sourcePort, context);
  const verdict = {
    ...(await context.services.trace(state, traced.flow)),
    remedies: await context.services.remedies(state, traced.flow),
  };
  return {
    text: options.json ? jsonDocument(verdict) : traceText(state, traced, verdict, context.view),
    status: statusOf[verdict.outcome],
  };
}

const statusOf: Readonly<Record<Outcome, ExitStatus>> = {
  reachable: ExitStatus.yes,
  unreachable: ExitStatus.no,
  unknown: ExitStatus.unknown,
};

function checkOptions(options: TraceOptions, destination: Endpoint): void {
  if (options.tcp && options.udp) {
    throw new UsageError('--tcp and --udp exclude each other: a packet is of one protocol');
  }
  if (options.from === undefined) {
    const lone = options.in === undefined ? options.fromPort : options.in;
    if (lone !== undefined) {
      const name = options.in === undefined ? '--from-port' : '--in';
      throw new UsageError(`${name} ${lone} speaks of a peer: name the peer with --from`);
    }
    return;
  }
  const source = addressArgument(options.from, '--from');
  if (parseAddress(destination.address)?.family !== source.family) {
    throw new UsageError(
      `--from ${options.from} and destination ${destination.address} are of different families: give both as IPv4 or both as IPv6`,
    );
  }
}

async function flowOf(
  state: HostState,
  destination: Endpoint,
  options: TraceOptions,
  sourcePort: { port?: number },
  context: Context,
): Promise<TracedFlow> {
  const protocol = options.udp ? 'udp' : 'tcp';
  if (options.from === undefined) {
    const flow: Flow = { protocol, ingress: 'lo', destination };
    return { flow, chosen: '(from this host itself; --from names another peer.)' };
  }
  const peer = await peerOf(state, { ...options, from: options.from }, context);
  const source = { address: peer.text, ...sourcePort };
  return { flow: { protocol, ingress: peer.ingress, source, destination }, chosen: peer.chosen };
}
