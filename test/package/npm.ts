import { spawnSync } from 'node:child_process';

/** Runs npm, install scripts off, in a directory; says what it printed on both streams. */
export function npm(
  args: string[],
  cwd: string,
): { status: number; output: string; stdout: string } {
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier'];
  // Under `npm test` the npm that runs it is known; what it hands on in its environment is for here.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^npm_(package|lifecycle)/.test(name),
  );
  const cli = process.env.npm_execpath;
  const [command, ...first] = cli?.endsWith('.js') ? [process.execPath, cli] : ['npm'];
  const { status, stdout, stderr, error } = spawnSync(
    command as string,
    [...first, ...args, ...flags],
    { cwd, encoding: 'utf8', env: Object.fromEntries(inherited), timeout: 110_000 },
  );
  if (error) return { status: 1, output: error.message, stdout: '' };
  return { status: status ?? 1, output: stderr + stdout, stdout };
}
