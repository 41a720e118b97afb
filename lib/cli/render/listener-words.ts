import { isLoopback, isUnspecified, parseAddress } from '../../model/address.js';
import type { Socket } from '../../model/socket.js';
import type { Advice, CauseWords } from './causes.js';
import { printable } from './printable.js';
import { commandText } from './processes.js';
import { enumerate } from './text.js';

/* What causes say of the sockets that they speak of. */

/** One address of IPv6 takes IPv6 alone in any case; the wildcard does where IPV6_V6ONLY is set. */
export function ipv6OnlyWords(socket: Socket): Pick<CauseWords, 'why' | 'hint'> {
  const onAll = socket.local.address === '::';
  return {
    why: `${owner(socket)} listens for IPv6 only${onAll ? ' (IPV6_V6ONLY is set)' : ''}.`,
    hint: `Connect by IPv6${onAll ? ', let it listen on 0.0.0.0 as well, or clear IPV6_V6ONLY' : ', or let it listen on 0.0.0.0 as well'}.`,
  };
}

/** What would let it be reached. */
export function listenElsewhere(advice: Advice): string {
  const own = advice.shareable === null ? '' : `, or on ${advice.shareable} alone`;
  const every = advice.shareable?.includes(':') ? '::' : '0.0.0.0';
  return `Let the server listen on ${every} for everyone${own}.`;
}

/** The addresses of the program that a cause speaks of: it may listen on several. */
export function places(
  socket: Socket,
  advice: Advice,
  loopback: boolean,
  conjunction = 'and',
): string {
  const known = advice.sockets.length > 0 ? advice.sockets : [socket];
  const all = known.map(({ local }) => local.address);
  const fitting = all.filter((text) => {
    const address = parseAddress(text);
    return address !== null && isLoopback(address) === loopback && !isUnspecified(address);
  });
  const texts = [...new Set(fitting)];
  if (texts.length === 0) return socket.local.address;
  return texts.length === 2 ? texts.join(` ${conjunction} `) : enumerate(texts, 3);
}

/** Whose socket it is. */
export function owner(socket: Socket): string {
  const process = socket.owners?.[0];
  return process ? `${commandText(process)} (pid ${process.pid})` : 'The server';
}

/** The device that it is bound to. */
export function device(socket: Socket): string {
  return printable(socket.boundInterface ?? 'unknown');
}

/** How full its accept queue is. */
export function queueText(socket: Socket): string {
  return socket.backlog === null
    ? 'length not told'
    : `${socket.backlog.length} waiting, limit ${socket.backlog.limit}`;
}
