import { once } from 'node:events';
import type { Server } from 'node:http';
import { parseAddress } from '../../model/address.js';
import type { Endpoint } from '../../model/socket.js';
import type { BindCheck } from '../../reach/bind.js';
import { endpointArgument } from '../arguments.js';
import type { Services } from '../services.js';
import { UsageError } from '../usage-error.js';

/** Where `earshot exporter` listens unless told otherwise: of this host, for this host. */
export const USUAL_LISTEN = '127.0.0.1:19747';

/** --listen: ADDRESS:PORT, [ADDRESS]:PORT for IPv6. */
export function listenArgument(text: string): Endpoint {
  if (text.includes('%')) {
    throw new UsageError(
      `--listen '${text}' carries a zone: give an address that is not link-local, or [::1]:19747`,
    );
  }
  return endpointArgument(text, '--listen');
}

/** ADDRESS:PORT as it stands in a URL. */
export function urlHost({ address, port }: Endpoint): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** Listens there; where that is refused, earshot knows why, and who is in the way. */
export async function listen(server: Server, at: Endpoint, services: Services): Promise<void> {
  server.listen({ host: at.address, port: at.port });
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    const { error: found, explanation } = await check(at, services);
    const why =
      found === code ? explanation : `bind() or listen() failed with ${code} at ${urlHost(at)}`;
    throw new UsageError(`cannot serve: ${why.replace(/\.$/, '')}; --listen names another place`);
  }
}

/** Who could ask there, in a sentence, where that may be somebody else than this host. */
export async function othersWhoAsk(at: Endpoint, services: Services): Promise<string | null> {
  if (isLoopback(at.address)) return null;
  const { exposure } = await check(at, services);
  const who = {
    nobody: 'nobody reaches it as things stand',
    host: 'only this host reaches it as things stand',
    link: 'directly connected peers reach it',
    routed: 'anyone routed here reaches it',
    unknown: 'who reaches it cannot be told',
  }[exposure?.scope ?? 'unknown'];
  return `--listen ${urlHost(at)} is not loopback, and metrics name ports and programs: ${who}`;
}

async function check({ address, port }: Endpoint, services: Services): Promise<BindCheck> {
  const state = await services.capture({ owners: true, socketOptions: true });
  return services.checkBind(state, { protocol: 'tcp', address, port, reuseAddress: true });
}

/** Can nobody but this host send to it? */
function isLoopback(address: string): boolean {
  return address === '::1' || (parseAddress(address)?.family === 'ipv4' && /^127\./.test(address));
}
