import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { main, run, StepError, say } from './support/step.mjs';

/*
 * Programs of the system that building, testing and linting need, and Debian's name for each.
 * `node scripts/system-tools.mjs build test lint` installs what is missing (as root, on Debian).
 */

/**
 * `services` are what tests run that would serve on the machine which they are installed on, or take it
 * over, from its next start on at the latest: CI installs them, and nobody else is made to.
 *
 * @typedef {'build' | 'test' | 'services' | 'lint' | 'prebuild' | 'prebuild-check'} Purpose
 */

/** @type {Record<Purpose, { program: string, package: string }[]>} */
const needs = {
  build: [
    { program: 'g++', package: 'g++' },
    { program: 'make', package: 'make' },
    { program: 'python3', package: 'python3' },
  ],
  test: [
    { program: 'ip', package: 'iproute2' },
    { program: 'ss', package: 'iproute2' },
    { program: 'nft', package: 'nftables' },
    { program: 'iptables', package: 'iptables' },
    { program: 'ipset', package: 'ipset' },
    { program: 'busybox', package: 'busybox-static' },
    { program: 'unshare', package: 'util-linux' },
    { program: 'nsenter', package: 'util-linux' },
    { program: 'ps', package: 'procps' },
    { program: 'sysctl', package: 'procps' },
    { program: 'setpriv', package: 'util-linux' },
    { program: 'python3', package: 'python3' },
    { program: 'script', package: 'bsdutils' },
    { program: 'zsh', package: 'zsh' },
    { program: 'fish', package: 'fish' },
    { program: 'man', package: 'man-db' },
    { program: 'groff', package: 'groff' },
    { program: 'mandoc', package: 'mandoc' },
  ],
  services: [
    { program: 'ufw', package: 'ufw' },
    { program: 'dockerd', package: 'docker.io' },
    { program: 'docker', package: 'docker.io' },
    { program: 'firewalld', package: 'firewalld' },
    { program: 'firewall-cmd', package: 'firewalld' },
    { program: 'firewall-offline-cmd', package: 'firewalld' },
    { program: 'dbus-daemon', package: 'dbus' },
    { program: 'fail2ban-server', package: 'fail2ban' },
    { program: 'fail2ban-client', package: 'fail2ban' },
    { program: 'libvirtd', package: 'libvirt-daemon' },
    { program: 'virsh', package: 'libvirt-clients' },
    { program: '/usr/lib/podman/netavark', package: 'netavark' },
    { program: 'prometheus', package: 'prometheus' },
    { program: 'promtool', package: 'prometheus' },
  ],
  lint: [{ program: 'clang-format', package: 'clang-format' }],
  prebuild: [
    { program: 'make', package: 'make' },
    { program: 'python3', package: 'python3' },
  ],
  'prebuild-check': [
    { program: 'readelf', package: 'binutils' },
    { program: 'qemu-aarch64-static', package: 'qemu-user-static' },
  ],
};

/**
 * Where programs are looked for: an ordinary user's PATH on Debian leaves out the sbin directories, and
 * npm puts the programs of packages first, of which one is named nft and is not nft(8).
 */
export const searchPath = [
  ...new Set([
    ...(process.env.PATH ?? '')
      .split(delimiter)
      .filter((directory) => directory && !/\/node_modules\/\.bin\/?$/.test(directory)),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
  ]),
].join(delimiter);

/** @param {string} program */
export function isInstalled(program) {
  return searchPath.split(delimiter).some((directory) => {
    try {
      accessSync(resolve(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param {Purpose} purpose */
export function missingTools(purpose) {
  return needs[purpose].filter(({ program }) => {
    if (program === 'g++' && process.env.CXX) return false;
    return !isInstalled(program);
  });
}

/**
 * Installs what is missing where that can be done unasked: as root, on Debian or a descendant of it.
 * @param {Purpose} purpose
 * @returns {Promise<{ missing: string[], packages: string[] }>} what is still missing
 */
export async function provideTools(purpose) {
  const wanted = packagesOf(missingTools(purpose));
  if (wanted.length > 0 && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    say(`installing ${wanted.join(', ')}`);
    const failure = await aptInstall(wanted);
    if (failure) say(`apt-get could not install ${wanted.join(', ')}:\n${failure}`);
  }
  const missing = missingTools(purpose);
  return { missing: missing.map(({ program }) => program), packages: packagesOf(missing) };
}

/** @param {{ package: string }[]} tools */
const packagesOf = (tools) => [...new Set(tools.map((tool) => tool.package))];

/**
 * @param {string[]} packages
 * @returns {Promise<string>} the last lines of a failure, or ''
 */
async function aptInstall(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const args = ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends'];
  const install = () => run('apt-get', [...args, ...packages], { env });
  let result = await install();
  if (result.status !== 0) {
    // A fresh image has no package lists, an old one has lists of packages that are gone.
    await run('apt-get', ['update'], { env });
    result = await install();
  }
  return result.status === 0 ? '' : result.output.trim().split('\n').slice(-5).join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => {
    const purposes = process.argv.slice(2);
    const unknown = purposes.find((purpose) => !Object.hasOwn(needs, purpose));
    if (unknown !== undefined || purposes.length === 0) {
      throw new StepError(
        `no such purpose: ${unknown ?? '(none given)'}`,
        `name one or more of ${Object.keys(needs).join(', ')}`,
      );
    }
    for (const purpose of /** @type {Purpose[]} */ (purposes)) {
      const { missing, packages } = await provideTools(purpose);
      if (missing.length > 0) {
        throw new StepError(
          `missing for ${purpose}: ${missing.join(', ')}`,
          `as root: apt-get install ${packages.join(' ')}`,
        );
      }
    }
  });
}
