import { getSystemErrorName } from 'node:util';
import { EarshotError } from '../errors.js';
import type { Missing, MissingPart } from '../model/host-state.js';
import type { NetlinkRefusal } from '../native.js';

const EPERM = 1;
const EACCES = 13;

/** A refusal as a person reads it: the name of the error, and the kernel's own words where it gave some. */
export function refusalText({ errno, detail }: NetlinkRefusal): string {
  const name = errno > 0 ? getSystemErrorName(-errno) : `errno ${errno}`;
  return detail ? `${name} (${detail})` : name;
}

/** Is it one that privileges would change? */
export function isPermission(errno: number): boolean {
  return errno === EPERM || errno === EACCES;
}

/** What to do where a capability is missing: root inside of a container has not all of them. */
export function privilegeRemedy(capability: string): string {
  return process.geteuid?.() === 0
    ? `give this root ${capability} (it is in a container or sandbox that withholds it), or run outside`
    : `run as root, or give node ${capability}`;
}

/** The bytes of a reply; a refusal is thrown as an `EarshotError`, `what` naming what was asked for. */
export function bytesOf(reply: Uint8Array | NetlinkRefusal | undefined, what: string): Uint8Array {
  if (reply instanceof Uint8Array) return reply;
  const refusal = reply ?? { errno: 0, detail: 'no answer' };
  const permission = isPermission(refusal.errno);
  throw new EarshotError(
    permission ? 'ERR_PERMISSION' : 'ERR_KERNEL',
    `the kernel refused to show the ${what}: ${refusalText(refusal)}${permission ? `; ${privilegeRemedy('CAP_NET_ADMIN')}` : ''}`,
    { syscall: 'netlink', errno: refusal.errno },
  );
}

/**
 * Runs the read of one part of a capture. What the kernel refused, or told in a form that cannot be
 * read, becomes an entry of `missing` and the fallback; what concerns the whole capture (no binary,
 * no such namespace) is thrown on.
 */
export async function partOrMissing<Part>(
  what: MissingPart,
  missing: Missing[],
  fallback: Part,
  read: () => Part | Promise<Part>,
): Promise<Part> {
  try {
    return await read();
  } catch (error) {
    missing.push(missingFrom(what, error));
    return fallback;
  }
}

function missingFrom(what: MissingPart, error: unknown): Missing {
  if (!(error instanceof EarshotError)) throw error;
  if (error.code === 'ERR_PERMISSION') {
    return { what, reason: error.message, remedy: privilegeRemedy('CAP_NET_ADMIN') };
  }
  if (error.code === 'ERR_KERNEL') {
    return {
      what,
      reason: error.message,
      remedy: 'capture again; if it stays, please report it with the kernel release (uname -r)',
    };
  }
  throw error;
}
