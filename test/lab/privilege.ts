import { spawnSync } from 'node:child_process';
import { addon } from './addon.js';

/*
 * A network namespace is made by root, or by an ordinary user who is root of a user namespace. A
 * process with several threads, as every Node process is, cannot move into a user namespace: it
 * has to be started in one.
 */

/** The command line that runs `command` where labs can be built: itself for root, else in a user namespace. */
export function labCommand(command: string[], uid = process.getuid?.() ?? 0): string[] {
  return uid === 0 ? command : ['unshare', '--user', '--map-root-user', '--', ...command];
}

/** Why no lab can be built in this process, with what to do about it; `null` when one can. */
export function whyNoLab(): string | null {
  try {
    addon.closeDescriptors(addon.createNamespaces(1));
    return null;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EPERM') return (error as Error).message;
  }
  const attempt = spawnSync('unshare', ['--user', '--map-root-user', '--net', 'true'], {
    encoding: 'utf8',
  });
  if (attempt.status === 0) {
    return (
      'this process may not make network namespaces, but one in a user namespace may: ' +
      `run it as '${labCommand([], 1).join(' ')} COMMAND'`
    );
  }
  const said = attempt.error ? attempt.error.message : attempt.stderr.trim();
  return (
    `an ordinary user may not make user namespaces here (${said}): run the tests as root, or allow ` +
    'them with sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1 or ' +
    'kernel.apparmor_restrict_unprivileged_userns=0, whichever this system has'
  );
}
