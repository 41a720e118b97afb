/*
 * Captures as an ordinary user and writes the capture to standard output. Everything is loaded
 * before root is given up, so that the test runs from any directory.
 */
import { capture, listenersSync } from '#earshot/index.js';

listenersSync({}, { owners: false });
process.setgroups!([]);
process.setgid!(65534);
process.setuid!(65534);
const netns = process.argv[2];
try {
  process.stdout.write(JSON.stringify(await capture(netns === undefined ? {} : { netns })));
} catch (error) {
  const { code, message } = error as { code: string; message: string };
  process.stdout.write(JSON.stringify({ code, message }));
}
