/**
 * The stable codes of everything earshot throws.
 *
 * - `ERR_INVALID_ARGUMENT` an argument or option is not of its form; the message names it.
 * - `ERR_INVALID_STATE` a capture is cut short, of another version, or not a capture.
 * - `ERR_UNSUPPORTED_PLATFORM` this is not Linux: captures can be evaluated, no kernel can be read.
 * - `ERR_NO_BINARY` no addon binary for this machine was found; the message says where it was looked for.
 * - `ERR_PERMISSION` the kernel refuses this user; the message says what would help.
 * - `ERR_NETNS` the network namespace does not exist or may not be entered.
 * - `ERR_KERNEL` the kernel refused for another reason; `syscall` and `errno` say where.
 */
export type ErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_INVALID_STATE'
  | 'ERR_UNSUPPORTED_PLATFORM'
  | 'ERR_NO_BINARY'
  | 'ERR_PERMISSION'
  | 'ERR_NETNS'
  | 'ERR_KERNEL';

/** Where the kernel said no. */
export interface KernelRefusal {
  /** The system call or netlink operation, as `open` or `sendto`. */
  syscall: string;
  /** The error number, positive, as in errno(3): 1 is EPERM. */
  errno: number;
}

/**
 * Everything earshot throws: a stable `code`, and a message that names the value met and the remedy.
 *
 * @example
 * ```js
 * import { EarshotError, sockets } from 'earshot';
 * try {
 *   await sockets({ localPort: 70000 });
 * } catch (error) {
 *   if (error instanceof EarshotError) console.log(error.code, error.message);
 * }
 * ```
 */
export class EarshotError extends Error {
  /** Always `EarshotError`. */
  override readonly name = 'EarshotError';
  /** What went wrong, for programs: it stays the same between versions, the message does not. */
  readonly code: ErrorCode;
  /** Set where the kernel refused. */
  readonly syscall?: string;
  /** Set where the kernel refused: the positive error number. */
  readonly errno?: number;

  constructor(code: ErrorCode, message: string, refusal?: KernelRefusal, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    if (refusal) {
      this.syscall = refusal.syscall;
      this.errno = refusal.errno;
    }
  }
}
