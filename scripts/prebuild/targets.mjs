/*
 * The binaries that are shipped. The glibc ones load wherever glibc is 2.17 (2012) or later, as old
 * as the oldest that any supported Node runs on.
 */

/**
 * @typedef {object} Target
 * @property {'x64' | 'arm64'} arch as Node names it
 * @property {'glibc' | 'musl'} libc
 * @property {string} triple as the compiler names it
 * @property {string} file where the binary is, from prebuilds/
 */

/** The newest version of glibc's symbols that may be needed. */
export const glibcBaseline = '2.17';

/** @type {Target[]} */
export const targets = /** @type {const} */ (['x64', 'arm64']).flatMap((arch) =>
  /** @type {const} */ (['glibc', 'musl']).map((libc) => {
    const machine = { x64: 'x86_64', arm64: 'aarch64' }[arch];
    const abi = { glibc: `gnu.${glibcBaseline}`, musl: 'musl' }[libc];
    return {
      arch,
      libc,
      triple: `${machine}-linux-${abi}`,
      file: `linux-${arch}/earshot.${libc}.node`,
    };
  }),
);

/** @param {Target} target */
export const nameOf = ({ arch, libc }) => `linux-${arch}-${libc}`;
