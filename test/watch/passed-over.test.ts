import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { TWINS } from '../kernel/support/twins.js';
import { compiled } from '../support/preload.js';
import { requires } from '../support/requirements.js';

const live = requires('root', 'tool:ip', 'tool:python3', 'tool:cc');
const module = JSON.stringify(import.meta.resolve('#earshot/index.js'));

/**
 * What a dump passes over is left to chance, so it is taken out of one here: of the socket of port
 * 5000 that is bound to a device the message is made a NLMSG_NOOP, the third time that it comes.
 */
const PASSES_OVER = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  static int times;
  ssize_t (*real)(int, struct msghdr *, int) = dlsym(RTLD_NEXT, "recvmsg");
  ssize_t length = real(fd, message, flags);
  if (length < (ssize_t)sizeof(struct nlmsghdr) || message->msg_namelen != sizeof(struct sockaddr_nl))
    return length;
  int left = (int)length;
  for (struct nlmsghdr *header = message->msg_iov[0].iov_base; NLMSG_OK(header, left);
       header = NLMSG_NEXT(header, left)) {
    struct inet_diag_msg *socket = NLMSG_DATA(header);
    if (!(header->nlmsg_flags & NLM_F_MULTI) || header->nlmsg_len < NLMSG_LENGTH(sizeof *socket)) continue;
    if (header->nlmsg_type != 18 && header->nlmsg_type != 20) continue;
    if (socket->id.idiag_sport != htons(5000) || socket->id.idiag_if == 0 || ++times != 3) continue;
    header->nlmsg_type = NLMSG_NOOP;
    puts("passed over");
    fflush(stdout);
  }
  return length;
}
`;

/** Says what becomes of the one that is bound to a device. */
const WATCHES = `
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from ${module};
const twins = spawn('python3', ['-c', ${JSON.stringify(TWINS)}], {
  stdio: ['pipe', 'pipe', 'inherit'],
  env: { ...process.env, LD_PRELOAD: '' },
});
await once(twins.stdout, 'data');
const watcher = watch({ filter: { protocol: 'tcp', localPort: 5000 }, intervalMs: 50, existing: true, exposure: false });
process.stdin.once('data', () => console.log('closing', twins.stdin.write('\\n')));
for await (const changes of watcher) {
  for (const { type, socket } of changes) {
    if (socket?.boundInterface !== 'lo') continue;
    console.log(type, socket.local.port);
    if (type === 'closed') watcher.close();
  }
}
twins.stdin.end();
process.stdin.destroy();
`;

live('a connection that a poll passes over is not told as gone for its twin', async (t) => {
  const library = await compiled(t, PASSES_OVER);
  const commands = 'ip link set lo up; LD_PRELOAD="$1" exec "$0" --input-type=module -e "$2"';
  const values = ['--net', 'sh', '-ec', commands, process.execPath, library, WATCHES];
  const child = spawn('unshare', values, { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
    // Some more polls, in which it would be told as gone.
    if (String(chunk).includes('passed over')) setTimeout(() => child.stdin.end('\n'), 300);
  });
  await once(child, 'close');
  t.deepEqual(said.trim().split('\n'), [
    'opened 5000',
    'passed over',
    'closing true',
    'closed 5000',
  ]);
});
