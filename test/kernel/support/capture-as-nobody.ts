/*
 * Captures as an ordinary user, or asks for a mark with the argument `--mark`, and writes what came
 * of it to standard output. Everything is loaded
 * before root is given up, so that the test runs from any directory.
 */
import { capture, listenersSync, socketsSync } from '#earshot/index.js';

listenersSync({}, { owners: false });
process.setgroups!([]);
process.setgid!(65534);
process.setuid!(65534);
const argument = process.argv[2];
const netns = argument === '--mark' ? undefined : argument;
try {
  if (argument === '--mark') socketsSync({ mark: 0 });
  process.stdout.write(JSON.stringify(await capture(netns === undefined ? {} : { netns })));
} catch (error) {
  const { code, message } = error as { code: string; message: string };
  process.stdout.write(JSON.stringify({ code, message }));
}
