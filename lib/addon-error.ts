import { EarshotError } from './errors.js';

/** What the addon throws: an EarshotError is made of it. */
interface NativeError extends Error {
  /** 'netns': entering the namespace failed; 'kernel': the kernel refused; 'decode': bytes that are not of their form. */
  operation: 'netns' | 'kernel' | 'decode';
  syscall: string;
  /** Positive. */
  errno: number;
  /** The kernel's extended-ack text, or what was being done. */
  detail: string;
}

/** An error of the addon's in our terms; any other as it is. `query`: what was asked. */
export function translate(error: unknown, query: unknown): unknown {
  if (!(error instanceof Error) || !('operation' in error)) return error;
  const { operation, syscall, errno, detail, message } = error as NativeError;
  if (operation === 'decode') return new EarshotError('ERR_INVALID_ARGUMENT', message);
  const refusal = { syscall, errno };
  if (operation === 'netns') {
    const netns = (query as { netns: string | null }).netns;
    return new EarshotError('ERR_NETNS', netnsMessage(netns, errno, message), refusal, error);
  }
  const permission = errno === 1 || errno === 13;
  return new EarshotError(
    permission ? 'ERR_PERMISSION' : 'ERR_KERNEL',
    `${message}${detail ? ` (${detail})` : ''}${permission ? ': run as root, or give node CAP_NET_ADMIN' : ''}`,
    refusal,
    error,
  );
}

function netnsMessage(netns: string | null, errno: number, message: string): string {
  if (errno === 2)
    return `network namespace ${netns} does not exist: 'ip netns list' and 'lsns -t net' show those that do`;
  if (errno === 1 || errno === 13)
    return `network namespace ${netns} may not be entered by this user: it needs CAP_SYS_ADMIN, run as root`;
  if (errno === 22)
    return `${netns} is not a network namespace: give a path such as /run/netns/blue, or a process id`;
  return `network namespace ${netns} cannot be entered: ${message}`;
}
