/*
 * What the kernel itself takes, as bare as C can ask: it receives and looks no further. A line of
 * standard input is a question ("tcp", "listeners" or "owners"); the answer is a line with the
 * milliseconds, how much there was, and the peak memory in KiB.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kListen = 10, kAllButBound = 0xfff };

static char buffer[64 * 1024];

static void fail(const char* what) {
  perror(what);
  exit(1);
}

/** Both families of TCP, one after the other; counts messages. */
static long dump(uint32_t states) {
  long messages = 0;
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) fail("socket");
  for (int family = 0; family < 2; family++) {
    struct {
      struct nlmsghdr header;
      struct inet_diag_req_v2 request;
    } question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = family ? AF_INET6 : AF_INET,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = states},
    };
    if (send(fd, &question, sizeof question, 0) < 0) fail("send");
    for (int done = 0; !done;) {
      const ssize_t length = recv(fd, buffer, sizeof buffer, 0);
      if (length < 0) fail("recv");
      int left = (int)length;
      for (struct nlmsghdr* header = (void*)buffer; NLMSG_OK(header, left);
           header = NLMSG_NEXT(header, left)) {
        if (header->nlmsg_type == NLMSG_ERROR) fail("refused");
        if (header->nlmsg_type == NLMSG_DONE) done = 1;
        messages += !done;
      }
    }
  }
  close(fd);
  return messages;
}

struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

/** The links of one process's descriptors; counts those that are sockets. */
static long walkDescriptors(int proc, const char* pid) {
  static char entries[32 * 1024];
  char path[300];
  snprintf(path, sizeof path, "%s/fd", pid);
  const int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  long sockets = 0;
  for (;;) {
    const long filled = syscall(SYS_getdents64, fd, entries, sizeof entries);
    if (filled <= 0) break;
    for (long at = 0; at < filled;) {
      const struct entry* one = (void*)(entries + at);
      at += one->length;
      if (one->name[0] == '.') continue;
      char link[64];
      const ssize_t length = readlinkat(fd, one->name, link, sizeof link);
      if (length > 8 && memcmp(link, "socket:[", 8) == 0) sockets++;
    }
  }
  close(fd);
  return sockets;
}

static long walk(void) {
  const int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0) fail("/proc");
  long sockets = 0;
  for (;;) {
    const long filled = syscall(SYS_getdents64, proc, buffer, sizeof buffer);
    if (filled <= 0) break;
    for (long at = 0; at < filled;) {
      const struct entry* one = (void*)(buffer + at);
      at += one->length;
      if (one->name[0] >= '0' && one->name[0] <= '9') sockets += walkDescriptors(proc, one->name);
    }
  }
  close(proc);
  return sockets;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

int main(void) {
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    const double start = now();
    long count = -1;
    if (strcmp(line, "tcp\n") == 0) count = dump(kAllButBound);
    if (strcmp(line, "listeners\n") == 0) count = dump(1u << kListen);
    if (strcmp(line, "owners\n") == 0) count = walk();
    const double took = now() - start;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.4f %ld %ld\n", took, count, usage.ru_maxrss);
    fflush(stdout);
  }
  return 0;
}
