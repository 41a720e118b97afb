import type { BindCheck, BindSpec } from '../../reach/bind.js';
import { endpointArgument } from '../arguments.js';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import type { ProtocolOptions } from '../protocols.js';
import { bindText } from '../render/bind.js';
import { jsonDocument } from '../render/printable.js';
import { obtainState, type StateOptions } from '../state-source.js';
import { UsageError } from '../usage-error.js';

export interface BindOptions extends StateOptions, ProtocolOptions {
  json?: boolean;
  interface?: string;
  v6only?: boolean;
  reuseAddress?: boolean;
  reusePort?: boolean;
  uid?: string;
}

/** `earshot bind`: would a server get this address and port? */
export async function bind(text: string, options: BindOptions, context: Context): Promise<Answer> {
  const spec = specOf(text, options);
  const state = await obtainState(options, context, { socketOptions: true });
  const check = await context.services.checkBind(state, spec);
  return {
    text: options.json ? jsonDocument(check) : bindText(state, check, context.view),
    status: statusOf(check),
  };
}

function statusOf({ ok, unknown }: BindCheck): ExitStatus {
  if (ok) return ExitStatus.yes;
  return unknown ? ExitStatus.unknown : ExitStatus.no;
}

function specOf(text: string, options: BindOptions): BindSpec {
  if (options.tcp && options.udp) {
    throw new UsageError('--tcp and --udp exclude each other: a socket is of one protocol');
  }
  // A link-local address may name its interface as programs write it: [fe80::1%eth0]:3000.
  const [, front, zone, end] = /^(\[[^\]%]*)%([^\]]+)(\].*)$/.exec(text) ?? [];
  const { address, port } = endpointArgument(zone === undefined ? text : `${front}${end}`);
  const device = options.interface ?? zone;
  if (zone !== undefined && device !== zone) {
    throw new UsageError(`--interface ${device} is not the zone of '${text}': give one of them`);
  }
  if (options.v6only && !address.includes(':')) {
    throw new UsageError(
      `--v6only speaks of IPv6, and ${address} is an IPv4 address: leave it out`,
    );
  }
  return {
    protocol: options.udp ? 'udp' : 'tcp',
    address,
    port,
    ...(device === undefined ? {} : { boundInterface: device }),
    ...(options.v6only ? { v6only: true } : {}),
    ...(options.reuseAddress ? { reuseAddress: true } : {}),
    ...(options.reusePort ? { reusePort: true } : {}),
    ...(options.uid === undefined ? {} : { uid: uidOf(options.uid) }),
  };
}

const largestUid = 0xfffffffe;

function uidOf(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= largestUid) return Number(text);
  throw new UsageError(`--uid '${text}' is no user: give a number, as 'id -u NAME' prints it`);
}
